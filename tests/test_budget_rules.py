"""The rules of budgets, one by one, through the actions.

See section 3 (docs/rules.md) and rule 5.3 (docs/rules.md).
"""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.actions.billing_month import current_month
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.models import BudgetType, Grant
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME
AUTOMATIC, MANUAL = AccountFreezing.AUTOMATIC, AccountFreezing.MANUAL


@pytest.fixture
def customer(acme):
    return factories.customer(acme)


def test_a_new_budget_replaces_the_former(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME, AUTOMATIC)
    factories.budget(customer, ann, "50", MONTHLY, MANUAL)
    assert factories.terms(customer) == (MONTHLY, Decimal("50.00"), MANUAL)


def test_setting_the_same_values_writes_nothing(customer, ann):
    factories.budget(customer, ann, "100")
    records = AdjustmentRecord.objects.count()
    result = factories.budget(customer, ann, "100.00")
    assert result.changed == 0
    assert AdjustmentRecord.objects.count() == records


def test_without_a_policy_the_first_budget_is_manual_and_a_later_one_keeps_its_policy(customer, ann):
    factories.budget(customer, ann, "100", account_freezing=None)
    assert factories.stored(customer).account_freezing == MANUAL
    factories.budget(customer, ann, "100", account_freezing=AUTOMATIC)
    factories.budget(customer, ann, "200", account_freezing=None)
    assert factories.stored(customer).account_freezing == AUTOMATIC


def test_another_one_time_amount_keeps_counted_from(customer, ann, clock):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30"))
    clock.move_to("2026-10-15T04:00:00Z", tick=False)
    factories.report((customer, "2026-10", "20"))
    factories.budget(customer, ann, "60", ONE_TIME)
    assert (factories.stored(customer).counted_from, factories.stored(customer).used) == (202609, Decimal("50.00"))


def test_one_time_to_monthly_counts_the_month_to_date_and_back_forgets_earlier_months(customer, ann, clock):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30"))
    clock.move_to("2026-10-15T04:00:00Z", tick=False)
    factories.report((customer, "2026-10", "20"))
    factories.budget(customer, ann, "100", MONTHLY)
    assert factories.stored(customer).used == Decimal("20.00")
    factories.budget(customer, ann, "100", ONE_TIME)
    assert (factories.stored(customer).counted_from, factories.stored(customer).used) == (202610, Decimal("20.00"))


def test_exhaustion_is_decided_in_cents_not_in_floats_or_percents(customer, ann):
    factories.budget(customer, ann, "0.30")
    factories.report((customer, "2026-09", "0.10"), (customer, "2026-08", "9"))
    assert not factories.fresh(customer).is_frozen
    factories.report((customer, "2026-09", "0.30"))
    assert factories.fresh(customer).is_frozen


def test_99_99_percent_is_not_exhausted(customer, ann):
    factories.budget(customer, ann, "1000000.00", MONTHLY)
    factories.report((customer, "2026-09", "999999.99"))
    assert (factories.stored(customer).usage, factories.stored(customer).level) == (99, 90)
    assert not factories.fresh(customer).is_frozen


def test_an_amount_at_what_is_used_freezes_immediately_under_automatic(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME, MANUAL)
    factories.report((customer, "2026-09", "80"))
    result = factories.budget(customer, ann, "80", ONE_TIME, AUTOMATIC, unfreeze=False)
    assert result.frozen == 1
    assert factories.fresh(customer).freeze_origin == FreezeOrigin.BUDGET_EXHAUSTED


def test_an_exhausted_budget_under_manual_freezes_nothing(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME, MANUAL)
    factories.report((customer, "2026-09", "500"))
    assert not factories.fresh(customer).is_frozen


def test_raising_the_amount_never_unfreezes_by_itself(customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "100"))
    factories.budget(customer, ann, "500", unfreeze=False)
    assert factories.fresh(customer).is_frozen
    factories.budget(customer, ann, "500", unfreeze=True)
    assert not factories.fresh(customer).is_frozen


def test_a_refund_lowers_used_and_unfreezes_nothing(customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "100"), at=factories.moment("2026-09-19 00:00"))
    factories.report((customer, "2026-09", "-5"), at=factories.moment("2026-09-19 01:00"))
    assert factories.stored(customer).used == Decimal("-5.00")
    assert factories.fresh(customer).is_frozen


