"""`manage.py fill_derived`: recompute stored figures that the former version left out of date during an upgrade."""

from budgets.actions.derived_figures import fill_derived
from partnercenter.lib.commands import ConsoleCommand
from partnercenter.lib.money import show_number


class Command(ConsoleCommand):
    help = (
        "Recompute the ranks of used amounts and the days on which budgets run out, and store those that differ. To be "
        "run after an upgrade during which the former version was in use. It can be run at any time and repeatedly."
    )

    def handle(self, *args: object, **options: object) -> None:
        result = fill_derived()
        self.stdout.write(f"{show_number(result.checked)} budgets checked, {show_number(result.corrected)} corrected.")
