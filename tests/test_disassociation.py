"""Customers leave and may be associated again: what becomes of budget, quota, expenditure, reviews and records.

See sections 1, 9 (docs/rules.md) and rules 3.2, 8.4 (docs/rules.md).
"""

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.actions.association import associate_customers, disassociate_customers
from budgets.models import AdjustmentRecord, Budget, Expenditure
from budgets.queries.integrity import differences
from customers.files import NewCustomer
from customers.models import Customer, FreezeRecord
from partnercenter.models import BudgetType, Grant
from tests import factories
from tests.commands import run_command
from tests.factories import queryset_of
from tests.pages import group_counts, start_undo

pytestmark = pytest.mark.clock("2026-09-20 04:00")

HEADER = "customer_id,partner\n"


@pytest.fixture(autouse=True)
def stored_figures_are_consistent(db):
    """After each test all stored figures equal the derived ones."""
    yield
    assert list(differences()) == []


@pytest.fixture
def customer(acme, ann) -> Customer:
    """A customer with a one-time budget of 100 that counts the 70 of September and not the 40 of August."""
    customer = factories.customer(acme, "/subscriptions/0a")
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-08", "40"), (customer, "2026-09", "70"))
    return customer


@pytest.fixture
def file(tmp_path: Path):
    """Writes a file of customers who leave."""

    def write(*lines: str) -> Path:
        path = tmp_path / "leaving.csv"
        path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
        return path

    return write


def leave(*customers: Customer, **more: str) -> int:
    return disassociate_customers(queryset_of(customers), **more)


def associate_again(customer: Customer, partner) -> Customer:
    """Associate the same customer ID with a partner."""
    associate_customers([NewCustomer(customer.customer_id, "again", "Come Again", partner)])
    return Customer.objects.get(customer_id=customer.customer_id, disassociated_on=None)


def totals(customer: Customer | None) -> dict[int, Decimal]:
    """The customer's expenditure by month; None: that of unassociated accounts."""
    return dict(Expenditure.objects.filter(customer=customer).values_list("month", "total"))


def test_the_budget_is_deleted_with_a_record_by_system_and_its_quota_is_freed(customer, acme):
    assert leave(customer, note="by platform") == 1
    record = customer.adjustment_records.last()
    assert (record.operation, record.operator, record.operator_name) == ("DELETE", None, "system")
    assert (record.channel, record.note) == ("SYSTEM", "by platform")
    assert (record.budget_type_before, record.amount_before, record.used) == ("ONE_TIME", 100, 70)
    assert (record.account_freezing_before, record.counted_from_before) == ("AUTOMATIC", 202609)
    assert (record.budget_type_after, record.amount_after, record.account_freezing_after) == (None, None, None)
    assert not Budget.objects.exists()
    assert Grant.objects.get(partner=acme).one_time_allocated == 0


def test_only_the_budgets_of_the_customers_who_left_leave_each_partners_pools(acme, borealis, ann, carl):
    here, stays, there = factories.customer(acme), factories.customer(acme), factories.customer(borealis)
    factories.budget([here, stays], ann, "100")
    factories.budget(there, carl, "7", BudgetType.MONTHLY)
    leave(here, there)
    pools = Grant.objects.values_list("partner", "monthly_allocated", "one_time_allocated")
    assert set(pools) == {(acme.pk, 0, 100), (borealis.pk, 0, 0)}


def test_a_customer_who_left_does_not_exist_any_more(customer, ann, sign_in):
    leave(customer)
    client = sign_in(ann)
    assert not client.get("/customers/").context["page"].object_list
    for path in ("/budgets/set/", "/budgets/records/"):
        assert client.get(path, {"customer": customer.customer_id}).status_code == 404
    with pytest.raises(CommandError, match=r"No customer with the ID .* is associated"):
        run_command("may_purchase", customer.customer_id)


def test_the_freeze_state_and_the_freeze_records_of_a_customer_who_left_stay(customer, acme):
    never_unfrozen = factories.customer(acme)
    factories.report((customer, "2026-09", "100"))
    frozen = factories.fresh(customer).frozen_since
    records = FreezeRecord.objects.count()
    leave(customer, never_unfrozen)
    left = factories.fresh(customer)
    assert (left.freeze_origin, left.frozen_since) == ("BUDGET_EXHAUSTED", frozen)
    assert factories.fresh(never_unfrozen).freeze_origin == "ASSOCIATION"
    assert FreezeRecord.objects.count() == records


def test_a_referral_customer_leaves_without_any_record(acme):
    customer = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    assert leave(customer) == 1
    assert not AdjustmentRecord.objects.exists()
    assert not FreezeRecord.objects.exists()


def test_a_customer_who_left_already_cannot_leave_again(customer):
    leave(customer)
    left = factories.fresh(customer).disassociated_on
    assert leave(customer) == 0
    assert customer.adjustment_records.count() == 2
    assert factories.fresh(customer).disassociated_on == left


def test_a_customer_who_left_keeps_earlier_months_and_later_totals_belong_to_nobody(customer):
    leave(customer)
    assert totals(customer) == {202608: 40}
    assert totals(None) == {202609: 70}
    result = factories.report((customer.customer_id, "2026-08", "41"), (customer.customer_id, "2026-09", "75"))
    assert (result.unknown, result.unknown_accounts) == (1, [customer.customer_id])
    assert totals(customer) == {202608: 41}
    assert totals(None) == {202609: 75}


