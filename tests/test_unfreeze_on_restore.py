"""Unfreeze when the monthly budget restores: a choice of each budget, and what a month restore does with it.

See rule 3.11 (docs/rules.md).
"""

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
def begin_october(clock):
    """Moves the clock to the first moment of October and restores budgets."""

    def begin() -> None:
        clock.move_to("2026-09-30T16:00:00Z")
        current_month()

    return begin


def frozen_by_budget(acme: Any, ann: Any, **terms: Any) -> Customer:
    """A customer frozen in September because its monthly budget of 100 was exhausted."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, **{"unfreeze_on_restore": True, **terms})
    factories.report((customer, "2026-09", "120"))
    assert factories.fresh(customer).is_frozen
    return customer


def unfreezes_on_restore(customer: Customer) -> bool:
    return Budget.objects.get(customer=customer).unfreeze_on_restore


@pytest.mark.parametrize("policy", [AUTOMATIC, WITH_RESOURCES])
def test_a_freeze_by_the_budget_is_lifted_at_restore_if_that_was_chosen(acme, ann, begin_october, policy):
    lifted = frozen_by_budget(acme, ann, account_freezing=policy)
    stays = frozen_by_budget(acme, ann, account_freezing=policy, unfreeze_on_restore=False)
    begin_october()
    assert [factories.fresh(each).is_frozen for each in (lifted, stays)] == [False, True]
    record = FreezeRecord.objects.latest("pk")
    assert (record.customer, record.operation, record.operator_name) == (lifted, "UNFREEZE", "system")
    assert (record.counted_from, record.amount, record.used) == (202610, 100, 0)
    check_invariants()


def test_accounts_frozen_by_a_person_or_since_association_stay_frozen_at_restore(acme, ann, begin_october):
    by_person, since_association = factories.customers(acme, 2)
    factories.budget([by_person, since_association], ann, "100", MONTHLY, unfreeze=False, unfreeze_on_restore=True)
    factories.unfreeze(by_person, ann)
    factories.freeze(by_person, ann)
    assert factories.fresh(by_person).freeze_origin == FreezeOrigin.PARTNER
    assert factories.fresh(since_association).freeze_origin == FreezeOrigin.ASSOCIATION
    factories.report((by_person, "2026-09", "120"), (since_association, "2026-09", "120"))
    begin_october()
    assert Customer.objects.frozen().count() == 2


def test_the_restore_unfreezes_first_and_then_an_exhausted_new_month_freezes(acme, ann, begin_october):
    customer = frozen_by_budget(acme, ann)
    factories.report((customer, "2026-10", "150"))
    since = factories.fresh(customer).frozen_since
    begin_october()
    current = factories.fresh(customer)
    assert (current.freeze_kind, current.freeze_origin) == (FreezeKind.ACCOUNT, FreezeOrigin.BUDGET_EXHAUSTED)
    assert current.frozen_since != since
    frozen = FreezeRecord.objects.latest("pk")
    assert (frozen.operation, frozen.used, frozen.counted_from) == ("FREEZE", 150, 202610)
    check_invariants()


def test_months_skipped_are_skipped(acme, ann, clock):
    customer = frozen_by_budget(acme, ann)
    factories.report((customer, "2026-10", "150"))
    clock.move_to("2026-12-05T00:00:00Z")
    current_month()
    assert not factories.fresh(customer).is_frozen
    assert FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE").count() == 2


def test_the_first_report_of_the_month_may_freeze_again(acme, ann, begin_october):
    customer = frozen_by_budget(acme, ann)
    begin_october()
    factories.report((customer, "2026-10", "100"))
    assert factories.fresh(customer).is_frozen
    assert unfreezes_on_restore(customer)


@pytest.mark.parametrize(("budget_type", "policy"), [(ONE_TIME, AUTOMATIC), (MONTHLY, MANUAL), (ONE_TIME, MANUAL)])
def test_only_a_monthly_budget_with_automatic_freezing_has_the_choice(acme, ann, budget_type, policy):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", budget_type, policy, unfreeze_on_restore=True)
    assert not unfreezes_on_restore(customer)


def test_the_choice_is_lost_with_a_change_of_type_and_does_not_come_back(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    for budget_type in (ONE_TIME, MONTHLY):
        factories.budget(customer, ann, "100", budget_type)
    assert not unfreezes_on_restore(customer)


def test_the_choice_is_kept_where_it_is_not_given_and_changing_it_leaves_a_record(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    assert factories.budget(customer, ann, "200", MONTHLY).changed == 1
    assert unfreezes_on_restore(customer)
    assert factories.budget(customer, ann, "200", MONTHLY, unfreeze_on_restore=True).changed == 0
    assert factories.budget(customer, ann, "200", MONTHLY, unfreeze_on_restore=False).changed == 1
    record = AdjustmentRecord.objects.latest("pk")
    assert (record.unfreeze_on_restore_before, record.unfreeze_on_restore_after) == (True, False)


def test_undo_restores_the_choice(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    batch = factories.budget(customer, ann, "100", ONE_TIME).batch
    factories.confirmed(review_undo(batch, operator=ann, unfreeze=False))
    assert (factories.stored(customer).budget_type, unfreezes_on_restore(customer)) == (MONTHLY, True)


def test_a_freeze_that_a_person_escalated_is_not_lifted_at_restore(acme, ann, sign_in, begin_october):
    lifted, stays = frozen_by_budget(acme, ann), frozen_by_budget(acme, ann)
    freeze = {"kind": "ACCOUNT_AND_RESOURCE", "reason": "Data theft", "agreement": "1"}
    sign_in(ann).post("/customers/freeze/", {"customer": stays.customer_id, **freeze})
    assert factories.fresh(stays).freeze_kind == FreezeKind.ACCOUNT_AND_RESOURCE
    begin_october()
    assert [factories.fresh(each).is_frozen for each in (lifted, stays)] == [False, True]
