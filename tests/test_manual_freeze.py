"""Freezing and unfreezing by hand, through the actions: kinds, origins, escalation, and customers it does not apply to.

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
from tests.factories import freeze_confirmed, queryset_of
from tests.invariants import check_invariants

pytestmark = pytest.mark.clock("2026-09-20 04:00")

ACCOUNT, RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE
MANUAL, AUTOMATIC = AccountFreezing.MANUAL, AccountFreezing.AUTOMATIC


@pytest.fixture
def unfrozen(acme, ann) -> Customer:
    """A customer with a budget, not frozen."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    return customer


def request_to(operation: str, kind: FreezeKind = ACCOUNT, reason: str = "Unpaid invoice") -> FreezeRequest:
    """A request to FREEZE or UNFREEZE, the agreement accepted."""
    return FreezeRequest(kind, reason, CURRENT_VERSION, freezes=operation == "FREEZE")


def freeze(customer: Customer, operator: User, kind: FreezeKind = ACCOUNT, **more: Any) -> BatchResult:
    return freeze_now(queryset_of([customer]), request_to("FREEZE", kind, **more), operator=operator)


def unfreeze(customer: Customer, operator: User, kind: FreezeKind = ACCOUNT, **more: Any) -> BatchResult:
    return freeze_now(queryset_of([customer]), request_to("UNFREEZE", kind, **more), operator=operator)


def freeze_state(customer: Customer) -> tuple[Any, ...]:
    """Kind, origin and reason of the customer's freeze."""
    current = factories.fresh(customer)
    return current.freeze_kind, current.freeze_origin, current.freeze_reason


def test_a_person_freezes_an_account_with_a_reason(unfrozen, ann):
    result = freeze(unfrozen, ann, reason="Unpaid invoice")
    record = FreezeRecord.objects.latest("pk")
    assert freeze_state(unfrozen) == (ACCOUNT, FreezeOrigin.PARTNER, "Unpaid invoice")
    assert (record.operator, record.reason, record.channel) == (ann, "Unpaid invoice", "CONSOLE")
    assert (record.batch, record.amount) == (result.batch, None)
    assert factories.fresh(unfrozen).state & factories.stored(unfrozen).state & AccountFlags.FROZEN
    check_invariants()


def test_a_person_unfreezes_an_account_with_a_reason(unfrozen, ann, ben):
    freeze(unfrozen, ann)
    unfreeze(unfrozen, ben, reason="Paid")
    record = FreezeRecord.objects.latest("pk")
    assert freeze_state(unfrozen) == ("", "", "")
    assert (record.operation, record.operator, record.reason) == ("UNFREEZE", ben, "Paid")
    check_invariants()


def test_with_its_resources_an_account_has_a_retention_deadline(unfrozen, ann, settings):
    settings.RESOURCE_RETENTION_DAYS = 15
    freeze(unfrozen, ann, RESOURCES)
    assert factories.fresh(unfrozen).retention_until == timezone.now() + timedelta(days=15)
    unfreeze(unfrozen, ann, RESOURCES)
    assert factories.fresh(unfrozen).retention_until is None


def test_the_accepted_agreement_is_recorded_for_the_operation(unfrozen, ann):
    result = freeze(unfrozen, ann, RESOURCES)
    record = AgreementRecord.objects.get()
    assert (record.operation, record.version, record.operator) == (result.batch, CURRENT_VERSION, ann)


def test_resources_are_not_frozen_without_the_agreement(unfrozen, ann):
    with pytest.raises(InvalidRequest, match="Tick the agreement") as error:
        freeze_now(queryset_of([unfrozen]), FreezeRequest(RESOURCES, "Unpaid", freezes=True), operator=ann)
    assert error.value.field == "agreement"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 257])
def test_a_reason_has_1_to_256_characters(unfrozen, ann, reason):
    with pytest.raises(InvalidRequest, match="1 to 256"):
        freeze(unfrozen, ann, reason=reason)
    freeze(unfrozen, ann, reason="x" * 256)


def test_escalation_keeps_origin_since_and_reason(unfrozen, ann, clock):
    factories.report((unfrozen, "2026-09", "100"))
    since = factories.fresh(unfrozen).frozen_since
    clock.shift(timedelta(days=1))
    freeze(unfrozen, ann, RESOURCES)
    current, record = factories.fresh(unfrozen), FreezeRecord.objects.latest("pk")
    assert (current.freeze_kind, current.freeze_origin, current.frozen_since) == (
        RESOURCES,
        FreezeOrigin.BUDGET_EXHAUSTED,
        since,
    )
    assert current.retention_until is not None
    assert current.retention_until > timezone.now()
    assert (record.kind_before, record.kind_after, record.origin_before, record.origin_after) == (
        ACCOUNT,
        RESOURCES,
        FreezeOrigin.BUDGET_EXHAUSTED,
        FreezeOrigin.BUDGET_EXHAUSTED,
    )
    check_invariants()


