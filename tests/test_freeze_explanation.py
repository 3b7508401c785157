"""The sheet Why Frozen: every freeze and its end explained from records that never change.

See section 9 (docs/rules.md) and rules 3.6, 3.7, 8.1, 10.2 (docs/rules.md).
"""

import re
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from budgets.actions.billing_month import restore_budgets
from budgets.actions.import_report import import_report
from budgets.files.expenditure_reports import read_report
from budgets.models import Expenditure
from budgets.queries.freeze_explanation import format_duration
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeRecord, RevealRecord
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.factories import freeze, unfreeze
from tests.pages import visible_text

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
RESOURCES = FreezeKind.ACCOUNT_AND_RESOURCE
SHEET = re.compile(r'<article class="card sheet".*?</article>', re.DOTALL)


@pytest.fixture
def kestwick(acme: Partner) -> Customer:
    return factories.customer(acme, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")


def latest_record(customer: Customer) -> FreezeRecord:
    record = customer.freeze_records.order_by("-pk").first()
    assert record is not None
    return record


def sheet(client: Client, record: FreezeRecord) -> str:
    """The text of the sheet of a freeze record."""
    response = client.get(f"/customers/freeze-records/{record.pk}/")
    assert response.status_code == 200
    article = SHEET.search(response.content.decode())
    assert article is not None
    return visible_text(article[0])


def frozen_by_report(customer: Customer, operator: User, clock: Any) -> FreezeRecord:
    """A freeze by a FOCUS report two hours later, which covers usage of one hour and exhausts a budget of 500."""
    factories.budget(customer, operator, "500")
    clock.move_to(NOW + timedelta(hours=2, minutes=5))
    lines = (
        "SubAccountId,BillingPeriodStart,ChargePeriodEnd,ListCost,BillingCurrency\n"
        f"{customer.customer_id},2026-09-01T00:00:00Z,2026-09-15T03:00:00Z,612.40,USD\n"
    )
    report = read_report([("focus-september.csv", BytesIO(lines.encode()))])
    at = NOW + timedelta(hours=2)
    assert import_report(report, operator=operator, reported_at=at, only=customer.partner).frozen == 1
    return latest_record(customer)


def test_the_sheet_of_a_freeze_by_a_report_shows_report_figures_rule_and_lags(client, kestwick, ann, clock):
    text = sheet(client, frozen_by_report(kestwick, ann, clock))
    assert "The account was frozen An expenditure report was imported, and the budget was used up." in text
    assert "One-time budget (USD) 500.00 Used (USD) 612.40 Counted from 2026-09 Account Freezing Automatic" in text
    assert "Account freezing upon budget exhaustion was Automatic:" in text
    assert "Latest usage covered 2026-09-15 11:00:00 --" in text
    assert "Report: focus-september.csv 2026-09-15 12:00:00 1 h" in text
    assert "Imported 2026-09-15 12:05:00 5 min" in text
    assert "Frozen 2026-09-15 12:05:00 less than a minute" in text
    assert "Before Not frozen After Account, budget exhausted" in text


def test_the_sheet_reads_the_same_whatever_happens_afterwards(sign_in, kestwick, ann, dora, acme, clock):
    record = frozen_by_report(kestwick, ann, clock)
    text = sheet(sign_in(ann), record)
    clock.shift(timedelta(days=1))
    factories.budget(kestwick, ann, "9000", BudgetType.MONTHLY, AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.report((kestwick, "2026-09", "1.00"), (kestwick, "2026-08", "77.00"))
    freeze(kestwick, ann, RESOURCES)
    factories.report((kestwick, "2026-09", "9999.00"))
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    clock.shift(timedelta(days=40))
    restore_budgets()
    Expenditure.objects.update(total=Decimal("0.01"), reported_at=timezone.now())
    Customer.objects.update(disassociated_on=timezone.now(), freeze_reason="something else")
    assert sheet(sign_in(ann), record) == text


def test_the_files_of_a_report_by_the_platform_are_not_named(client, kestwick, ann):
    factories.budget(kestwick, ann, "10")
    factories.report((kestwick, "2026-09", "12"))
    text = sheet(client, latest_record(kestwick))
    assert "Report: all customers of the platform" in text
    assert "plain.csv" not in text
    assert "Latest usage covered not stated in the report --" in text


def test_the_sheet_of_a_freeze_by_association_has_no_budget_and_no_report(client, kestwick):
    text = sheet(client, latest_record(kestwick))
    assert "The account was frozen The customer was associated with the partner." in text
    assert "An account is frozen from the moment of association, and needs a budget to purchase." in text
    assert "The Budget at That Time" not in text
    assert "From Usage to Freezing" not in text


def test_the_sheet_of_a_freeze_by_a_lower_budget_says_who_set_it(client, kestwick, ann):
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "60"))
    factories.budget(kestwick, ann, "50")
    text = sheet(client, latest_record(kestwick))
    assert "ann set the budget from 100.00 to 50.00. The expenditure so far had already used it up." in text
    assert "One-time budget (USD) 50.00 Used (USD) 60.00" in text


