"""`manage.py check_budgets`: check that every stored figure equals what it is derived from.

To be run every night. It only reads.
"""

from django.core.management.base import CommandError
from django.db import transaction
from django.utils import timezone

from budgets.actions.billing_month import current_month, is_behind
from budgets.models import Budget
from budgets.months import month_name, month_of
from budgets.queries.integrity import differences
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Check that all stored figures equal what they are derived from, such as used the expenditure behind it and "
        "allocated quota the budgets behind it. Lists every difference and exits with status 1 if there is one."
    )

    def handle(self, *args: object, **options: object) -> None:
        month, by_clock = current_month(), month_of(timezone.now())
        with transaction.atomic():
            checked, found = Budget.objects.count(), list(differences())
            behind = Budget.objects.filter(is_behind(month)).count()
        if month > by_clock:
            found.append(
                f"The current month {month_name(month)} lies ahead of the clock, which shows {month_name(by_clock)}. "
                f"If the clock is right, run: manage.py restore_budgets --to {month_name(by_clock)}"
            )
        if behind:
            self.stdout.write(
                f"{behind} budgets have not followed the month yet and are restored before they are used: no "
                "difference. To restore them now, run: manage.py restore_budgets"
            )
        for difference in found:
            self.stderr.write(difference)
        if found:
            raise CommandError(f"{len(found)} differences in {checked} budgets.")
        self.stdout.write(
            self.style.SUCCESS(f"{checked} budgets checked: every figure equals what it is derived from.")
        )