@pytest.mark.parametrize(
    ("frozen", "operation", "kind", "message"),
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
def test_a_freeze_that_does_not_apply_is_refused_and_writes_nothing(unfrozen, ann, frozen, operation, kind, message):
    if frozen:
        freeze(unfrozen, ann, frozen)
    before = (freeze_state(unfrozen), FreezeRecord.objects.count(), Operation.objects.count())
    with pytest.raises(InvalidRequest, match=message):
        freeze_now(queryset_of([unfrozen]), request_to(operation, kind), operator=ann)
    assert (freeze_state(unfrozen), FreezeRecord.objects.count(), Operation.objects.count()) == before


def test_an_account_cannot_be_unfrozen_while_its_budget_is_exhausted_under_automatic(unfrozen, ann):
    factories.report((unfrozen, "2026-09", "120"))
    with pytest.raises(InvalidRequest, match=r"120\.00 is used of a budget of 100\.00"):
        unfreeze(unfrozen, ann)
    assert factories.fresh(unfrozen).is_frozen


def test_an_account_can_be_unfrozen_while_its_budget_is_exhausted_under_manual(unfrozen, ann):
    factories.budget(unfrozen, ann, "100", account_freezing=MANUAL)
    factories.report((unfrozen, "2026-09", "120"))
    freeze(unfrozen, ann)
    unfreeze(unfrozen, ann)
    assert not factories.fresh(unfrozen).is_frozen


def test_a_freeze_from_association_is_lifted_by_hand_without_a_budget(acme, ann):
    customer = factories.customer(acme)
    unfreeze(customer, ann)
    assert not factories.fresh(customer).is_frozen


def test_customers_it_does_not_apply_to_are_excluded_from_the_review_with_a_reason(acme, ann, unfrozen):
    exhausted, with_resources, by_person, by_association = factories.customers(acme, 4)
    factories.budget([exhausted, with_resources, by_person], ann, "100")
    factories.report((exhausted, "2026-09", "100"))
    freeze(with_resources, ann, RESOURCES)
    freeze(by_person, ann)
    customers = [exhausted, with_resources, by_person, by_association, unfrozen]
    operation = review_freeze(queryset_of(customers), request_to("UNFREEZE"), operator=ann)
    items = {item.customer_id: (item.left_out, item.effect) for item in operation.reviewed.all()}
    assert items == {
        exhausted.pk: (ExclusionReason.USED_UP, FreezeEffect.NONE),
        with_resources.pk: (ExclusionReason.OTHER_KIND, FreezeEffect.NONE),
        by_person.pk: (ExclusionReason.NONE, FreezeEffect.UNFROZEN),
        by_association.pk: (ExclusionReason.NONE, FreezeEffect.UNFROZEN),
        unfrozen.pk: (ExclusionReason.NOT_FROZEN, FreezeEffect.NONE),
    }
    assert freeze_confirmed(operation).unfrozen == 2
    assert set(Customer.objects.frozen()) == {exhausted, with_resources}
    check_invariants()


def test_where_it_applies_to_no_customer_the_error_says_how_many_and_why(acme, ann, unfrozen):
    customers = [unfrozen, *factories.customers(acme, 2)]
    freeze(unfrozen, ann, RESOURCES)
    with pytest.raises(
        InvalidRequest, match=r"can be frozen\. Already frozen in this way: 2\. Frozen in the other way: 1\."
    ):
        review_freeze(queryset_of(customers), request_to("FREEZE"), operator=ann)
    assert not Operation.objects.filter(kind="FREEZE").exclude(confirmation__isnull=False).exists()


def test_an_edited_review_is_applied_once_to_the_included_customers(acme, ann):
    customers = factories.customers(acme, 3)
    first = review_freeze(queryset_of(customers), request_to("UNFREEZE"), operator=ann)
    ids = [customer.customer_id for customer in customers]
    second = edit_review(first, exclude=ids[:2])
    third = edit_review(second, include=ids[:1])
    assert freeze_confirmed(third).unfrozen == 2
    assert [factories.fresh(each).is_frozen for each in customers] == [False, True, False]
    with pytest.raises(OperationFinished, match="already been completed"):
        freeze_confirmed(third)
    with pytest.raises(OperationFinished, match="was edited"):
        freeze_confirmed(first)


def test_a_customer_it_does_not_apply_to_cannot_be_included(acme, ann, unfrozen):
    frozen = factories.customer(acme)
    operation = review_freeze(queryset_of([unfrozen, frozen]), request_to("UNFREEZE"), operator=ann)
    again = edit_review(operation, include=[unfrozen.customer_id])
    assert again.reviewed.get(customer=unfrozen).left_out == ExclusionReason.NOT_FROZEN


def test_a_changed_customer_makes_the_review_stale_and_the_unchanged_can_be_unfrozen(acme, ann, ben, clock):
    customers = factories.customers(acme, 3)
    operation = review_freeze(queryset_of(customers), request_to("UNFREEZE"), operator=ann)
    clock.shift(60)
    unfreeze(customers[0], ben)
    freeze(customers[0], ben, reason="Fraud")
    with pytest.raises(Conflict):
        freeze_confirmed(operation)
    assert not Confirmation.objects.filter(pk=operation.pk).exists()
    result = freeze_confirmed(operation, only_unchanged=True)
    assert (result.unfrozen, result.skipped) == (2, 1)
    assert freeze_state(customers[0])[2] == "Fraud"


def test_a_budget_exhausted_since_makes_the_review_stale_and_one_that_is_only_used_does_not(acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "100", unfreeze=False)
    operation = review_freeze(queryset_of([one, other]), request_to("UNFREEZE"), operator=ann)
    factories.report((one, "2026-09", "99.99"), (other, "2026-09", "100"))
    with pytest.raises(Conflict):
        freeze_confirmed(operation)
    assert freeze_confirmed(operation, only_unchanged=True).unfrozen == 1
    assert [factories.fresh(each).is_frozen for each in (one, other)] == [False, True]


def test_reviewing_again_uses_the_current_states(acme, ann, ben):
    customers = factories.customers(acme, 3)
    operation = review_freeze(queryset_of(customers), request_to("UNFREEZE"), operator=ann)
    operation = edit_review(operation, exclude=[customers[2].customer_id])
    unfreeze(customers[0], ben)
    again = review_kind(operation).review_again()
    assert {row.customer: row.left_out for row in again.reviewed.all()} == {
        customers[0]: ExclusionReason.NOT_FROZEN,
        customers[1]: ExclusionReason.NONE,
    }


def test_freezing_needs_the_grant_and_no_quota(acme, ann, unfrozen, dora):
    give_grant(acme, monthly_quota=factories.MILLION, one_time_quota=None, operator=None)
    freeze(unfrozen, ann)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    with pytest.raises(PermissionRefused, match="Contact your distributor"):
        unfreeze(unfrozen, ann)
    unfreeze(unfrozen, dora)
    assert not factories.fresh(unfrozen).is_frozen


def test_a_grant_revoked_after_the_review_refuses_ok(acme, ann, unfrozen):
    operation = review_freeze(queryset_of([unfrozen]), request_to("FREEZE"), operator=ann)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    with pytest.raises(PermissionRefused):
        freeze_confirmed(operation)
    assert not factories.fresh(unfrozen).is_frozen


def test_a_referral_customer_is_never_frozen(acme, ann):
    referral = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    with pytest.raises(InvalidRequest, match="referral"):
        freeze(referral, ann)
    operation = review_freeze(
        Customer.objects.filter(partner=acme) | queryset_of(factories.customers(acme, 1)),
        request_to("UNFREEZE"),
        operator=ann,
        all_matching=True,
    )
    assert operation.reviewed.get(customer=referral).left_out == ExclusionReason.REFERRAL


def test_of_all_matching_a_distributors_review_excludes_customers_of_granted_resellers(acme, ungranted, dora):
    granted, own = factories.customer(acme), factories.customer(ungranted)
    operation = review_freeze(Customer.objects.all(), request_to("UNFREEZE"), operator=dora, all_matching=True)
    assert operation.reviewed.get(customer=granted).left_out == ExclusionReason.GRANTED
    assert freeze_confirmed(operation).unfrozen == 1
    assert not factories.fresh(own).is_frozen


@pytest.fixture
def frozen_acme(acme: Partner, ann: User) -> Partner:
    """The reseller acme, frozen by its distributor while ann is signed in."""
    Partner.objects.filter(pk=acme.pk).update(status=Partner.Status.FROZEN, status_since=timezone.now())
    return acme


def test_a_frozen_resellers_people_can_freeze_but_not_unfreeze(unfrozen, ann, frozen_acme):
    freeze(unfrozen, ann)
    with pytest.raises(PermissionRefused, match="distributor Dora Distribution has frozen your company"):
        unfreeze(unfrozen, ann)


def test_a_frozen_resellers_people_can_set_budgets_but_not_unfreeze_with_them(acme, ann, frozen_acme):
    customer = factories.customer(acme)
    with pytest.raises(PermissionRefused, match="has frozen your company"):
        factories.budget(customer, ann, "100", unfreeze=True)
    factories.budget(customer, ann, "100", unfreeze=False)
    assert factories.fresh(customer).is_frozen


def test_a_reseller_frozen_after_the_review_cannot_confirm_unfreezing(acme, ann, request):
    customers = factories.customers(acme, 2)
    unfreezing = review_freeze(queryset_of(customers), request_to("UNFREEZE"), operator=ann)
    setting_budgets = factories.reviewed(customers, ann, "100")
    request.getfixturevalue("frozen_acme")
    with pytest.raises(PermissionRefused):
        freeze_confirmed(unfreezing)
    with pytest.raises(PermissionRefused):
        factories.confirmed(setting_budgets)
    assert Customer.objects.frozen().count() == 2


def test_its_distributor_unfreezes_a_frozen_resellers_customers(acme, dora, frozen_acme):
    customer = factories.customer(acme)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    unfreeze(customer, dora)
    assert not factories.fresh(customer).is_frozen
