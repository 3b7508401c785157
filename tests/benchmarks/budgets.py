"""Set Budget: the action beside bare SQL that locks, records and writes the same, its pages beside loops over `save()`.

The action is what OK does to a review that was written when the dialog was sent; the review is measured by itself.
Everybody gets a monthly budget high enough that nobody's freeze state changes, each time another amount.
"""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

from django.db import connection
from django.utils import timezone

from budgets.actions.reviews import review_budgets
from budgets.actions.set_budgets import apply_budgets, set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord
from customers.models import AccountFreezing, Customer
from partnercenter.lib.money import to_cents
from partnercenter.models import BudgetType, Operation, User
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.pages import client_of
from tests.benchmarks.table import Row, growth, interleaved, timed

BATCHES = {1_000: 2.0, 10_000: 1.5, 100_000: 1.5}
UNDONE = 10_000
OVER_HTTP = {1_000: 1 / 10, 10_000: 1 / 20}
amounts = (Decimal(100_000) + Decimal(n).scaleb(-2) for n in count())

LOCK = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer WHERE id <= %(up_to)s ORDER BY id {for_update}
) AS locked
"""
RECORD = """
INSERT INTO budgets_adjustmentrecord (
    customer_id, at, operator_id, operator_name, partner_company, partner_account_name, operation,
    budget_type_before, budget_type_after, amount_before, amount_after, account_freezing_before, account_freezing_after,
    counted_from_before, counted_from_after, unfreeze_on_restore_before, unfreeze_on_restore_after,
    used, unfreeze, channel, batch, note
)
SELECT customer_id, %(at)s, %(operator)s, 'ann', 'Acme', 'acme', 'SETTING',
    budget_type, 'MONTHLY', amount, %(amount)s, account_freezing, 'MANUAL', counted_from, counted_from,
    unfreeze_on_restore, unfreeze_on_restore, used, %(no)s, 'CONSOLE', %(batch)s, ''
FROM budgets_budget WHERE customer_id <= %(up_to)s
"""
SET = """
UPDATE budgets_budget SET amount = r.amount_after, account_freezing = r.account_freezing_after, record_id = r.id,
    usage = r.used * 100 / r.amount_after, level = CASE WHEN r.used * 100 >= r.amount_after * 75 THEN 75 ELSE 0 END
FROM budgets_adjustmentrecord r WHERE r.batch = %(batch)s AND r.customer_id = budgets_budget.customer_id
"""
TAKE = """
UPDATE partnercenter_grant SET monthly_allocated = monthly_allocated + (
    SELECT SUM(amount_after - amount_before) FROM budgets_adjustmentrecord WHERE batch = %(batch)s
)
"""
# All that a record says but when, in which batch and how much.
SAID = """
SELECT customer_id, operator_id, operator_name, partner_company, partner_account_name, operation, budget_type_before,
    budget_type_after, account_freezing_before, account_freezing_after, counted_from_before, counted_from_after,
    unfreeze_on_restore_before, unfreeze_on_restore_after, used, unfreeze, channel, note
