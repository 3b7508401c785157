"""Why frozen: every freeze and what ended it as a sheet, from records that never change.

See section 9 (docs/rules.md) and rules 8.1, 3.6, 3.7 (docs/rules.md).
"""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.billing_month import restore_budgets
from budgets.actions.import_report import import_report
from budgets.files.expenditure_reports import read_report
from budgets.models import Expenditure
from budgets.queries.freeze_explanation import format_duration
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin, FreezeRecord, RevealRecord
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import give_grant
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import BudgetType, Channel, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
SHEET = re.compile(r'<article class="card sheet".*?</article>', re.DOTALL)


@pytest.fixture
def kestwick(acme: Partner) -> Customer:
    return factories.customer(acme, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")


def newest(customer: Customer) -> FreezeRecord:
    record = customer.freeze_records.order_by("-pk").first()
    assert record is not None
    return record


def sheet(client: Client, record: FreezeRecord) -> str:
    """The text of the sheet as it is printed."""
    response = client.get(f"/customers/freeze-records/{record.pk}/")
    assert response.status_code == 200
    found = SHEET.search(response.content.decode())
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def by_hand(customer: Customer, operator: User, kind: FreezeKind | None, reason: str) -> None:
    """Freeze in this kind; None: unfreeze."""
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in=lock_keys(Customer.objects.filter(pk=customer.pk)))
        author = Author(operator, Channel.CONSOLE, timezone.now())
        if kind is None:
            unfreeze_accounts(locked, author=author, reason=reason)
        else:
            freeze_accounts(locked, kind, FreezeOrigin.PARTNER, author=author, reason=reason)


def frozen_by_report(customer: Customer, operator: User, clock: Any) -> FreezeRecord:
    """A one-time budget of 500, used up by a FOCUS report of two hours later that covers usage up to one hour later."""
    factories.budget(customer, operator, "500")
    clock.move_to(NOW + timedelta(hours=2, minutes=5))
    lines = (
        "SubAccountId,BillingPeriodStart,ChargePeriodEnd,ListCost,BillingCurrency\n"
        f"{customer.customer_id},2026-09-01T00:00:00Z,2026-09-15T03:00:00Z,612.40,USD\n"
    )
    read = read_report([("focus-september.csv", BytesIO(lines.encode()))])
    at = NOW + timedelta(hours=2)
    assert import_report(read, operator=operator, reported_at=at, only=customer.partner).frozen == 1
    return newest(customer)


def test_a_freeze_by_a_report_tells_report_figures_rule_and_lags(client, kestwick, ann, clock):
    said = sheet(client, frozen_by_report(kestwick, ann, clock))
    assert "The account was frozen An expenditure report was imported, and the budget was used up." in said
    assert "One-time budget (USD) 500.00 Used (USD) 612.40 Counted from 2026-09 Account Freezing Automatic" in said
    assert "Account freezing upon budget exhaustion was Automatic:" in said
    assert "Latest usage covered 2026-09-15 11:00:00 --" in said
    assert "Report: focus-september.csv 2026-09-15 12:00:00 1 h" in said
    assert "Imported 2026-09-15 12:05:00 5 min" in said
    assert "Frozen 2026-09-15 12:05:00 less than a minute" in said
    assert "Before Not frozen After Account, budget exhausted" in said


