"""The standing of a customer: what it may do now and why not, cell by cell of the table of rule 4.8 (docs/rules.md)."""

import pytest

from budgets.queries.standing import Action, Verdict, may_purchase, standing_of
from customers.models import AccountFreezing, Customer, FreezeKind
from partnercenter.actions.partners import set_partner_status
from partnercenter.models import BudgetType, Partner
from tests import factories
from tests.commands import run_command
from tests.factories import freeze

pytestmark = pytest.mark.clock("2026-09-20 04:00")

YES, BILLED, VIEW_ONLY, NO, STOPPED = Verdict
ACCOUNT, WITH_RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE


@pytest.fixture
def unfrozen(acme, ann):
    """A customer with a budget of 100 under Manual, not frozen."""
    customer = factories.customer(acme, "/subscriptions/0a/b c")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    return customer


def exhaust_budget(customer: Customer) -> None:
    factories.report((customer, "2026-09", "112.50"))


def restrict(partner: Partner, status: Partner.Status = Partner.Status.RESTRICTED) -> None:
    set_partner_status(partner, status=status, reason="Unpaid", operator=None)


def answers(customer: Customer) -> tuple[Verdict, ...]:
    return tuple(row.answer for row in standing_of(factories.fresh(customer)).rows)


def reasons(customer: Customer) -> tuple[str, ...]:
    return standing_of(factories.fresh(customer)).reasons


def test_within_its_budget_a_customer_may_do_everything(unfrozen):
    assert answers(unfrozen) == (YES, YES, YES, BILLED, YES)
    assert reasons(unfrozen) == ("The budget suffices: 0.00 of 100.00 is used.",)


def test_with_a_frozen_account_a_customer_may_use_what_is_bought_and_buy_nothing(unfrozen, ann):
    freeze(unfrozen, ann, ACCOUNT)
    assert answers(unfrozen) == (NO, NO, YES, BILLED, YES)
    assert reasons(unfrozen)[0] == "Account frozen since 2026-09-20 04:00 by ann: Unpaid invoice."


def test_with_frozen_resources_pay_per_use_is_stopped_and_the_customer_can_only_view(unfrozen, ann):
    freeze(unfrozen, ann, WITH_RESOURCES)
    assert answers(unfrozen) == (NO, NO, YES, STOPPED, VIEW_ONLY)
    assert reasons(unfrozen)[0].endswith("Unpaid invoice. Data may be deleted after 2026-10-05 04:00.")


def test_the_reason_names_who_froze_the_account_not_who_escalated_the_freeze(unfrozen, ann, ben):
    freeze(unfrozen, ann, ACCOUNT)
    freeze(unfrozen, ben, WITH_RESOURCES)
    assert "since 2026-09-20 04:00 by ann" in reasons(unfrozen)[0]


@pytest.mark.parametrize(("allowed", "pay_per_use"), [(True, YES), (False, NO)])
def test_exhausted_under_manual_only_pay_per_use_can_be_bought_if_the_setting_allows_it(
    unfrozen, settings, allowed, pay_per_use
):
    settings.PAY_PER_USE_WHEN_EXHAUSTED = allowed
    exhaust_budget(unfrozen)
    assert answers(unfrozen) == (NO, pay_per_use, YES, BILLED, YES)
    assert reasons(unfrozen) == ("The budget is used up: 112.50 of 100.00.",)


