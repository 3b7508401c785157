"""`manage.py restore_budgets`: begin a new billing month and restore the budgets that have not followed it yet.

To be run shortly after midnight of day 1 in the billing time zone, or more often.
"""

from argparse import ArgumentParser

from django.core.management.base import CommandError

from budgets.actions.billing_month import (
    freezes_lifted_after,
    month_in_waiting,
    restore_budgets,
    restore_budgets_to,
)
from budgets.months import month_name, next_month, parse_month
from partnercenter.lib.commands import ConsoleCommand

MOST_LISTED = 100


class Command(ConsoleCommand):
    help = (
        "Begin a new billing month and restore monthly budgets, also after an interruption. It can be run at any time "
        "and repeatedly. By itself the month moves by one, and only if the clocks of console and database agree."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", metavar="YYYY-MM", help="move the month to this one, forward or back")
        parser.add_argument("--confirm", action="store_true", help="needed to go back to an earlier month")

    def handle(self, *args: object, to: str | None, confirm: bool, **options: object) -> None:
        if to is None:
            result = restore_budgets()
        else:
            try:
                result = restore_budgets_to(parse_month(to), confirmed=confirm)
            except ValueError as error:
                raise CommandError(str(error)) from error
        text = f"{month_name(result.month)}: {result.restored} budgets restored, {result.frozen} accounts frozen."
        if result.unfrozen:
            text += f" {result.unfrozen} accounts unfrozen."
        self.stdout.write(text)
        if to is not None and confirm:
            self.list_lifted(result.month)
        if to is None and (waiting := month_in_waiting(result.month)):
            raise CommandError(self.why_waiting(result.month, waiting))

    def list_lifted(self, month: int) -> None:
        """List the customers whose freeze was lifted by a month that is over, and who are not frozen again."""
        lifted = freezes_lifted_after(month)
        if lifted:
            self.stdout.write(f"{len(lifted)} freezes that a later month had lifted are not put back:")
            self.stdout.write("\n".join(lifted[:MOST_LISTED]))
        if len(lifted) > MOST_LISTED:
            self.stdout.write(f"and {len(lifted) - MOST_LISTED} more.")

    def why_waiting(self, month: int, waiting: int) -> str:
        """Say why the month does not move by itself, and how to move it."""
        if waiting == next_month(month):
            why = f"The console's clock shows {month_name(waiting)}, but the clock of the database does not."
        else:
            why = (
                f"The console's clock shows {month_name(waiting)}: more than one month after {month_name(month)}, the "
                "current month of the budgets."
            )
        how = f"If it is right, run: manage.py restore_budgets --to {month_name(waiting)}"
        return f"{why} Such a step is not taken by itself.\n{how}"