def test_the_sheet_reads_the_same_whatever_happens_afterwards(sign_in, kestwick, ann, dora, acme, clock):
    record = frozen_by_report(kestwick, ann, clock)
    said = sheet(sign_in(ann), record)
    clock.shift(timedelta(days=1))
    factories.budget(kestwick, ann, "9000", BudgetType.MONTHLY, AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.report((kestwick, "2026-09", "1.00"), (kestwick, "2026-08", "77.00"))
    by_hand(kestwick, ann, FreezeKind.ACCOUNT_AND_RESOURCE, "Unpaid invoice")
    factories.report((kestwick, "2026-09", "9999.00"))
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    clock.shift(timedelta(days=40))
    restore_budgets()
    Expenditure.objects.update(total=Decimal("0.01"), reported_at=timezone.now())
    Customer.objects.update(disassociated_on=timezone.now(), freeze_reason="something else")
    assert sheet(sign_in(ann), record) == said


def test_a_report_of_the_platform_does_not_tell_its_files(client, kestwick, ann):
    factories.budget(kestwick, ann, "10")
    factories.report((kestwick, "2026-09", "12"))
    said = sheet(client, newest(kestwick))
    assert "Report: all customers of the platform" in said
    assert "plain.csv" not in said
    assert "Latest usage covered not stated in the report --" in said


def test_a_freeze_by_association_has_no_budget_and_no_report(client, kestwick):
    said = sheet(client, newest(kestwick))
    assert "The account was frozen The customer was associated with the partner." in said
    assert "An account is frozen from the moment of association, and needs a budget to purchase." in said
    assert "The Budget at That Time" not in said
    assert "From Usage to Freezing" not in said


def test_a_budget_set_below_what_is_used_tells_the_setting(client, kestwick, ann):
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "60"))
    factories.budget(kestwick, ann, "50")
    said = sheet(client, newest(kestwick))
    assert "ann set the budget from 100.00 to 50.00. The expenditure so far had already used it up." in said
    assert "One-time budget (USD) 50.00 Used (USD) 60.00" in said


def test_a_freeze_by_the_new_month_says_so(sign_in, kestwick, ann, clock):
    factories.budget(kestwick, ann, "50", BudgetType.MONTHLY)
    factories.report((kestwick, "2026-10", "60"))
    clock.move_to(factories.moment("2026-10-01 00:00"))
    restore_budgets()
    said = sheet(sign_in(ann), newest(kestwick))
    assert "A new billing month began, and its expenditure so far had already used up the budget." in said
    assert "Counted from 2026-10" in said


def test_a_freeze_by_hand_tells_who_and_the_reason_and_until_when_data_is_kept(client, kestwick, ann):
    factories.budget(kestwick, ann, "50")
    by_hand(kestwick, ann, FreezeKind.ACCOUNT_AND_RESOURCE, "Unpaid invoice <17>")
    said = sheet(client, newest(kestwick))
    assert "The account and its resources were frozen ann did this by hand." in said
    assert "By ann Console Reason Unpaid invoice <17>" in said
    assert "Data is kept until 2026-09-30 10:00" in said
    assert "A partner may freeze the accounts of its customers; it has to state the reason." in said


def test_an_escalation_by_the_policy_tells_what_the_account_was_frozen_by_before(client, kestwick, ann, clock):
    factories.budget(kestwick, ann, "50")
    by_hand(kestwick, ann, FreezeKind.ACCOUNT, "Unpaid invoice")
    clock.shift(timedelta(hours=3))
    factories.budget(kestwick, ann, "60", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES, unfreeze=False)
    factories.report((kestwick, "2026-09", "61"))
    said = sheet(client, newest(kestwick))
    assert "The resources of the frozen account were frozen, too An expenditure report was imported" in said
    assert "Before Account, partner since 2026-09-15 10:00:00 by ann: Unpaid invoice" in said
    assert "Account freezing upon budget exhaustion was Automatic, with resources:" in said


@pytest.mark.parametrize(
    ("amount", "told"),
    [("700", "ann set the budget from 500.00 to 700.00."), ("500", "ann left the budget unchanged.")],
)
def test_unfreeze_now_tells_what_was_set_and_which_freeze_it_ended(client, kestwick, ann, amount, told):
    factories.budget(kestwick, ann, "500")
    by_hand(kestwick, ann, FreezeKind.ACCOUNT, "Unpaid invoice")
    factories.budget(kestwick, ann, amount)
    said = sheet(client, newest(kestwick))
    assert f"{told} Unfreezing was ticked as well." in said
    assert "The account was unfrozen" in said
    assert "Before Account, partner since 2026-09-15 10:00:00 by ann: Unpaid invoice After Not frozen" in said
    assert "A freeze ends by hand, by Unfreeze Now in Set Budget, or when a monthly budget restores" in said