def test_an_account_cannot_be_unfrozen_while_its_budget_is_exhausted_under_automatic(customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "100"))
    with pytest.raises(InvalidRequest, match=r"100\.00 is used of a budget of 90\.00") as error:
        factories.budget(customer, ann, "90", unfreeze=True)
    assert error.value.field == "unfreeze_now"
    assert factories.stored(customer).amount == Decimal("100.00")


def test_in_a_batch_exhausted_customers_stay_frozen_and_the_others_are_unfrozen(acme, ann):
    one, other = factories.customers(acme, 2)
    factories.report((one, "2026-09", "100"))
    result = factories.budget([one, other], ann, "50", unfreeze=True)
    assert (result.unfrozen, result.stay_frozen) == (1, 1)
    assert factories.fresh(one).freeze_origin == FreezeOrigin.ASSOCIATION
    assert not factories.fresh(other).is_frozen


def test_an_account_already_frozen_keeps_its_origin_and_escalates_with_resources(customer, ann):
    factories.report((customer, "2026-09", "100"))
    factories.budget(customer, ann, "50", ONE_TIME, AccountFreezing.AUTOMATIC_WITH_RESOURCES, unfreeze=False)
    frozen = factories.fresh(customer)
    assert (frozen.freeze_kind, frozen.freeze_origin) == (FreezeKind.ACCOUNT_AND_RESOURCE, FreezeOrigin.ASSOCIATION)


def test_a_late_report_counts_where_the_budget_covers_its_month(acme, ann, clock):
    one_time, monthly = factories.customers(acme, 2)
    factories.budget(one_time, ann, "100", ONE_TIME)
    factories.budget(monthly, ann, "100", MONTHLY)
    clock.move_to("2026-10-03T04:00:00Z", tick=False)
    factories.report((one_time, "2026-09", "40"), (monthly, "2026-09", "400"))
    assert factories.stored(one_time).used == Decimal("40.00")
    assert factories.stored(monthly).used == Decimal("0.00")
    assert not factories.fresh(monthly).is_frozen


def test_expenditure_of_a_future_month_counts_when_that_month_begins(acme, ann, clock):
    one_time, monthly = factories.customers(acme, 2)
    for customer, budget_type in ((one_time, ONE_TIME), (monthly, MONTHLY)):
        factories.budget(customer, ann, "100", budget_type)
        factories.report((customer, "2026-09", "10"), (customer, "2026-10", "20"), (customer, "2026-11", "40"))
        assert factories.stored(customer).used == Decimal("10.00")
    clock.move_to("2026-10-01T00:00:00Z", tick=False)
    current_month()
    assert (factories.stored(one_time).used, factories.stored(monthly).used) == (Decimal("30.00"), Decimal("20.00"))


def test_the_level_is_the_highest_mark_reached_and_falls_with_a_refund(customer, ann, clock):
    factories.budget(customer, ann, "100", account_freezing=MANUAL)
    levels = []
    for total in ("74.99", "75", "89.99", "90", "99.99", "100", "-5"):
        clock.shift(60)
        factories.report((customer, "2026-09", total))
        levels.append(factories.stored(customer).level)
    assert levels == [0, 75, 75, 90, 90, 100, 0]


def test_the_month_turns_at_midnight_in_the_billing_time_zone(customer, ann, clock):
    factories.budget(customer, ann, "100", MONTHLY)
    clock.move_to("2026-09-30T15:59:59Z", tick=False)
    assert current_month() == 202609
    clock.move_to("2026-09-30T16:00:00Z", tick=False)
    assert current_month() == 202610
    assert factories.stored(customer).counted_from == 202610


def test_a_month_restore_lifts_no_freeze(customer, ann, clock):
    factories.budget(customer, ann, "100", MONTHLY)
    factories.report((customer, "2026-09", "100"))
    clock.move_to("2026-10-03T04:00:00Z", tick=False)
    assert current_month() == 202610
    assert factories.fresh(customer).is_frozen
    assert factories.stored(customer).used == Decimal("0.00")


