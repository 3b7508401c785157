"""What a customer may do now, and why not: the table of rule 4.8 (docs/rules.md), cell by cell.

And whoever asks for it.
"""

import pytest
from django.db import transaction
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.queries.standing import Action, Verdict, may_purchase, standing_of
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import BudgetType, Channel, Partner, User
from tests import factories
from tests.test_commands import run

pytestmark = pytest.mark.clock("2026-09-20 04:00")

YES, BILLED, VIEW_ONLY, NO, STOPPED = Verdict
ACCOUNT, WITH_RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE


@pytest.fixture
def free(acme, ann):
    """A customer with a budget of 100 under Manual, not frozen."""
    customer = factories.customer(acme, "/subscriptions/0a/b c")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    return customer


def freeze(customer: Customer, kind: FreezeKind, operator: User) -> None:
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in_array=lock_keys(Customer.objects.filter(pk=customer.pk)))
        author = Author(operator, Channel.CONSOLE, timezone.now())
        freeze_accounts(locked, kind, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")


def unfreeze(customer: Customer) -> None:
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in_array=lock_keys(Customer.objects.filter(pk=customer.pk)))
        unfreeze_accounts(locked, author=Author(None, Channel.SYSTEM, timezone.now()))


def use_up(customer: Customer) -> None:
    factories.report((customer, "2026-09", "112.50"))


def restrict(partner: Partner, status: Partner.Status = Partner.Status.RESTRICTED) -> None:
    set_partner_status(partner, status=status, reason="Unpaid", operator=None)


def answers(customer: Customer) -> tuple[Verdict, ...]:
    return tuple(row.answer for row in standing_of(factories.fresh(customer)).rows)


def reasons(customer: Customer) -> tuple[str, ...]:
    return standing_of(factories.fresh(customer)).reasons


def test_within_its_budget_a_customer_may_do_everything(free):
    assert answers(free) == (YES, YES, YES, BILLED, YES)
    assert reasons(free) == ("The budget suffices: 0.00 of 100.00 is used.",)


def test_with_its_account_frozen_it_may_use_what_it_has_and_buy_nothing(free, ann):
    freeze(free, ACCOUNT, ann)
    assert answers(free) == (NO, NO, YES, BILLED, YES)
    assert reasons(free)[0] == "Account frozen since 2026-09-20 04:00 by ann: Unpaid invoice."


def test_with_its_resources_frozen_pay_per_use_is_stopped_and_the_rest_is_to_look_at(free, ann):
    freeze(free, WITH_RESOURCES, ann)
    assert answers(free) == (NO, NO, YES, STOPPED, VIEW_ONLY)
    assert reasons(free)[0].endswith("Unpaid invoice. Data may be deleted after 2026-10-05 04:00.")


def test_who_froze_is_named_though_somebody_else_escalated(free, ann, ben):
    freeze(free, ACCOUNT, ann)
    freeze(free, WITH_RESOURCES, ben)
    assert "since 2026-09-20 04:00 by ann" in reasons(free)[0]


@pytest.mark.parametrize(("allowed", "pay_per_use"), [(True, YES), (False, NO)])
def test_used_up_under_manual_it_buys_pay_per_use_alone_if_the_setting_lets_it(free, settings, allowed, pay_per_use):
    settings.PAY_PER_USE_WHEN_EXHAUSTED = allowed
    use_up(free)
    assert answers(free) == (NO, pay_per_use, YES, BILLED, YES)
    assert reasons(free) == ("The budget is used up: 112.50 of 100.00.",)


