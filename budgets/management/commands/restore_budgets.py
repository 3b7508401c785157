"""`manage.py restore_budgets`: restore monthly budgets when a new billing month has begun.

To be run shortly after midnight of day 1 in the billing time zone, or more often.
"""

from budgets.actions.billing_month import restore_budgets
from budgets.months import month_name
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = "Restore monthly budgets when a new billing month has begun. It can be run at any time and repeatedly."

    def handle(self, *args: object, **options: object) -> None:
        result = restore_budgets()
        text = f"{month_name(result.month)}: {result.restored} budgets restored, {result.frozen} accounts frozen."
        if result.unfrozen:
            text += f" {result.unfrozen} accounts unfrozen."
        self.stdout.write(text)
