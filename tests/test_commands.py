"""The commands associate_customers, may_purchase, restore_budgets, check_budgets and fill_derived."""

from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from budgets.actions import derived_figures
from budgets.models import Budget
from budgets.queries.integrity import differences
from customers.models import AccountFlags, AccountFreezing, Customer, FreezeKind, FreezeOrigin
from partnercenter.models import BudgetType, Grant
from tests import factories
from tests.commands import run_command

HEADER = "customer_id,account_name,name,association_type,email,mobile,account_manager,tags,partner\n"


@pytest.fixture
def file(tmp_path: Path):
    """Writes a file of customers with these lines."""

    def write(text: str, *, header: str = HEADER) -> Path:
        path = tmp_path / "customers.csv"
        path.write_text(header + text, encoding="utf-8")
        return path

    return write


def test_associated_customers_are_frozen_and_without_a_budget(acme, file):
    output = run_command(
        "associate_customers",
        file("4711,north_sea,北海 Shipping,,op@north.example,13800001121,Mia,vip;emea,acme-reseller\n"),
    )
    customer = Customer.objects.get()
    assert "1 customer associated" in output
    assert (customer.customer_id, customer.name, customer.partner) == ("4711", "北海 Shipping", acme)
    assert (customer.freeze_kind, customer.freeze_origin) == (FreezeKind.ACCOUNT, FreezeOrigin.ASSOCIATION)
    assert customer.freeze_records.get().operator_name == "system"
    assert not Budget.objects.exists()
    assert customer.tags == ";vip;emea;"


def test_only_id_account_name_name_and_partner_are_required(acme, file):
    run_command(
        "associate_customers", file("4711,a,b,acme-reseller\n", header="customer_id,account_name,name,partner\n")
    )
    assert Customer.objects.get().association_type == Customer.AssociationType.RESELLER


@pytest.mark.parametrize("name", ["王　秀英", "Tom\u00a0Co", "👩\u200d👩\u200d👧 Shop", "می\u200cخواهم"])
def test_spaces_and_joiners_of_any_script_are_kept_in_names(acme, file, name):
    run_command("associate_customers", file(f"4711,a,{name},,,,,,acme-reseller\n"))
    assert Customer.objects.get().name == name.strip()


def test_a_referral_customer_is_not_frozen(acme, file):
    run_command("associate_customers", file("4711,a,b,REFERRAL,,,,,acme-reseller\n"))
    assert not Customer.objects.get().is_frozen


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("known,a,b,,,,,,acme-reseller", "known is associated already"),
        (",a,b,,,,,,acme-reseller", "customer_id is missing"),
        ("x,a,,,,,,,acme-reseller", "name is missing"),
        ("x,a,b,,,,,,nobody", "'nobody' is not a reseller"),
        ("x,a,b,,,,,,dora-distribution", "'dora-distribution' is not a reseller"),
        ("x,a,b,FRIEND,,,,,acme-reseller", "'FRIEND' is not an association type"),
        ("x,a,b,,nobody,,,,acme-reseller", "'nobody' is not an e-mail address"),
        (f"{'x' * 129},a,b,,,,,,acme-reseller", "longer than 128"),
        ("good,a,b,,,,,,acme-reseller", "good occurs twice"),
        ("x,a,b", "expected 9 cells"),
    ],
)
def test_a_bad_line_refuses_the_whole_file_with_its_number_and_reason(acme, file, line, reason):
    factories.customer(acme, "known")
    with pytest.raises(CommandError) as error:
        run_command("associate_customers", file(f"good,a,b,,,,,,acme-reseller\n{line}\n"))
    assert "customers.csv, line 3: " in str(error.value)
    assert reason in str(error.value)
    assert list(Customer.objects.values_list("customer_id", flat=True)) == ["known"]


@pytest.mark.clock("2026-09-20 04:00")
def test_may_purchase_prints_the_answer_and_its_reason(acme, ann):
    customer = factories.customer(acme, "/subscriptions/0a/b c")
    assert run_command("may_purchase", customer.customer_id).startswith("no: Account frozen since")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    assert run_command("may_purchase", customer.customer_id).startswith("yes: The budget suffices: 0.00 of 100.00")
    factories.report((customer, "2026-09", "100"))
    assert run_command("may_purchase", customer.customer_id).splitlines() == [
        "no: The budget is used up: 100.00 of 100.00.",
        "pay-per-use: yes",
    ]


@pytest.mark.clock("2026-09-20 20:30")
def test_may_purchase_prints_times_in_the_billing_time_zone(acme):
    assert "since association on 2026-09-21 04:30" in run_command("may_purchase", factories.customer(acme).customer_id)


