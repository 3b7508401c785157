"""Setting budgets and undoing it, compared with bare SQL that does the same work, and with Django admin.

The review, which is stored when the dialog is sent, and its application at OK are measured separately. All customers
get a monthly budget, each time of another amount, that is high enough to change no freeze state.
"""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import count, permutations
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
from tests.benchmarks.table import Row, growth_rows, median_seconds, seconds_of

# The goals by the number of customers in the batch.
BATCH_GOALS = {1_000: 2.0, 10_000: 1.5, 100_000: 1.5}
HTTP_GOALS = {1_000: 1 / 10, 10_000: 1 / 20}
UNDONE = 10_000
amounts = (Decimal(100_000) + Decimal(n).scaleb(-2) for n in count())

LOCK_CUSTOMERS = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer WHERE id <= %(up_to)s ORDER BY id {for_update}
) AS locked
"""
WRITE_RECORDS = """
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
WRITE_BUDGETS = """
UPDATE budgets_budget SET amount = r.amount_after, account_freezing = r.account_freezing_after, record_id = r.id,
    usage = r.used * 100 / r.amount_after, level = CASE WHEN r.used * 100 >= r.amount_after * 75 THEN 75 ELSE 0 END
FROM budgets_adjustmentrecord r WHERE r.batch = %(batch)s AND r.customer_id = budgets_budget.customer_id
"""
ALLOCATE_QUOTA = """
UPDATE partnercenter_grant SET monthly_allocated = monthly_allocated + (
    SELECT SUM(amount_after - amount_before) FROM budgets_adjustmentrecord WHERE batch = %(batch)s
)
"""
# The columns of a record without key, time, batch and amounts, which differ between any two batches.
RECORDED_VALUES = """
SELECT customer_id, operator_id, operator_name, partner_company, partner_account_name, operation, budget_type_before,
    budget_type_after, account_freezing_before, account_freezing_after, counted_from_before, counted_from_after,
    unfreeze_on_restore_before, unfreeze_on_restore_after, used, unfreeze, channel, note
FROM budgets_adjustmentrecord WHERE batch = %({batch})s
"""


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """Measure the largest database: batches by action, their undo, batches over HTTP, and one customer over HTTP."""
    database = by_size[max(by_size)].use()
    goals = {number: goal for number, goal in BATCH_GOALS.items() if number <= database.size}
    measured: dict[int, list[float]] = {}
    for number, goal in goals.items():
        set_by_action(number)
        ensure_same_records(number)
        database.vacuum_and_analyze()
        functions = (confirm, partial(set_by_sql, number), partial(review, number), partial(set_by_action, number))
        measured[number] = median_seconds(*functions, prepare=(partial(review_args, number), tuple, tuple, tuple))
        applying, by_sql, reviewing, both = measured[number]
        yield Row("set budgets, applying a review", number, applying, "bare SQL", by_sql, goal)
        yield Row("set budgets, the review", number, reviewing, "bare SQL", by_sql)
        yield Row("set budgets, both in one action", number, both, "bare SQL", by_sql)
    yield from growth_rows("set budgets, applying a review", measured)
    yield from _undo(database)
    yield from _over_http(database)


def _undo(database: Database) -> Iterator[Row]:
    """Set and undo batches alternately, both with a review."""
    batches: list[uuid.UUID] = []
    ann = User.objects.select_related("partner").get(username="ann")

    def set_them() -> None:
        batches.append(confirm(review(UNDONE)))

    def undo_them() -> None:
        confirm(review_undo(batches.pop(), operator=ann, unfreeze=False))

    if database.size >= UNDONE:
        setting, undoing = median_seconds(set_them, undo_them)
        yield Row("undo, reviewed and applied", UNDONE, undoing, "setting them", setting, 1.5)