def test_the_sheet_of_a_freeze_at_a_month_restore_says_so(sign_in, kestwick, ann, clock):
    factories.budget(kestwick, ann, "50", BudgetType.MONTHLY)
    factories.report((kestwick, "2026-10", "60"))
    clock.move_to(factories.moment("2026-10-01 00:00"))
    restore_budgets()
    text = sheet(sign_in(ann), latest_record(kestwick))
    assert "A new billing month began, and its expenditure so far had already used up the budget." in text
    assert "Counted from 2026-10" in text


def test_the_sheet_of_a_freeze_by_hand_shows_operator_reason_and_retention_deadline(client, kestwick, ann):
    factories.budget(kestwick, ann, "50")
    freeze(kestwick, ann, RESOURCES, reason="Unpaid invoice <17>")
    text = sheet(client, latest_record(kestwick))
    assert "The account and its resources were frozen ann did this by hand." in text
    assert "By ann Console Reason Unpaid invoice <17>" in text
    assert "Data is kept until 2026-09-30 10:00" in text
    assert "A partner may freeze the accounts of its customers; it has to state the reason." in text


def test_the_sheet_of_an_escalation_by_policy_shows_the_freeze_before_it(client, kestwick, ann, clock):
    factories.budget(kestwick, ann, "50")
    freeze(kestwick, ann)
    clock.shift(timedelta(hours=3))
    factories.budget(kestwick, ann, "60", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES, unfreeze=False)
    factories.report((kestwick, "2026-09", "61"))
    text = sheet(client, latest_record(kestwick))
    assert "The resources of the frozen account were frozen, too An expenditure report was imported" in text
    assert "Before Account, partner since 2026-09-15 10:00:00 by ann: Unpaid invoice" in text
    assert "Account freezing upon budget exhaustion was Automatic, with resources:" in text


@pytest.mark.parametrize(
    ("amount", "setting"),
    [("700", "ann set the budget from 500.00 to 700.00."), ("500", "ann left the budget unchanged.")],
)
def test_the_sheet_of_unfreeze_now_shows_what_was_set_and_which_freeze_ended(client, kestwick, ann, amount, setting):
    factories.budget(kestwick, ann, "500")
    freeze(kestwick, ann)
    factories.budget(kestwick, ann, amount)
    text = sheet(client, latest_record(kestwick))
    assert f"{setting} Unfreezing was ticked as well." in text
    assert "The account was unfrozen" in text
    assert "Before Account, partner since 2026-09-15 10:00:00 by ann: Unpaid invoice After Not frozen" in text
    assert "A freeze ends by hand, by Unfreeze Now in Set Budget, or when a monthly budget restores" in text