def test_used_up_under_automatic_it_is_frozen_with_the_figures_of_that_moment(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    use_up(customer)
    assert answers(customer) == (NO, NO, YES, BILLED, YES)
    assert reasons(customer) == (
        "Account frozen since 2026-09-20 04:00, budget exhausted (112.50 of 100.00 used).",
        "The budget is used up: 112.50 of 100.00.",
    )


def test_without_a_budget_it_buys_nothing_even_where_it_is_not_frozen(acme):
    customer = factories.customer(acme)
    unfreeze(customer)
    assert answers(customer) == (NO, NO, YES, BILLED, YES)
    assert reasons(customer) == ("No budget is set for this customer.",)


def test_a_referral_customer_may_do_everything_whatever_its_partner_may(acme):
    customer = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    restrict(acme)
    assert answers(customer) == (YES, YES, YES, BILLED, YES)
    assert not standing_of(factories.fresh(customer)).frozen


@pytest.mark.parametrize("status", [Partner.Status.RESTRICTED, Partner.Status.FROZEN])
def test_below_a_restricted_or_frozen_reseller_a_customer_is_frozen_and_its_own_state_kept(free, acme, status):
    restrict(acme, status)
    assert answers(free) == (NO, NO, YES, BILLED, YES)
    assert standing_of(factories.fresh(free)).frozen
    assert not factories.fresh(free).is_frozen
    assert reasons(free) == (
        f"Account frozen: reseller {status.lower()} since 2026-09-20 04:00.",
        "The budget suffices: 0.00 of 100.00 is used.",
    )


def test_frozen_resources_stay_frozen_below_a_restricted_reseller(free, acme, ann):
    freeze(free, WITH_RESOURCES, ann)
    restrict(acme)
    assert answers(free) == (NO, NO, YES, STOPPED, VIEW_ONLY)
    assert len(reasons(free)) == 3


def test_each_answer_but_yes_says_what_stands_against_it(free, acme, ann):
    freeze(free, WITH_RESOURCES, ann)
    restrict(acme)
    rows = {row.action: row for row in standing_of(factories.fresh(free)).rows}
    assert "reseller restricted" in rows[Action.PURCHASE].why
    assert "Account and resources frozen" in rows[Action.USE_PAY_PER_USE].why
    assert rows[Action.USE].why == ""


def test_a_purchase_is_answered_from_the_same_table(free, acme):
    use_up(free)
    used_up = may_purchase(factories.fresh(free))
    assert (used_up.yearly_monthly, used_up.pay_per_use) == (False, True)
    restrict(acme)
    restricted = may_purchase(factories.fresh(free))
    assert (restricted.yearly_monthly, restricted.pay_per_use) == (False, False)
    assert "reseller restricted" in restricted.reason


def test_the_command_prints_the_table_with_its_reasons(free):
    use_up(free)
    assert run("standing", free.customer_id).splitlines() == [
        "Purchase, renew, change: yearly/monthly and reserved instances: No (The budget is used up: 112.50 of 100.00.)",
        "Purchase, change: pay-per-use: Yes",
        "Use what is bought: yearly/monthly: Yes",
        "Use what is bought: pay-per-use: Yes, billed",
        "Unsubscribe, rename, view: Yes",
        "- The budget is used up: 112.50 of 100.00.",
    ]


def test_the_standing_of_a_customer_takes_one_query_more_where_it_is_frozen(free, acme, ann, django_assert_num_queries):
    freeze(free, ACCOUNT, ann)
    customer = Customer.objects.select_related("budget", "partner").get(pk=free.pk)
    with django_assert_num_queries(1):
        standing_of(customer)


# --- Why, in words ----------------------------------------------------------------------------------------------------


def why(customer: Customer) -> str:
    return " ".join(standing_of(factories.fresh(customer)).reasons)


def test_what_a_person_made_worse_keeps_its_figures_and_says_who_and_why(acme, ann, clock):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    use_up(customer)
    clock.move_to("2026-09-21T04:00:00Z", tick=False)
    freeze(customer, WITH_RESOURCES, ann)
    said = why(customer)
    assert "since 2026-09-20 04:00, budget exhausted (112.50 of 100.00 used)" in said
    assert "with its resources since 2026-09-21 04:00 by ann: Unpaid invoice" in said


def test_a_one_time_budget_that_froze_has_not_restored(acme, ann, clock):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    use_up(customer)
    clock.move_to("2026-10-20T04:00:00Z", tick=False)
    factories.budget(customer, ann, "1000", BudgetType.MONTHLY, unfreeze=False)
    said = why(customer)
    assert "budget exhausted (112.50 of 100.00 used)" in said
    assert "has restored" not in said