def _over_http(database: Database) -> Iterator[Row]:
    """Set Budget for all customers with a tag, and for one; Django admin's action takes long and runs once."""
    ann, admin = client_of("ann"), client_of("root")
    for number, goal in HTTP_GOALS.items():
        if number <= database.size:
            Customer.objects.filter(pk__lte=number).update(tags=f";{number};")
            (product,) = median_seconds(partial(set_by_pages, ann, number), rounds=3)
            baseline = seconds_of(partial(set_by_admin_action, admin, number))
            yield Row("set budgets over HTTP", number, product, "Django admin action", baseline, goal)
    customer = Customer.objects.get(pk=database.size // 2)
    functions = (partial(set_by_dialog, ann, customer), partial(set_by_change_form, admin, customer))
    product, baseline = median_seconds(*functions)
    yield Row("set a budget over HTTP", 1, product, "Django admin", baseline)


def review(number: int) -> Operation:
    return review_budgets(
        Customer.objects.filter(pk__lte=number),
        BudgetTerms(BudgetType.MONTHLY, next(amounts), AccountFreezing.MANUAL),
        operator=User.objects.select_related("partner").get(username="ann"),
        unfreeze=False,
    )


def review_args(number: int) -> tuple[Operation]:
    """The arguments of `confirm`: a new review."""
    return (review(number),)


def confirm(operation: Operation) -> uuid.UUID:
    """Do what OK does after the code. Raises AssertionError unless the budgets of all customers are set."""
    result = apply_budgets(operation)
    if result.changed != operation.reviewed.count():
        raise AssertionError(f"{result.changed} of {operation.reviewed.count()} budgets were set")
    return result.batch


def set_by_action(number: int) -> uuid.UUID:
    """Review and set budgets in one action."""
    result = set_budgets(
        Customer.objects.filter(pk__lte=number),
        BudgetTerms(BudgetType.MONTHLY, next(amounts), AccountFreezing.MANUAL),
        operator=User.objects.select_related("partner").get(username="ann"),
    )
    if result.changed != number:
        raise AssertionError(f"{result.changed} of {number} budgets were set")
    return result.batch


def set_by_sql(number: int) -> uuid.UUID:
    batch = uuid.uuid4()
    params: dict[str, Any] = {
        "up_to": number,
        "amount": to_cents(next(amounts)),
        "at": raw.db_value(AdjustmentRecord, "at", timezone.now()),
        "operator": User.objects.get(username="ann").pk,
        "batch": raw.db_value(AdjustmentRecord, "batch", batch),
        "no": False,
    }
    for_update = "FOR NO KEY UPDATE" if connection.vendor == "postgresql" else ""
    statements = (LOCK_CUSTOMERS.format(for_update=for_update), WRITE_RECORDS, WRITE_BUDGETS, ALLOCATE_QUOTA)
    raw.run((each, params) for each in statements)
    return batch


def ensure_same_records(number: int) -> None:
    """Raises AssertionError unless the action and bare SQL write the same records. All budgets must be set before."""
    written = {"product": set_by_action(number), "baseline": set_by_sql(number)}
    batches = {name: raw.db_value(AdjustmentRecord, "batch", batch) for name, batch in written.items()}
    for first, second in permutations(batches):
        if raw.fetch(f"{RECORDED_VALUES.format(batch=first)} EXCEPT {RECORDED_VALUES.format(batch=second)}", batches):
            raise AssertionError("the action and bare SQL write different records")


def set_by_admin_action(admin: Any, number: int) -> None:
    data = {"action": "raise_amount", "select_across": "1", "_selected_action": "1", "up_to": number}
    ensure_redirect(admin.post("/bench/budgets/budget/", data | {"amount": next(amounts)}))


def set_by_pages(ann: Any, number: int) -> None:
    """Send the dialog for all customers with the tag, which leads to a review, and press OK."""
    data = {"all_matching": "1", "budget_type": "MONTHLY", "amount": next(amounts), "account_freezing": "MANUAL"}
    review = ann.post(f"/budgets/set/?tag={number}", data)
    ensure_redirect(review)
    ensure_redirect(ann.post(review["Location"]))


def set_by_dialog(ann: Any, customer: Customer) -> None:
    data = {"budget_type": "MONTHLY", "amount": next(amounts), "account_freezing": "MANUAL"}
    ensure_redirect(ann.post(f"/budgets/set/?customer={customer.customer_id}", data))


def set_by_change_form(admin: Any, customer: Customer) -> None:
    ensure_redirect(admin.post(f"/bench/budgets/budget/{customer.pk}/change/", {"amount": next(amounts)}))


def ensure_redirect(response: Any) -> None:
    """Raises AssertionError unless the form was accepted."""
    if response.status_code != 302:
        raise AssertionError(f"{response.request['PATH_INFO']}: {response.status_code}")
