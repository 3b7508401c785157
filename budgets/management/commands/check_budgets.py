"""`manage.py check_budgets`: check that every stored figure equals what it is derived from.

To be run every night. It only reads.
"""

from django.core.management.base import CommandError
from django.db import transaction

from budgets.actions.billing_month import current_month
from budgets.models import Budget
from budgets.queries.integrity import differences
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Check that all stored figures equal what they are derived from, such as used the expenditure behind it and "
        "allocated quota the budgets behind it. Lists every difference and exits with status 1 if there is one."
    )

    def handle(self, *args: object, **options: object) -> None:
        current_month()
        with transaction.atomic():
            checked, found = Budget.objects.count(), list(differences())
        for difference in found:
            self.stderr.write(difference)
        if found:
            raise CommandError(f"{len(found)} differences in {checked} budgets.")
        self.stdout.write(
            self.style.SUCCESS(f"{checked} budgets checked: every figure equals what it is derived from.")
        )
