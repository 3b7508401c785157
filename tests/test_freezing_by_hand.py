"""Freezing and unfreezing by hand: kinds, origins, escalation, what does not apply.

See rules 4.2 to 4.7, 3.9 (docs/rules.md).
"""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now, review_freeze
from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.set_budgets import BatchResult
from customers.agreement import CURRENT_VERSION
from customers.models import (
    AccountFlags,
    AccountFreezing,
    AgreementRecord,
    Customer,
    ExclusionReason,
    FreezeEffect,
    FreezeKind,
    FreezeOrigin,
    FreezeRecord,
)
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import Confirmation, Operation, Partner, User
from tests import factories
from tests.invariants import check_invariants

pytestmark = pytest.mark.clock("2026-09-20 04:00")

ACCOUNT, RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE
MANUAL, AUTOMATIC = AccountFreezing.MANUAL, AccountFreezing.AUTOMATIC


@pytest.fixture
def free(acme, ann) -> Customer:
    """A customer with a budget, not frozen."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    return customer


def asked(act: str, kind: FreezeKind = ACCOUNT, reason: str = "Unpaid invoice") -> FreezeRequest:
    return FreezeRequest(kind, reason, CURRENT_VERSION, freezes=act == "FREEZE")


def all_of(customers: Any) -> Any:
    return Customer.objects.filter(pk__in=[each.pk for each in customers])


def freeze(customer: Customer, operator: User, kind: FreezeKind = ACCOUNT, **more: Any) -> BatchResult:
    return freeze_now(all_of([customer]), asked("FREEZE", kind, **more), operator=operator)


def unfreeze(customer: Customer, operator: User, kind: FreezeKind = ACCOUNT, **more: Any) -> BatchResult:
    return freeze_now(all_of([customer]), asked("UNFREEZE", kind, **more), operator=operator)


def state(customer: Customer) -> tuple[Any, ...]:
    now = factories.fresh(customer)
    return now.freeze_kind, now.freeze_origin, now.freeze_reason


def ok(operation: Operation, **how: Any) -> BatchResult:
    return factories.freeze_confirmed(operation, **how)


def test_a_person_freezes_an_account_with_a_reason(free, ann):
    outcome = freeze(free, ann, reason="Unpaid invoice")
    record = FreezeRecord.objects.latest("pk")
    assert state(free) == (ACCOUNT, FreezeOrigin.PARTNER, "Unpaid invoice")
    assert (record.operator, record.reason, record.channel) == (ann, "Unpaid invoice", "CONSOLE")
    assert (record.batch, record.amount) == (outcome.batch, None)
    assert factories.fresh(free).state & factories.stored(free).state & AccountFlags.FROZEN
    check_invariants()


def test_a_person_unfreezes_it_with_a_reason(free, ann, ben):
    freeze(free, ann)
    unfreeze(free, ben, reason="Paid")
    record = FreezeRecord.objects.latest("pk")
    assert state(free) == ("", "", "")
    assert (record.operation, record.operator, record.reason) == ("UNFREEZE", ben, "Paid")
    check_invariants()


def test_with_its_resources_an_account_has_a_retention_deadline(free, ann, settings):
    settings.RESOURCE_RETENTION_DAYS = 15
    freeze(free, ann, RESOURCES)
    assert factories.fresh(free).retention_until == timezone.now() + timedelta(days=15)
    unfreeze(free, ann, RESOURCES)
    assert factories.fresh(free).retention_until is None


def test_what_was_agreed_to_is_recorded_for_the_operation(free, ann):
    outcome = freeze(free, ann, RESOURCES)
    record = AgreementRecord.objects.get()
    assert (record.operation, record.version, record.operator) == (outcome.batch, CURRENT_VERSION, ann)


def test_resources_are_not_frozen_without_the_agreement(free, ann):
    with pytest.raises(InvalidRequest, match="Tick the agreement") as refused:
        freeze_now(all_of([free]), FreezeRequest(RESOURCES, "Unpaid", freezes=True), operator=ann)
    assert refused.value.field == "agreement"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 257])
def test_a_reason_has_1_to_256_characters(free, ann, reason):
    with pytest.raises(InvalidRequest, match="1 to 256"):
        freeze(free, ann, reason=reason)
    freeze(free, ann, reason="x" * 256)


def test_escalation_keeps_origin_since_and_reason(free, ann, clock):
    factories.report((free, "2026-09", "100"))
    since = factories.fresh(free).frozen_since
    clock.shift(timedelta(days=1))
    freeze(free, ann, RESOURCES)
    now, record = factories.fresh(free), FreezeRecord.objects.latest("pk")
    assert (now.freeze_kind, now.freeze_origin, now.frozen_since) == (RESOURCES, FreezeOrigin.BUDGET_EXHAUSTED, since)
    assert now.retention_until is not None
    assert now.retention_until > timezone.now()
    assert (record.kind_before, record.kind_after, record.origin_before, record.origin_after) == (
        ACCOUNT,
        RESOURCES,
        FreezeOrigin.BUDGET_EXHAUSTED,
        FreezeOrigin.BUDGET_EXHAUSTED,
    )
    check_invariants()


@pytest.mark.parametrize(
    ("stands", "act", "kind", "told"),
    [
        (None, "UNFREEZE", ACCOUNT, "is not frozen"),
        (None, "UNFREEZE", RESOURCES, "is not frozen"),
        (ACCOUNT, "FREEZE", ACCOUNT, "is already frozen in this way"),
        (RESOURCES, "FREEZE", RESOURCES, "is already frozen in this way"),
        (RESOURCES, "FREEZE", ACCOUNT, "is already frozen with its resources"),
        (ACCOUNT, "UNFREEZE", RESOURCES, "is frozen in another way"),
        (RESOURCES, "UNFREEZE", ACCOUNT, "is frozen in another way"),
    ],
)
def test_what_does_not_apply_is_told_and_writes_nothing(free, ann, stands, act, kind, told):
    if stands:
        freeze(free, ann, stands)
    before = (state(free), FreezeRecord.objects.count(), Operation.objects.count())
    with pytest.raises(InvalidRequest, match=told):
        freeze_now(all_of([free]), asked(act, kind), operator=ann)
    assert (state(free), FreezeRecord.objects.count(), Operation.objects.count()) == before


def test_no_unfreezing_while_the_budget_is_used_up_under_automatic_freezing(free, ann):
    factories.report((free, "2026-09", "120"))
    with pytest.raises(InvalidRequest, match=r"120\.00 is used of a budget of 100\.00"):
        unfreeze(free, ann)
    assert factories.fresh(free).is_frozen


def test_under_manual_whoever_has_used_it_up_can_be_unfrozen(free, ann):
    factories.budget(free, ann, "100", account_freezing=MANUAL)
    factories.report((free, "2026-09", "120"))
    freeze(free, ann)
    unfreeze(free, ann)
    assert not factories.fresh(free).is_frozen


def test_a_freeze_from_association_is_lifted_by_hand_without_a_budget(acme, ann):
    customer = factories.customer(acme)
    unfreeze(customer, ann)
    assert not factories.fresh(customer).is_frozen


def test_of_many_those_to_whom_it_does_not_apply_are_left_out_by_name_and_reason(acme, ann, free):
    used_up, with_resources, fine, never = factories.customers(acme, 4)
    factories.budget([used_up, with_resources, fine], ann, "100")
    factories.report((used_up, "2026-09", "100"))
    freeze(with_resources, ann, RESOURCES)
    freeze(fine, ann)
    operation = review_freeze(all_of([used_up, with_resources, fine, never, free]), asked("UNFREEZE"), operator=ann)
    said = {row.customer_id: (row.left_out, row.effect) for row in operation.reviewed.all()}
    assert said == {
        used_up.pk: (ExclusionReason.USED_UP, FreezeEffect.NONE),
        with_resources.pk: (ExclusionReason.OTHER_KIND, FreezeEffect.NONE),
        fine.pk: (ExclusionReason.NONE, FreezeEffect.UNFROZEN),
        never.pk: (ExclusionReason.NONE, FreezeEffect.UNFROZEN),
        free.pk: (ExclusionReason.NOT_FROZEN, FreezeEffect.NONE),
    }
    assert ok(operation).unfrozen == 2
    assert set(Customer.objects.frozen()) == {used_up, with_resources}
    check_invariants()


def test_where_it_applies_to_nobody_the_review_says_how_many_and_why(acme, ann, free):
    customers = [free, *factories.customers(acme, 2)]
    freeze(free, ann, RESOURCES)
    with pytest.raises(
        InvalidRequest, match=r"can be frozen: already frozen in this way \(2\), frozen in the other way \(1\)"
    ):
        review_freeze(all_of(customers), asked("FREEZE"), operator=ann)
    assert not Operation.objects.filter(kind="FREEZE").exclude(confirmation__isnull=False).exists()


def test_left_out_and_taken_in_again_it_is_done_to_the_others_once(acme, ann):
    customers = factories.customers(acme, 3)
    first = review_freeze(all_of(customers), asked("UNFREEZE"), operator=ann)
    ids = [customer.customer_id for customer in customers]
    second = edit_review(first, leave_out=ids[:2])
    third = edit_review(second, take_in=ids[:1])
    assert ok(third).unfrozen == 2
    assert [factories.fresh(each).is_frozen for each in customers] == [False, True, False]
    with pytest.raises(OperationFinished, match="already been completed"):
        ok(third)
    with pytest.raises(OperationFinished, match="was edited"):
        ok(first)


def test_who_is_left_out_for_a_reason_is_not_taken_in(acme, ann, free):
    frozen = factories.customer(acme)
    operation = review_freeze(all_of([free, frozen]), asked("UNFREEZE"), operator=ann)
    again = edit_review(operation, take_in=[free.customer_id])
    assert again.reviewed.get(customer=free).left_out == ExclusionReason.NOT_FROZEN


def test_who_is_not_as_reviewed_any_more_makes_it_stale_and_the_unchanged_can_be_done(acme, ann, ben, clock):
    customers = factories.customers(acme, 3)
    operation = review_freeze(all_of(customers), asked("UNFREEZE"), operator=ann)
    clock.shift(60)
    unfreeze(customers[0], ben)
    freeze(customers[0], ben, reason="Fraud")
    with pytest.raises(Conflict):
        ok(operation)
    assert not Confirmation.objects.filter(pk=operation.pk).exists()
    outcome = ok(operation, only_unchanged=True)
    assert (outcome.unfrozen, outcome.skipped) == (2, 1)
    assert state(customers[0])[2] == "Fraud"


def test_a_budget_used_up_since_makes_unfreezing_stale_and_one_that_is_only_used_does_not(acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "100", unfreeze=False)
    operation = review_freeze(all_of([one, other]), asked("UNFREEZE"), operator=ann)
    factories.report((one, "2026-09", "99.99"), (other, "2026-09", "100"))
    with pytest.raises(Conflict):
        ok(operation)
    assert ok(operation, only_unchanged=True).unfrozen == 1
    assert [factories.fresh(each).is_frozen for each in (one, other)] == [False, True]


def test_reviewed_again_it_is_about_the_states_of_now(acme, ann, ben):
    customers = factories.customers(acme, 3)
    operation = review_freeze(all_of(customers), asked("UNFREEZE"), operator=ann)
    operation = edit_review(operation, leave_out=[customers[2].customer_id])
    unfreeze(customers[0], ben)
    again = review_kind(operation).review_again()
    assert {row.customer: row.left_out for row in again.reviewed.all()} == {
        customers[0]: ExclusionReason.NOT_FROZEN,
        customers[1]: ExclusionReason.NONE,
    }


def test_no_quota_is_asked_for_and_without_a_grant_nobody_freezes(acme, ann, free, dora):
    give_grant(acme, monthly_quota=factories.MILLION, one_time_quota=None, operator=None)
    freeze(free, ann)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    with pytest.raises(PermissionRefused, match="Contact your distributor"):
        unfreeze(free, ann)
    unfreeze(free, dora)
    assert not factories.fresh(free).is_frozen


def test_a_grant_revoked_after_the_review_ends_it(acme, ann, free):
    operation = review_freeze(all_of([free]), asked("FREEZE"), operator=ann)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    with pytest.raises(PermissionRefused):
        ok(operation)
    assert not factories.fresh(free).is_frozen


def test_a_referral_customer_is_never_frozen(acme, ann):
    referral = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    with pytest.raises(InvalidRequest, match="referral"):
        freeze(referral, ann)
    operation = review_freeze(
        Customer.objects.filter(partner=acme) | all_of(factories.customers(acme, 1)),
        asked("UNFREEZE"),
        operator=ann,
        all_matching=True,
    )
    assert operation.reviewed.get(customer=referral).left_out == ExclusionReason.REFERRAL


def test_of_all_that_match_a_distributor_leaves_out_whom_a_grant_was_given_for(acme, ungranted, dora):
    granted, own = factories.customer(acme), factories.customer(ungranted)
    operation = review_freeze(Customer.objects.all(), asked("UNFREEZE"), operator=dora, all_matching=True)
    assert operation.reviewed.get(customer=granted).left_out == ExclusionReason.GRANTED
    assert ok(operation).unfrozen == 1
    assert not factories.fresh(own).is_frozen


@pytest.fixture
def frozen_acme(acme: Partner, ann: User) -> Partner:
    """Frozen by its distributor, after ann signed in."""
    Partner.objects.filter(pk=acme.pk).update(status=Partner.Status.FROZEN, status_since=timezone.now())
    return acme


def test_a_frozen_resellers_people_freeze_and_do_not_unfreeze(free, ann, frozen_acme):
    freeze(free, ann)
    with pytest.raises(PermissionRefused, match="distributor Dora Distribution has frozen your company"):
        unfreeze(free, ann)


def test_a_frozen_resellers_people_set_budgets_without_unfreezing(acme, ann, frozen_acme):
    customer = factories.customer(acme)
    with pytest.raises(PermissionRefused, match="has frozen your company"):
        factories.budget(customer, ann, "100", unfreeze=True)
    factories.budget(customer, ann, "100", unfreeze=False)
    assert factories.fresh(customer).is_frozen


def test_a_reseller_frozen_after_the_review_unfreezes_nobody(acme, ann, request):
    customers = factories.customers(acme, 2)
    by_hand = review_freeze(all_of(customers), asked("UNFREEZE"), operator=ann)
    batch = factories.reviewed(customers, ann, "100")
    request.getfixturevalue("frozen_acme")
    for act in (lambda: ok(by_hand), lambda: factories.confirmed(batch)):
        with pytest.raises(PermissionRefused):
            act()
    assert Customer.objects.frozen().count() == 2


def test_its_distributor_unfreezes_a_frozen_resellers_customers(acme, dora, frozen_acme):
    customer = factories.customer(acme)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    unfreeze(customer, dora)
    assert not factories.fresh(customer).is_frozen
