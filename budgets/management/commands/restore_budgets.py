"""`manage.py restore_budgets`, to be run shortly after midnight of day 1 in the billing time zone, or more often."""

from typing import Any

from budgets.actions.billing_month import restore_budgets
from budgets.months import month_name
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = "Restore monthly budgets where a new billing month has begun. Safe to run at any time and twice."

    def handle(self, *args: Any, **options: Any) -> None:
        done = restore_budgets()
        self.stdout.write(
            f"{month_name(done.month)}: {done.restored} budgets restored, {done.frozen} accounts frozen."
            + (f" {done.unfrozen} accounts unfrozen." if done.unfrozen else "")
        )