def test_without_a_budget_a_customer_cannot_purchase(acme):
    customer = factories.customer(acme, "4711")
    Customer.objects.update(freeze_kind="", freeze_origin="", frozen_since=None)
    assert run_command("may_purchase", customer.customer_id).startswith("no: No budget is set")


def test_may_purchase_of_an_unknown_id_is_an_error(db):
    with pytest.raises(CommandError, match="No customer with the ID 4711 is associated"):
        run_command("may_purchase", "4711")


@pytest.mark.clock("2026-09-20 04:00")
def test_restore_budgets_restores_monthly_budgets_once(acme, ann, clock):
    monthly, one_time = factories.customers(acme, 2)
    factories.budget(monthly, ann, "100", BudgetType.MONTHLY)
    factories.budget(one_time, ann, "100", BudgetType.ONE_TIME)
    factories.report((monthly, "2026-09", "60"), (one_time, "2026-09", "60"), (monthly, "2026-10", "7"))
    clock.move_to("2026-09-30T16:00:00Z")
    assert run_command("restore_budgets").startswith("2026-10: 1 budgets restored, 0 accounts frozen.")
    assert run_command("restore_budgets").startswith("2026-10: 0 budgets restored, 0 accounts frozen.")
    assert factories.stored(monthly).used == Decimal("7.00")
    assert factories.stored(one_time).used == Decimal("60.00")


@pytest.mark.clock("2026-09-20 04:00")
def test_a_budget_exhausted_by_the_new_month_freezes_at_restore(acme, ann, clock):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", BudgetType.MONTHLY)
    factories.report((customer, "2026-10", "100"))
    assert not factories.fresh(customer).is_frozen
    clock.move_to("2026-10-01T00:00:00Z")
    assert "1 accounts frozen" in run_command("restore_budgets")
    assert factories.fresh(customer).is_frozen


@pytest.mark.clock("2026-11-20 04:00")
def test_check_budgets_finds_no_difference_after_actions(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-11", "33.33"))
    assert run_command("check_budgets").startswith("1 budgets checked")


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (lambda: Budget.objects.update(used=Decimal("1.00"), usage=1), "used: stored 100, derived 3333"),
        (lambda: Budget.objects.update(used_rank=0), "rank of used: stored 0, derived 1622"),
        (lambda: Budget.objects.update(usage=34), "usage: stored 34, derived 33"),
        (lambda: Budget.objects.update(level=75), "level: stored 75, derived 0"),
        (lambda: Grant.objects.update(one_time_allocated=Decimal("99.00")), "one-time budgets allocated: stored 9900"),
        (lambda: Budget.objects.update(account_freezing="MANUAL"), "budget as recorded"),
        (lambda: Budget.objects.update(partner=0), "partner of a budget: stored 0"),
        (
            lambda: Customer.objects.update(state=AccountFlags.FROZEN),
            "account flags: stored 8, derived 2",
        ),
        (
            lambda: Budget.objects.update(state=AccountFlags.FROZEN),
            "account flags copied to the budget: stored 8, derived 2",
        ),
    ],
)
@pytest.mark.clock("2026-11-20 04:00")
def test_check_budgets_names_each_figure_that_differs_from_the_derived_one(acme, ann, damage, difference):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-11", "33.33"))
    damage()
    errors = StringIO()
    with pytest.raises(CommandError, match="differences in 1 budgets"):
        call_command("check_budgets", stdout=StringIO(), stderr=errors)
    assert difference in errors.getvalue()


@pytest.mark.clock("2026-11-20 04:00")
def test_fill_derived_corrects_ranks_and_run_out_days_in_steps_and_writes_nothing_the_second_time(
    acme, ann, monkeypatch
):
    monkeypatch.setattr(derived_figures, "BUDGETS_PER_STEP", 2)
    customers = factories.customers(acme, 6)
    factories.budget(customers[:5], ann, "100")
    totals = ("33.33", "0", "-12.00", "120.00", "60.00")
    factories.report(*[(each, "2026-11", total) for each, total in zip(customers, totals, strict=False)])
    before = list(Budget.objects.order_by("pk").values())
    assert run_command("fill_derived") == "5 budgets checked, 0 corrected.\n"
    # As the former version leaves them: a rank is not written, or neither is the day that follows from the amount.
    Budget.objects.filter(pk__in=[each.pk for each in customers[:4]]).update(used_rank=0)
    Budget.objects.filter(pk=customers[4].pk).update(runs_out_on=None)
    assert len(list(differences())) == 4
    assert run_command("fill_derived") == "5 budgets checked, 4 corrected.\n"
    assert list(Budget.objects.order_by("pk").values()) == before
    assert run_command("fill_derived") == "5 budgets checked, 0 corrected.\n"
