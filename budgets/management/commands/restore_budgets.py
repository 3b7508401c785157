"""`manage.py restore_budgets`, to be run shortly after midnight of day 1 in the billing time zone, or more often."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from budgets.actions import restore_budgets
from budgets.months import month_name
from partnercenter.refusals import Refusal


class Command(BaseCommand):
    help = "Restore monthly budgets where a new billing month has begun. Safe to run at any time and twice."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restore_budgets()
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{month_name(done.month)}: {done.restored} budgets restored, {done.frozen} accounts frozen.")