def test_a_customer_who_returns_is_a_new_one_for_whom_the_whole_month_counts(customer, acme, ann):
    leave(customer)
    again = associate_again(customer, acme)
    assert again.pk != customer.pk
    assert (again.freeze_origin, again.freeze_records.count()) == ("ASSOCIATION", 1)
    assert totals(again) == {202609: 70}
    factories.budget(again, ann, "100")
    assert factories.stored(again).used == 70
    assert again.adjustment_records.get().amount_before is None
    factories.report((again, "2026-08", "45"), (again, "2026-09", "80"))
    assert totals(customer) == {202608: 45}
    assert factories.stored(again).used == 80


def test_expenditure_of_an_unassociated_account_goes_to_the_next_customer_with_its_id(customer, borealis, clock):
    leave(customer)
    clock.move_to("2026-11-20T04:00:00Z")
    factories.report(*[(customer.customer_id, month, "5") for month in ("2026-08", "2026-10", "2026-11")])
    again = associate_again(customer, borealis)
    assert totals(customer) == {202608: 5}
    assert totals(again) == {202609: 70, 202610: 5, 202611: 5}


def test_a_partner_cannot_restate_expenditure_from_before_the_customer_came_to_it(customer, borealis, carl):
    leave(customer)
    again = associate_again(customer, borealis)
    result = factories.report((again, "2026-08", "1"), (again, "2026-09", "90"), operator=carl, only=borealis)
    assert (result.not_yours, result.changed) == (1, 1)
    assert totals(customer) == {202608: 40}
    assert totals(again) == {202609: 90}


def test_a_review_with_a_customer_who_left_is_stale_and_the_others_can_be_set(acme, ann, sign_in):
    leaving, *staying = factories.customers(acme, 3)
    operation, client = factories.reviewed([leaving, *staying], ann, "100"), sign_in(ann)
    leave(leaving)
    path = f"/operations/{operation.pk}/"
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 409
    assert factories.confirmed(operation, only_unchanged=True).skipped == 1
    assert {budget.customer for budget in Budget.objects.all()} == set(staying)


def test_the_form_of_a_customer_who_left_is_a_404(customer, ann, sign_in):
    client = sign_in(ann)
    assert client.get("/budgets/set/", {"customer": customer.customer_id}).status_code == 200
    leave(customer)
    terms = {"customer": customer.customer_id, "budget_type": "ONE_TIME", "amount": "5", "account_freezing": "MANUAL"}
    assert client.post("/budgets/set/", terms).status_code == 404
    assert client.post("/budgets/set/", terms | {"customer": [customer.customer_id, "other"]}).status_code == 404


def test_undo_skips_customers_who_left(acme, ann, sign_in):
    leaving, staying = factories.customers(acme, 2)
    batch = factories.reviewed([leaving, staying], ann, "100")
    factories.confirmed(batch)
    leave(leaving)
    client = sign_in(ann)
    undo = start_undo(client, f"/operations/{batch.pk}/")
    assert group_counts(client, undo)["MOVED_ON"] == 1
    assert client.post(undo).status_code == 302
    assert [record.operation for record in leaving.adjustment_records.order_by("pk")] == ["SETTING", "DELETE"]
    assert [record.operation for record in staying.adjustment_records.order_by("pk")] == ["SETTING", "REMOVED"]


def test_undo_of_an_undo_gives_no_budget_to_a_customer_who_left(acme, ann, sign_in):
    customers = factories.customers(acme, 2)
    batch, client = factories.reviewed(customers, ann, "100"), sign_in(ann)
    factories.confirmed(batch)
    undo = start_undo(client, f"/operations/{batch.pk}/")
    client.post(undo)
    leave(customers[0])
    again = start_undo(client, undo)
    assert client.post(again).status_code == 302
    assert Budget.objects.get().customer == customers[1]


def test_the_number_of_queries_does_not_grow_with_the_customers(acme, ann):
    counted = []
    for number in (3, 50):
        customers = factories.customers(acme, number)
        factories.budget(customers, ann, "100")
        with CaptureQueriesContext(connection) as captured:
            assert leave(*customers) == number
        counted.append(len(captured))
    assert counted[0] == counted[1]


def test_the_command_disassociates_the_customers_of_a_file(customer, acme, file):
    stays = factories.customer(acme, "stays")
    output = run_command("disassociate_customers", file("/subscriptions/0a,acme-reseller"))
    assert "1 customer disassociated." in output
    assert factories.fresh(customer).disassociated_on
    assert not factories.fresh(stays).disassociated_on


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nobody,acme-reseller", "nobody is not a customer of acme-reseller"),
        ("there,acme-reseller", "there is not a customer of acme-reseller"),
        ("left,acme-reseller", "left is not a customer of acme-reseller"),
        ("there,nobody", "'nobody' is not a reseller or solution provider"),
        (",acme-reseller", "customer_id is missing"),
        ("there,", "partner is missing"),
        ("/subscriptions/0a,acme-reseller", "/subscriptions/0a occurs twice"),
        ("there", "expected 2 cells as in the header, found 1"),
    ],
)
def test_a_bad_line_refuses_the_whole_file_with_its_number_and_reason(customer, acme, borealis, file, line, reason):
    factories.customer(borealis, "there")
    leave(factories.customer(acme, "left"))
    with pytest.raises(CommandError) as error:
        run_command("disassociate_customers", file("/subscriptions/0a,acme-reseller", "", line))
    assert f"leaving.csv, line 4: {reason}" in str(error.value)
    assert not factories.fresh(customer).disassociated_on


def test_the_header_must_name_both_columns(customer, tmp_path):
    path = tmp_path / "leaving.csv"
    path.write_text("customer_id\n/subscriptions/0a\n")
    with pytest.raises(CommandError, match=r"missing columns: partner"):
        run_command("disassociate_customers", path)
