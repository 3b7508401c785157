"""Whether the totals of a report are plausible beside the stored ones; see rule 8.3 (docs/rules.md).

A wrong file must not freeze thousands of customers, nor give their money back. So a report whose sum falls or rises too
far is imported only once a person has confirmed it.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from budgets.actions.report_totals import USED_AFTER, fetch_rows
from budgets.months import month_name, previous_month
from customers.models import AccountFreezing, FreezeKind
from partnercenter.lib.errors import ActionError
from partnercenter.lib.money import from_cents, show_amount, show_number

LARGEST_CHANGES = 10

# The totals of the current month that have a stored one and are not older than it: their number and both sums.
SUMS = """
SELECT count(*), COALESCE(SUM(total), 0), COALESCE(SUM(total - delta), 0)
FROM compared WHERE month = %s AND expenditure_id IS NOT NULL AND older = 0
"""
# What the same accounts came to in the whole month before.
PREVIOUS_MONTH = """
SELECT COALESCE(SUM(e.total), 0) FROM budgets_expenditure e WHERE e.month = %s AND e.account IN (
    SELECT account FROM compared WHERE month = %s AND expenditure_id IS NOT NULL AND older = 0
)
"""
LARGEST = """
SELECT account, total - delta, total FROM compared
WHERE month = %s AND expenditure_id IS NOT NULL AND older = 0 AND delta <> 0
ORDER BY abs(delta) DESC, account LIMIT %s
"""
WOULD_FREEZE = """
SELECT count(*) FROM ({used_after}) new JOIN budgets_budget b ON b.customer_id = new.customer_id
JOIN customers_customer c ON c.id = b.customer_id
WHERE new.used >= b.amount
    AND (b.account_freezing = %s AND c.freeze_kind = %s OR b.account_freezing = %s AND c.freeze_kind <> %s)
"""
FREEZABLE = (
    AccountFreezing.AUTOMATIC,
    FreezeKind.NONE,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES,
    FreezeKind.ACCOUNT_AND_RESOURCE,
)


@dataclass(frozen=True, kw_only=True)
class ChangedTotal:
    """The total of one account, before and in the report."""

    account: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, kw_only=True)
class TotalsComparison:
    """The current month's totals in a report beside the stored totals of the same accounts.

    `would_freeze` is the number of accounts that the report would freeze, `largest` the ten largest changes.
    """

    month: int
    totals: int
    before: Decimal
    after: Decimal
    would_freeze: int
    largest: list[ChangedTotal]

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        return [
            _("Month %(month)s, %(totals)s totals: %(before)s stored, %(after)s in this report.")
            % {
                "month": month_name(self.month),
                "totals": show_number(self.totals),
                "before": show_amount(self.before),
                "after": show_amount(self.after),
            },
            _("Accounts that it would freeze: %(n)s.") % {"n": show_number(self.would_freeze)},
            _("The largest changes:"),
            *(f"  {each.account}: {show_amount(each.before)} > {show_amount(each.after)}" for each in self.largest),
        ]


class ImplausibleReport(ActionError):
    """A report whose sum differs too much from the stored one: nothing is imported until a person confirms it."""

    status = 409

    def __init__(self, comparison: TotalsComparison, content_hash: str) -> None:
        super().__init__(
            _("The totals of this report are much lower than the stored ones.")
            if comparison.after < comparison.before
            else _("The totals of this report are much higher than the stored ones.")
        )
        self.comparison = comparison
        self.content_hash = content_hash


def ensure_plausible(month: int, content_hash: str) -> None:
    """Raise ImplausibleReport if the compared totals of the current month fall or rise too far in sum.

    Too far is below `REPORT_GUARD_FALL` of the stored sum, or above `REPORT_GUARD_RISE` times it and above what the
    same accounts came to in the whole month before. Few totals or small sums are not questioned.
    """
    number, after, before = fetch_rows(SUMS, [month])[0]
    if number < settings.REPORT_GUARD_FEWEST or from_cents(before) < settings.REPORT_GUARD_FLOOR:
        return
    falls = after < before * settings.REPORT_GUARD_FALL
    rises = after > before * settings.REPORT_GUARD_RISE
    if rises and not falls:
        rises = after > fetch_rows(PREVIOUS_MONTH, [previous_month(month), month])[0][0]
    if falls or rises:
        raise ImplausibleReport(_comparison(month, number, before, after), content_hash)


def _comparison(month: int, number: int, before: int, after: int) -> TotalsComparison:
    return TotalsComparison(
        month=month,
        totals=number,
        before=from_cents(before),
        after=from_cents(after),
        would_freeze=fetch_rows(WOULD_FREEZE.format(used_after=USED_AFTER), [month, *FREEZABLE])[0][0],
        largest=[
            ChangedTotal(account=account, before=from_cents(stored), after=from_cents(stated))
            for account, stored, stated in fetch_rows(LARGEST, [month, LARGEST_CHANGES])
        ],
    )