def test_exhausted_under_automatic_the_account_is_frozen_with_the_figures_of_that_moment(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    exhaust_budget(customer)
    assert answers(customer) == (NO, NO, YES, BILLED, YES)
    assert reasons(customer) == (
        "Account frozen since 2026-09-20 04:00, budget exhausted (112.50 of 100.00 used).",
        "The budget is used up: 112.50 of 100.00.",
    )


def test_without_a_budget_a_customer_buys_nothing_even_if_it_is_not_frozen(acme, ann):
    customer = factories.customer(acme)
    factories.unfreeze(customer, ann)
    assert answers(customer) == (NO, NO, YES, BILLED, YES)
    assert reasons(customer) == ("No budget is set for this customer.",)


def test_a_referral_customer_may_do_everything_even_below_a_restricted_reseller(acme):
    customer = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    restrict(acme)
    assert answers(customer) == (YES, YES, YES, BILLED, YES)
    assert not standing_of(factories.fresh(customer)).frozen


@pytest.mark.parametrize("status", [Partner.Status.RESTRICTED, Partner.Status.FROZEN])
def test_below_a_restricted_or_frozen_reseller_a_customer_is_frozen_and_its_own_state_is_kept(unfrozen, acme, status):
    restrict(acme, status)
    assert answers(unfrozen) == (NO, NO, YES, BILLED, YES)
    assert standing_of(factories.fresh(unfrozen)).frozen
    assert not factories.fresh(unfrozen).is_frozen
    assert reasons(unfrozen) == (
        f"Account frozen: reseller {status.lower()} since 2026-09-20 04:00.",
        "The budget suffices: 0.00 of 100.00 is used.",
    )


def test_frozen_resources_stay_frozen_below_a_restricted_reseller(unfrozen, acme, ann):
    freeze(unfrozen, ann, WITH_RESOURCES)
    restrict(acme)
    assert answers(unfrozen) == (NO, NO, YES, STOPPED, VIEW_ONLY)
    assert len(reasons(unfrozen)) == 3


def test_each_answer_other_than_yes_gives_its_reason(unfrozen, acme, ann):
    freeze(unfrozen, ann, WITH_RESOURCES)
    restrict(acme)
    rows = {row.action: row for row in standing_of(factories.fresh(unfrozen)).rows}
    assert "reseller restricted" in rows[Action.PURCHASE].why
    assert "Account and resources frozen" in rows[Action.USE_PAY_PER_USE].why
    assert rows[Action.USE].why == ""


def test_may_purchase_answers_from_the_same_table(unfrozen, acme):
    exhaust_budget(unfrozen)
    exhausted = may_purchase(factories.fresh(unfrozen))
    assert (exhausted.yearly_monthly, exhausted.pay_per_use) == (False, True)
    restrict(acme)
    restricted = may_purchase(factories.fresh(unfrozen))
    assert (restricted.yearly_monthly, restricted.pay_per_use) == (False, False)
    assert "reseller restricted" in restricted.reason


def test_the_command_prints_the_table_with_its_reasons(unfrozen):
    exhaust_budget(unfrozen)
    assert run_command("standing", unfrozen.customer_id).splitlines() == [
        "Purchase, renew, change: yearly/monthly and reserved instances: No (The budget is used up: 112.50 of 100.00.)",
        "Purchase, change: pay-per-use: Yes",
        "Use what is bought: yearly/monthly: Yes",
        "Use what is bought: pay-per-use: Yes, billed",
        "Unsubscribe, rename, view: Yes",
        "- The budget is used up: 112.50 of 100.00.",
    ]


def test_the_standing_of_a_frozen_customer_takes_one_query(unfrozen, acme, ann, django_assert_num_queries):
    freeze(unfrozen, ann, ACCOUNT)
    customer = Customer.objects.select_related("budget", "partner").get(pk=unfrozen.pk)
    with django_assert_num_queries(1):
        standing_of(customer)


# --- The reason, in words ---------------------------------------------------------------------------------------------


def why(customer: Customer) -> str:
    return " ".join(standing_of(factories.fresh(customer)).reasons)


def test_an_escalated_freeze_keeps_its_figures_and_says_who_escalated_it_and_why(acme, ann, clock):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    exhaust_budget(customer)
    clock.move_to("2026-09-21T04:00:00Z", tick=False)
    freeze(customer, ann, WITH_RESOURCES)
    reason = why(customer)
    assert "since 2026-09-20 04:00, budget exhausted (112.50 of 100.00 used)" in reason
    assert "with its resources since 2026-09-21 04:00 by ann: Unpaid invoice" in reason


def test_a_freeze_by_a_one_time_budget_does_not_say_that_it_has_restored(acme, ann, clock):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    exhaust_budget(customer)
    clock.move_to("2026-10-20T04:00:00Z", tick=False)
    factories.budget(customer, ann, "1000", BudgetType.MONTHLY, unfreeze=False)
    reason = why(customer)
    assert "budget exhausted (112.50 of 100.00 used)" in reason
    assert "has restored" not in reason
