"""What the Set Budget form says before OK: unfreezing, the current estimate, the freeze, and a change of type.

See sections 3 and 4 (docs/rules.md).
"""

import pytest

from customers.models import Customer, FreezeRecord
from partnercenter.models import BudgetType, Partner
from tests import factories
from tests.pages import VALID_TERMS, messages, set_budget, set_budget_form, set_budget_path

pytestmark = pytest.mark.clock("2026-09-15 02:00")


@pytest.fixture
def customer(acme: Partner) -> Customer:
    return factories.customer(acme)


def test_after_association_the_box_reads_unfreeze_account_and_is_ticked(client, customer):
    box = set_budget_form(client, customer)["unfreeze_now"]
    assert (box.label, box.initial) == ("Unfreeze Account", True)


def test_after_a_freeze_by_the_budget_the_box_reads_unfreeze_now_and_is_not_ticked(client, customer, ann):
    factories.budget(customer, ann, "10")
    factories.report((customer, "2026-09", "10"))
    box = set_budget_form(client, customer)["unfreeze_now"]
    assert (box.label, box.initial) == ("Unfreeze Now", False)


def test_without_a_freeze_there_is_no_box_to_unfreeze(client, customer, ann):
    factories.budget(customer, ann, "10")
    assert "unfreeze_now" not in set_budget_form(client, customer).fields
    assert set_budget(client, customer, unfreeze_now="on").status_code == 302
    assert FreezeRecord.objects.filter(customer=customer).count() == 2  # association and its end


def test_unfreezing_is_refused_with_both_figures_where_the_new_amount_is_used_up(client, customer, ann):
    factories.budget(customer, ann, "10")
    factories.report((customer, "2026-09", "12.34"))
    response = set_budget(client, customer, amount="12.34", unfreeze_now="on")
    assert response.status_code == 422
    assert "12.34 is used of a budget of 12.34" in str(response.context["form"].errors["unfreeze_now"])
    assert factories.stored(customer).amount == 10
    assert set_budget(client, customer, amount="12.35", unfreeze_now="on").status_code == 302
    assert not factories.fresh(customer).is_frozen


def test_raising_the_amount_without_the_box_does_not_unfreeze(client, customer, ann):
    factories.budget(customer, ann, "10")
    factories.report((customer, "2026-09", "12.34"))
    assert set_budget(client, customer, amount="100").status_code == 302
    assert factories.fresh(customer).is_frozen


def test_an_amount_at_what_is_used_freezes_immediately_and_says_so(client, customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "50"))
    response = client.post(set_budget_path(customer), {**VALID_TERMS, "amount": "50"}, follow=True)
    assert messages(response) == ["The one-time budget is set. The budget is used up: the account is frozen."]
    assert factories.fresh(customer).is_frozen


def test_the_current_estimate_shows_its_as_of_time_and_counted_from(client, customer, ann):
    factories.budget(customer, ann, "100")
    factories.report(
        (customer, "2026-08", "7"), (customer, "2026-09", "40.25"), at=factories.moment("2026-09-15 00:00")
    )
    content = client.get(set_budget_path(customer)).content.decode()
    assert "40.25" in content
    assert "counted since 2026-09" in content
    assert "As of 2026-09-15 08:00, Asia/Shanghai (GMT+08:00)" in content


def test_the_form_says_since_when_and_why_the_account_is_frozen_with_the_figures_of_that_moment(client, customer, ann):
    factories.budget(customer, ann, "10")
    factories.report((customer, "2026-09", "12"))
    factories.report((customer, "2026-09", "15"))
    content = client.get(set_budget_path(customer)).content.decode()
    assert "since 2026-09-15 10:00, budget exhausted (12.00 of 10.00 used)" in content


def test_the_name_is_masked(client, acme):
    customer = factories.customer(acme, name="Tianjin Medical 0")
    content = client.get(set_budget_path(customer)).content.decode()
    assert "T****0" in content
    assert "Tianjin" not in content


def test_a_change_of_type_says_what_will_count_and_which_months_no_longer_do(customer, ann, sign_in, clock):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "40"))
    clock.move_to(factories.moment("2026-11-02 00:00"))
    factories.report((customer, "2026-10", "5"), (customer, "2026-11", "2.50"))
    notes = sign_in(ann).get(set_budget_path(customer)).context["notes"]
    assert "47.50 has been used since 2026-09." in notes["to_one_time"]
    assert "takes effect immediately" in notes["to_monthly"]
    assert "from 2026-09 to 2026-10 no longer counts, not even after a change back" in notes["to_monthly"]
    assert "2.50 has been used since 2026-11." in notes["to_monthly"]


def test_a_change_from_monthly_to_one_time_says_that_the_whole_month_counts(client, customer, ann):
    factories.report((customer, "2026-08", "30"), (customer, "2026-09", "40"))
    factories.budget(customer, ann, "100", BudgetType.MONTHLY)
    content = client.get(set_budget_path(customer)).content.decode()
    assert "The change to a one-time budget takes effect immediately, and it does not restore next month." in content
    assert "40.00 has been used since 2026-09." in content