FROM budgets_adjustmentrecord WHERE batch = %({batch})s
"""


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """On the largest installation: so many customers at once, their undo, through the pages; then one over HTTP."""
    database = by_size[max(by_size)].use()
    numbers = {number: goal for number, goal in BATCHES.items() if number <= database.size}
    taken: dict[int, list[float]] = {}
    for number, goal in numbers.items():
        by_action(number)
        same_records(number)
        database.settle()
        ways = (confirming, partial(by_sql, number), partial(review, number), partial(by_action, number))
        taken[number] = interleaved(*ways, prepare=(partial(reviewed_for, number), tuple, tuple, tuple))
        applied, bare, reviewed, both = taken[number]
        yield Row("set budgets, the action", number, applied, "bare SQL", bare, goal)
        yield Row("set budgets, its review", number, reviewed, "bare SQL", bare)
        yield Row("set budgets, both in one", number, both, "bare SQL", bare)
    yield from growth("set budgets, the action", taken)
    yield from _undone(database)
    yield from _over_http(database)


def _undone(database: Database) -> Iterator[Row]:
    """Each batch is set and then undone, both through a review."""
    batches: list[uuid.UUID] = []
    ann = User.objects.select_related("partner").get(username="ann")

    def set_them() -> None:
        batches.append(confirming(review(UNDONE)))

    def undo_them() -> None:
        confirming(review_undo(batches.pop(), operator=ann, unfreeze=False))

    if database.size >= UNDONE:
        setting, undoing = interleaved(set_them, undo_them)
        yield Row("undo, reviewed and applied", UNDONE, undoing, "setting them", setting, 1.5)


def _over_http(database: Database) -> Iterator[Row]:
    """The dialog for all that match, its review and OK; beside admin's action, which at ten thousand is run once."""
    ann, admin = client_of("ann"), client_of("root")
    for number, goal in OVER_HTTP.items():
        if number <= database.size:
            Customer.objects.filter(pk__lte=number).update(tags=f";{number};")
            (product,) = interleaved(partial(by_pages, ann, number), rounds=3)
            other = timed(partial(by_looping, admin, number))
            yield Row("set budgets over HTTP", number, product, "Django admin action", other, goal)
    customer = Customer.objects.get(pk=database.size // 2)
    product, other = interleaved(partial(by_dialog, ann, customer), partial(by_change_form, admin, customer))
    yield Row("set a budget over HTTP", 1, product, "Django admin", other)


def review(number: int) -> Operation:
    return review_budgets(
        Customer.objects.filter(pk__lte=number),
        BudgetTerms(BudgetType.MONTHLY, next(amounts), AccountFreezing.MANUAL),
        operator=User.objects.select_related("partner").get(username="ann"),
        unfreeze=False,
    )


def reviewed_for(number: int) -> tuple[Operation]:
    return (review(number),)


def confirming(operation: Operation) -> uuid.UUID:
    """OK without a code: raises AssertionError unless everybody in the review is set."""
    outcome = apply_budgets(operation)
    if outcome.changed != operation.reviewed.count():
        raise AssertionError(f"{outcome.changed} of {operation.reviewed.count()} budgets were set")
    return outcome.batch


def by_action(number: int) -> uuid.UUID:
    """Reviewed and set in one."""
    outcome = set_budgets(
        Customer.objects.filter(pk__lte=number),
        BudgetTerms(BudgetType.MONTHLY, next(amounts), AccountFreezing.MANUAL),
        operator=User.objects.select_related("partner").get(username="ann"),
    )
    if outcome.changed != number:
        raise AssertionError(f"{outcome.changed} of {number} budgets were set")
    return outcome.batch


def by_sql(number: int) -> uuid.UUID:
    batch = uuid.uuid4()
    params: dict[str, Any] = {
        "up_to": number,
        "amount": to_cents(next(amounts)),
        "at": raw.value(AdjustmentRecord, "at", timezone.now()),
        "operator": User.objects.get(username="ann").pk,
        "batch": raw.value(AdjustmentRecord, "batch", batch),
        "no": False,
    }
    for_update = "FOR NO KEY UPDATE" if connection.vendor == "postgresql" else ""
    raw.run((each, params) for each in (LOCK.format(for_update=for_update), RECORD, SET, TAKE))
    return batch


def same_records(number: int) -> None:
    """Raises AssertionError unless both leave the same records; the second time round, as all are set by then."""
    made = {"a": by_action(number), "b": by_sql(number)}
    batches = {name: raw.value(AdjustmentRecord, "batch", batch) for name, batch in made.items()}
    for one, other in ("ab", "ba"):
        if raw.fetch(f"{SAID.format(batch=one)} EXCEPT {SAID.format(batch=other)}", batches):
            raise AssertionError("the action and bare SQL leave different records")


def by_looping(admin: Any, number: int) -> None:
    given = {"action": "raise_amount", "select_across": "1", "_selected_action": "1", "up_to": number}
    sent(admin.post("/bench/budgets/budget/", given | {"amount": next(amounts)}))


def by_pages(ann: Any, number: int) -> None:
    given = {"all_matching": "1", "budget_type": "MONTHLY", "amount": next(amounts), "account_freezing": "MANUAL"}
    reviewed = ann.post(f"/budgets/set/?tag={number}", given)
    sent(reviewed)
    sent(ann.post(reviewed["Location"]))


def by_dialog(ann: Any, customer: Customer) -> None:
    given = {"budget_type": "MONTHLY", "amount": next(amounts), "account_freezing": "MANUAL"}
    sent(ann.post(f"/budgets/set/?customer={customer.customer_id}", given))


def by_change_form(admin: Any, customer: Customer) -> None:
    sent(admin.post(f"/bench/budgets/budget/{customer.pk}/change/", {"amount": next(amounts)}))


def sent(response: Any) -> None:
    if response.status_code != 302:
        raise AssertionError(f"{response.request['PATH_INFO']}: {response.status_code}")
