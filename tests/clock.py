"""The clock of tests, which may be moved by any time."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from budgets.actions.billing_month import month_state, restore_budgets_to
from budgets.months import month_of, next_month


class Clock:
    """Moves the time. Over more than one month, the platform runs `restore_budgets --to` for the new month.

    That is because by itself the month moves by one at most; see rule 3.14 (docs/rules.md). Tests of this rule use
    `jump_to`, after which nobody has done anything.
    """

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def jump_to(self, moment: Any, *, tick: bool | None = None) -> None:
        self._traveller.move_to(moment, tick=tick)

    def move_to(self, moment: Any, *, tick: bool | None = None) -> None:
        before = month_of(timezone.now())
        self.jump_to(moment, tick=tick)
        if month_of(timezone.now()) > next_month(before):
            restore_skipped_months()

    def shift(self, by: timedelta | float) -> None:
        self.move_to(timezone.now() + (by if isinstance(by, timedelta) else timedelta(seconds=by)))


def restore_skipped_months() -> bool:
    """Do what the platform does when the month lies more than one behind the clock; return whether it did."""
    month, state = month_of(timezone.now()), month_state()
    is_skipping = state is not None and month > next_month(state.month)
    if is_skipping:
        restore_budgets_to(month)
    return is_skipping
