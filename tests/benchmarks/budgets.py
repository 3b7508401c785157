"""Set Budget: the action beside bare SQL that locks, records and writes the same, and beside a loop over `save()`.

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

from budgets.actions import Terms, set_budgets
from budgets.models import AdjustmentRecord
from customers.models import AccountFreezing, Customer
from partnercenter.models import BudgetType, User
from partnercenter.money import to_cents
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.pages import client_of
from tests.benchmarks.table import Row, growth, interleaved

BATCHES = {1_000: 2.0, 10_000: 1.5, 100_000: 1.5}
LOOPED = 1_000
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
    """On the largest installation: so many customers at once, then one over HTTP."""
    database = by_size[max(by_size)].use()
    taken: dict[int, list[float]] = {}
    for number, goal in BATCHES.items():
        if number <= database.size:
            by_action(number)
            same_records(number)
            database.settle()
            taken[number] = interleaved(partial(by_action, number), partial(by_sql, number))
            yield Row("set budgets, the action", number, taken[number][0], "bare SQL", taken[number][1], goal)
    yield from growth("set budgets, the action", taken)
    admin = client_of("root")
    product, other = interleaved(partial(by_action, LOOPED), partial(by_looping, admin, LOOPED), rounds=3)
    yield Row("set budgets, the action", LOOPED, product, "Django admin action", other)
    ann, customer = client_of("ann"), Customer.objects.get(pk=database.size // 2)
    product, other = interleaved(partial(by_dialog, ann, customer), partial(by_change_form, admin, customer))
    yield Row("set a budget over HTTP", 1, product, "Django admin", other)


def by_action(number: int) -> uuid.UUID:
    outcome = set_budgets(
        Customer.objects.filter(pk__lte=number),
        Terms(BudgetType.MONTHLY, next(amounts), AccountFreezing.MANUAL),
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


def by_dialog(ann: Any, customer: Customer) -> None:
    given = {"budget_type": "MONTHLY", "amount": next(amounts), "account_freezing": "MANUAL"}
    sent(ann.post(f"/budgets/set/?customer={customer.customer_id}", given))


def by_change_form(admin: Any, customer: Customer) -> None:
    sent(admin.post(f"/bench/budgets/budget/{customer.pk}/change/", {"amount": next(amounts)}))


def sent(response: Any) -> None:
    if response.status_code != 302:
        raise AssertionError(f"{response.request['PATH_INFO']}: {response.status_code}")