def test_the_quota_limits_the_sum_of_full_amounts_and_the_error_names_the_figures(acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "900000", ONE_TIME)
    with pytest.raises(InvalidRequest, match=r"1,000,000\.00 and 900,000\.00 .* to 1,000,000\.01"):
        factories.budget(other, ann, "100000.01", ONE_TIME)
    factories.budget(other, ann, "100000", ONE_TIME)
    assert Grant.objects.get(partner=acme).one_time_allocated == Decimal("1000000.00")


def test_a_change_of_type_moves_the_amount_from_pool_to_pool(customer, acme, ann):
    factories.budget(customer, ann, "300", ONE_TIME)
    factories.budget(customer, ann, "400", MONTHLY)
    grant = Grant.objects.get(partner=acme)
    assert (grant.one_time_allocated, grant.monthly_allocated) == (Decimal("0.00"), Decimal("400.00"))


def test_an_over_allocated_pool_may_shrink_but_not_grow(customer, acme, ann):
    factories.budget(customer, ann, "500", ONE_TIME)
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal("100.00"), operator=None)
    factories.budget(customer, ann, "400", ONE_TIME)
    with pytest.raises(InvalidRequest, match="one-time budget quota"):
        factories.budget(customer, ann, "401", ONE_TIME)


def test_a_type_without_a_quota_is_refused(customer, acme, ann):
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal("100.00"), operator=None)
    with pytest.raises(InvalidRequest, match="monthly budget quota") as error:
        factories.budget(customer, ann, "1", MONTHLY)
    assert error.value.status == 422


def test_with_a_grant_only_the_reseller_acts_and_after_its_revocation_only_the_distributor(customer, acme, ann, dora):
    with pytest.raises(PermissionRefused):
        factories.budget(customer, dora, "1")
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    with pytest.raises(PermissionRefused, match="Contact your distributor"):
        factories.budget(customer, ann, "1")
    factories.budget(customer, dora, "2000000000", ONE_TIME)
    assert factories.stored(customer).amount == Decimal("2000000000.00")
    assert Grant.objects.get(partner=acme).one_time_allocated == Decimal("2000000000.00")


def test_a_solution_provider_needs_no_grant_and_has_no_quota(sol, sol_solutions):
    customer = factories.customer(sol_solutions)
    factories.budget(customer, sol, "2147483647.00")
    assert factories.stored(customer).amount == Decimal("2147483647.00")


def test_nobody_sets_budgets_for_another_partners_customers(customer, carl, acme):
    with pytest.raises(InvalidRequest, match="Choose a customer first"):
        set_budgets(Customer.objects.all(), BudgetTerms(ONE_TIME, Decimal(1)), operator=carl)
    assert not Budget.objects.exists()


def test_a_referral_customer_has_no_budget(acme, ann):
    referral = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    with pytest.raises(InvalidRequest, match="referral"):
        factories.budget(referral, ann, "1")


def test_the_adjustment_record_holds_every_term_before_and_after(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME, MANUAL)
    factories.report((customer, "2026-09", "12.34"))
    result = factories.budget(customer, ann, "50", MONTHLY, AUTOMATIC, note="as agreed")
    record = AdjustmentRecord.objects.get(batch=result.batch)
    assert (record.budget_type_before, record.budget_type_after) == (ONE_TIME, MONTHLY)
    assert (record.amount_before, record.amount_after) == (Decimal("100.00"), Decimal("50.00"))
    assert (record.account_freezing_before, record.account_freezing_after) == (MANUAL, AUTOMATIC)
    assert (record.counted_from_before, record.counted_from_after) == (202609, 202609)
    assert (record.used, record.unfreeze, record.channel) == (Decimal("12.34"), True, "CONSOLE")
    assert (record.operator, record.operator_name, record.note) == (ann, "ann", "as agreed")
    assert (record.partner_company, record.partner_account_name) == ("Acme Reseller", "acme-reseller")


def test_the_number_of_queries_does_not_grow_with_the_customers(acme, ann, django_assert_num_queries):
    few, many = factories.customers(acme, 2), factories.customers(acme, 60)
    current_month()
    with CaptureQueriesContext(connection) as captured:
        factories.budget(few, ann, "10")
    with django_assert_num_queries(len(captured)):
        factories.budget(many, ann, "10")
