"""Unfreeze when the monthly budget restores, chosen budget by budget; see rule 3.11 (docs/rules.md)."""

from typing import Any

import pytest

from budgets.actions.billing_month import current_month
from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.models import BudgetType
from tests import factories
from tests.invariants import check_invariants

pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME
AUTOMATIC, MANUAL = AccountFreezing.AUTOMATIC, AccountFreezing.MANUAL
WITH_RESOURCES = AccountFreezing.AUTOMATIC_WITH_RESOURCES


@pytest.fixture
def october(clock):
    def comes() -> None:
        clock.move_to("2026-09-30T16:00:00Z")
        current_month()

    return comes


def used_up(acme: Any, ann: Any, **terms: Any) -> Customer:
    """A customer frozen in September since its monthly budget of 100 was used up."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, **{"unfreeze_on_restore": True, **terms})
    factories.report((customer, "2026-09", "120"))
    assert factories.fresh(customer).is_frozen
    return customer


def chosen(customer: Customer) -> bool:
    return Budget.objects.get(customer=customer).unfreeze_on_restore


@pytest.mark.parametrize("policy", [AUTOMATIC, WITH_RESOURCES])
def test_the_freeze_of_a_used_up_budget_is_lifted_at_restore_if_that_was_chosen(acme, ann, october, policy):
    lifted = used_up(acme, ann, account_freezing=policy)
    stays = used_up(acme, ann, account_freezing=policy, unfreeze_on_restore=False)
    october()
    assert [factories.fresh(each).is_frozen for each in (lifted, stays)] == [False, True]
    record = FreezeRecord.objects.latest("pk")
    assert (record.customer, record.operation, record.operator_name) == (lifted, "UNFREEZE", "system")
    assert (record.counted_from, record.amount, record.used) == (202610, 100, 0)
    check_invariants()


def test_who_was_frozen_by_a_person_or_since_association_stays_frozen(acme, ann, october):
    by_person, since_association = factories.customers(acme, 2)
    factories.budget([by_person, since_association], ann, "100", MONTHLY, unfreeze=False, unfreeze_on_restore=True)
    assert factories.fresh(by_person).freeze_origin == FreezeOrigin.ASSOCIATION
    factories.report((by_person, "2026-09", "120"), (since_association, "2026-09", "120"))
    october()
    assert Customer.objects.frozen().count() == 2


def test_restore_comes_first_then_what_the_new_month_has_used_up_freezes(acme, ann, october):
    customer = used_up(acme, ann)
    factories.report((customer, "2026-10", "150"))
    since = factories.fresh(customer).frozen_since
    october()
    now = factories.fresh(customer)
    assert (now.freeze_kind, now.freeze_origin) == (FreezeKind.ACCOUNT, FreezeOrigin.BUDGET_EXHAUSTED)
    assert now.frozen_since != since
    frozen = FreezeRecord.objects.latest("pk")
    assert (frozen.operation, frozen.used, frozen.counted_from) == ("FREEZE", 150, 202610)
    check_invariants()


def test_months_skipped_are_skipped(acme, ann, clock):
    customer = used_up(acme, ann)
    factories.report((customer, "2026-10", "150"))
    clock.move_to("2026-12-05T00:00:00Z")
    current_month()
    assert not factories.fresh(customer).is_frozen
    assert FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE").count() == 2


def test_the_first_report_of_the_month_may_freeze_again(acme, ann, october):
    customer = used_up(acme, ann)
    october()
    factories.report((customer, "2026-10", "100"))
    assert factories.fresh(customer).is_frozen
    assert chosen(customer)


@pytest.mark.parametrize(("budget_type", "policy"), [(ONE_TIME, AUTOMATIC), (MONTHLY, MANUAL), (ONE_TIME, MANUAL)])
def test_only_a_monthly_budget_with_automatic_freezing_has_the_choice(acme, ann, budget_type, policy):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", budget_type, policy, unfreeze_on_restore=True)
    assert not chosen(customer)


def test_the_choice_goes_with_the_type_and_does_not_come_back(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    for budget_type in (ONE_TIME, MONTHLY):
        factories.budget(customer, ann, "100", budget_type)
    assert not chosen(customer)


def test_unsaid_it_stays_as_it_is_and_it_alone_is_a_change_with_a_record(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    assert factories.budget(customer, ann, "200", MONTHLY).changed == 1
    assert chosen(customer)
    assert factories.budget(customer, ann, "200", MONTHLY, unfreeze_on_restore=True).changed == 0
    assert factories.budget(customer, ann, "200", MONTHLY, unfreeze_on_restore=False).changed == 1
    record = AdjustmentRecord.objects.latest("pk")
    assert (record.unfreeze_on_restore_before, record.unfreeze_on_restore_after) == (True, False)


def test_an_undo_brings_the_choice_back(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    batch = factories.budget(customer, ann, "100", ONE_TIME).batch
    factories.confirmed(review_undo(batch, operator=ann, unfreeze=False))
    assert (factories.stored(customer).budget_type, chosen(customer)) == (MONTHLY, True)


def test_what_a_person_made_worse_no_restore_lifts(acme, ann, sign_in, october):
    lifted, stays = used_up(acme, ann), used_up(acme, ann)
    kind = {"kind": "ACCOUNT_AND_RESOURCE", "reason": "Data theft", "agreement": "1"}
    sign_in(ann).post("/customers/freeze/", {"customer": stays.customer_id, **kind})
    assert factories.fresh(stays).freeze_kind == FreezeKind.ACCOUNT_AND_RESOURCE
    october()
    assert [factories.fresh(each).is_frozen for each in (lifted, stays)] == [False, True]