def test_unfreezing_by_hand_tells_its_own_reason_and_that_of_the_freeze(client, kestwick, ann):
    by_hand(kestwick, ann, FreezeKind.ACCOUNT_AND_RESOURCE, "Unpaid invoice")
    by_hand(kestwick, ann, None, "Paid by bank transfer")
    said = sheet(client, newest(kestwick))
    assert "The account and its resources were unfrozen ann did this by hand." in said
    assert "Reason Paid by bank transfer" in said


def test_the_sheets_of_a_customer_lead_to_each_other(client, kestwick, ann):
    factories.budget(kestwick, ann, "500")
    began, ended = kestwick.freeze_records.order_by("pk")
    for record, beside in ((began, ended), (ended, began)):
        content = client.get(f"/customers/freeze-records/{record.pk}/").content.decode()
        assert f'href="/customers/freeze-records/{beside.pk}/"' in content


def test_the_name_is_masked_until_the_eye_is_pressed_and_showing_it_is_recorded(client, kestwick):
    record = newest(kestwick)
    assert "Kestwick Foods Ltd" not in client.get(f"/customers/freeze-records/{record.pk}/").content.decode()
    assert not RevealRecord.objects.exists()
    client.post("/customers/names/", {"shown": "1"})
    assert "Kestwick Foods Ltd" in sheet(client, record)
    shown = RevealRecord.objects.get()
    assert (shown.customers, shown.page) == (["618033988751"], f"/customers/freeze-records/{record.pk}/")


def test_who_had_the_customer_sees_its_sheets_after_it_left_and_nobody_else(
    kestwick, ann, vera, dora, carl, sol, sign_in, client
):
    path = f"/customers/freeze-records/{newest(kestwick).pk}/"
    Customer.objects.update(disassociated_on=timezone.now())
    statuses = {who.username: sign_in(who).get(path).status_code for who in (ann, vera, dora, carl, sol)}
    assert statuses == {"ann": 200, "vera": 200, "dora": 200, "carl": 404, "sol": 404}


def test_another_distributor_does_not_see_it_nor_does_anybody_what_is_not_there(kestwick, sign_in, client):
    other = factories.user("olga", factories.distributor("other-distribution"), User.Role.ADMINISTRATOR)
    assert sign_in(other).get(f"/customers/freeze-records/{newest(kestwick).pk}/").status_code == 404
    for pk in ("0", "9" * 18, "9" * 30):
        assert client.get(f"/customers/freeze-records/{pk}/").status_code == 404


def test_list_dialog_report_and_batch_lead_to_the_sheet(client, kestwick, ann, acme):
    factories.budget(kestwick, ann, "10")
    taken = factories.report((kestwick, "2026-09", "12"), operator=ann, only=acme)
    link = f'href="/customers/freeze-records/{newest(kestwick).pk}/"'
    paths = ("/customers/", f"/budgets/set/?customer={kestwick.customer_id}", f"/customers/expenditure/{taken.report}/")
    for path in paths:
        assert link in client.get(path).content.decode()
    raised = factories.budget(kestwick, ann, "20")
    assert "/customers/freeze-records/" not in client.get("/customers/").content.decode()
    ended = f'href="/customers/freeze-records/{newest(kestwick).pk}/"'
    assert ended in client.get(f"/budgets/batches/{raised.batch}/").content.decode()


def test_the_number_of_queries_is_the_same_for_the_first_record_and_the_fortieth(
    client, kestwick, ann, django_assert_num_queries
):
    factories.budget(kestwick, ann, "10")
    first = kestwick.freeze_records.order_by("pk")[1]
    for _each in range(20):
        by_hand(kestwick, ann, FreezeKind.ACCOUNT, "Unpaid invoice")
        factories.budget(kestwick, ann, "10")
    for record in (first, newest(kestwick)):
        with django_assert_num_queries(8):
            sheet(client, record)


@pytest.mark.parametrize(
    ("lag", "said"),
    [
        (timedelta(seconds=-1), "--"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=25), "1 day 1 h"),
        (timedelta(days=2, minutes=3), "2 days"),
    ],
)
def test_a_lag_is_told_in_the_units_that_say_something(lag, said):
    assert format_duration(lag) == said