def test_the_sheet_of_unfreezing_by_hand_shows_its_reason(client, kestwick, ann):
    freeze(kestwick, ann, RESOURCES)
    unfreeze(kestwick, ann, reason="Paid by bank transfer")
    text = sheet(client, latest_record(kestwick))
    assert "The account and its resources were unfrozen ann did this by hand." in text
    assert "Reason Paid by bank transfer" in text


def test_the_sheets_of_a_customer_link_to_each_other(client, kestwick, ann):
    factories.budget(kestwick, ann, "500")
    began, ended = kestwick.freeze_records.order_by("pk")
    for record, other in ((began, ended), (ended, began)):
        content = client.get(f"/customers/freeze-records/{record.pk}/").content.decode()
        assert f'href="/customers/freeze-records/{other.pk}/"' in content


def test_the_name_is_masked_until_the_eye_is_pressed_which_is_recorded(client, kestwick):
    record = latest_record(kestwick)
    assert "Kestwick Foods Ltd" not in client.get(f"/customers/freeze-records/{record.pk}/").content.decode()
    assert not RevealRecord.objects.exists()
    client.post("/customers/names/", {"shown": "1"})
    assert "Kestwick Foods Ltd" in sheet(client, record)
    shown = RevealRecord.objects.get()
    assert (shown.customers, shown.page) == (["618033988751"], f"/customers/freeze-records/{record.pk}/")


def test_the_partner_that_had_the_customer_sees_its_sheets_after_it_left_and_no_other(
    kestwick, ann, vera, dora, carl, sol, sign_in, client
):
    path = f"/customers/freeze-records/{latest_record(kestwick).pk}/"
    Customer.objects.update(disassociated_on=timezone.now())
    statuses = {who.username: sign_in(who).get(path).status_code for who in (ann, vera, dora, carl, sol)}
    assert statuses == {"ann": 200, "vera": 200, "dora": 200, "carl": 404, "sol": 404}


def test_a_sheet_of_another_distributor_and_an_unknown_one_do_not_exist(kestwick, sign_in, client):
    other = factories.user("olga", factories.distributor("other-distribution"), User.Role.ADMINISTRATOR)
    assert sign_in(other).get(f"/customers/freeze-records/{latest_record(kestwick).pk}/").status_code == 404
    for pk in ("0", "9" * 18, "9" * 30):
        assert client.get(f"/customers/freeze-records/{pk}/").status_code == 404


def test_list_dialog_report_and_batch_link_to_the_sheet(client, kestwick, ann, acme):
    factories.budget(kestwick, ann, "10")
    report = factories.report((kestwick, "2026-09", "12"), operator=ann, only=acme)
    link = f'href="/customers/freeze-records/{latest_record(kestwick).pk}/"'
    paths = (
        "/customers/",
        f"/budgets/set/?customer={kestwick.customer_id}",
        f"/customers/expenditure/{report.report}/",
    )
    for path in paths:
        assert link in client.get(path).content.decode()
    raised = factories.budget(kestwick, ann, "20")
    assert "/customers/freeze-records/" not in client.get("/customers/").content.decode()
    ended = f'href="/customers/freeze-records/{latest_record(kestwick).pk}/"'
    assert ended in client.get(f"/budgets/batches/{raised.batch}/").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_freeze_records(client, kestwick, ann, django_assert_num_queries):
    factories.budget(kestwick, ann, "10")
    first = kestwick.freeze_records.order_by("pk")[1]
    for _each in range(20):
        freeze(kestwick, ann)
        factories.budget(kestwick, ann, "10")
    for record in (first, latest_record(kestwick)):
        with django_assert_num_queries(8):
            sheet(client, record)


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (timedelta(seconds=-1), "--"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=25), "1 day 1 h"),
        (timedelta(days=2, minutes=3), "2 days"),
    ],
)
def test_a_lag_is_shown_in_its_largest_units(lag, text):
    assert format_duration(lag) == text
