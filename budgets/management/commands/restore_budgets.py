"""`manage.py restore_budgets [--to YYYY-MM [--confirm]]`: restore monthly budgets when a new billing month has begun.

To be run shortly after midnight of day 1 in the billing time zone, or more often.
"""

from argparse import ArgumentParser, ArgumentTypeError

from django.core.management.base import CommandError

from budgets.actions.billing_month import MonthRestore, current_month, go_back_to_month, restore_budgets
from budgets.months import month_name, parse_month
from partnercenter.lib.commands import ConsoleCommand


def month_argument(text: str) -> int:
    """Parse a month such as 2026-10. Raises ArgumentTypeError."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


class Command(ConsoleCommand):
    help = (
        "Restore monthly budgets when a new billing month has begun. It can be run at any time and again. By itself "
        "it moves one month, if the clocks of the console and of the database agree; --to moves further, or back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=month_argument, metavar="YYYY-MM", help="Move to this month.")
        parser.add_argument("--confirm", action="store_true", help="Needed to move back to an earlier month.")

    def handle(self, *args: object, to: int | None, confirm: bool, **options: object) -> None:
        if to is not None and to < current_month():
            self._go_back(to, confirm=confirm)
            return
        result = restore_budgets(to)
        if result.waiting:
            month, waiting = month_name(result.month), month_name(result.waiting)
            raise CommandError(
                f"By the clock it is {waiting}, but the budgets are in {month}. By itself the month moves one step, "
                f"and only if the clocks of the console and of the database agree. If it is {waiting}, run: "
                f"restore_budgets --to {waiting}"
            )
        self._write_result(result)

    def _go_back(self, month: int, *, confirm: bool) -> None:
        if not confirm:
            raise CommandError(
                f"{month_name(month)} is an earlier month: budgets of later months would begin in it, and all would be "
                "counted anew. If this is right, add --confirm."
            )
        result = go_back_to_month(month)
        self._write_result(result)
        if result.lifted:
            self.stdout.write(f"Freezes that were lifted meanwhile, and stay lifted: {len(result.lifted)}")
        for customer_id in result.lifted:
            self.stdout.write(f"  {customer_id}")

    def _write_result(self, result: MonthRestore) -> None:
        text = f"{month_name(result.month)}: {result.restored} budgets restored, {result.frozen} accounts frozen."
        if result.unfrozen:
            text += f" {result.unfrozen} accounts unfrozen."
        self.stdout.write(text)
