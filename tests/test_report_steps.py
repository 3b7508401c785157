"""A large report is applied in steps: what happens between them counts, and one that was interrupted is completed.

See rule 8.6 (docs/rules.md).
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.actions import report_steps
from budgets.actions.association import disassociate_customers
from budgets.models import Budget, Expenditure, ExpenditureReport, ReportImport, ReportTotal
from customers.models import AccountFreezing, Customer, FreezeRecord
from partnercenter.lib.errors import ReportUnderWay
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.commands import run_command
from tests.invariants import check_invariants
from tests.state_machine import rolled_back

pytestmark = pytest.mark.clock("2026-09-20 04:00")

UNDER_WAY = 4


@pytest.fixture(autouse=True)
def small_steps(monkeypatch) -> None:
    monkeypatch.setattr(report_steps, "CUSTOMERS_PER_STEP", 2)


class Interruption(Exception):
    """Ends an import between two steps, as a crash does."""


@pytest.fixture
def between_steps(monkeypatch) -> Callable[[Callable[[int], object]], None]:
    """Call it with a function, which is then called before each step with the step's number, from 0."""
    apply_next = report_steps._apply_next

    def run_before_steps(function: Callable[[int], object]) -> None:
        def apply(key: Any, *more: Any) -> ReportImport:
            function(ReportImport.objects.get(pk=key).steps_done)
            return apply_next(key, *more)

        monkeypatch.setattr(report_steps, "_apply_next", apply)

    return run_before_steps


def interrupt_before(number: int) -> Callable[[int], None]:
    def interrupt(step: int) -> None:
        if step == number:
            raise Interruption

    return interrupt


@pytest.fixture
def seven(acme: Partner, ann: User) -> list[Customer]:
    """Seven customers that are not frozen, each with an automatic budget of 100."""
    customers = factories.customers(acme, 7)
    factories.budget(customers, ann, "100")
    return customers


def report(customers: list[Customer], total: str, **more: Any) -> Any:
    return factories.report(*[(each, "2026-09", total) for each in customers], **more)


def fall_silent() -> None:
    """Make the import that is being applied look as if its process had died two minutes ago."""
    ReportImport.objects.filter(state="APPLYING").update(alive_at=timezone.now() - timedelta(minutes=2))


def used() -> list[int]:
    return [int(each) for each in Budget.objects.order_by("pk").values_list("used", flat=True)]


def test_steps_together_change_what_one_transaction_would(seven):
    result = report(seven, "100")
    assert (result.changed, result.exhausted, result.frozen) == (7, 7, 7)
    report_import = ReportImport.objects.get()
    assert (report_import.state, report_import.steps, report_import.steps_done) == ("IMPORTED", 4, 4)
    assert (report_import.changed, report_import.frozen, report_import.percent) == (7, 7, 100)
    assert ExpenditureReport.objects.get().summary["frozen"] == 7
    assert FreezeRecord.objects.filter(batch=result.report).count() == 7
    assert not ReportTotal.objects.exists()
    check_invariants()


def test_customers_are_applied_in_the_order_of_their_keys_and_unknown_accounts_last(seven, between_steps):
    seen = []
    between_steps(lambda step: seen.append(used()))
    factories.report(("nobody", "2026-09", "5"), *[(each, "2026-09", "10") for each in reversed(seven)])
    assert seen == [[0] * 7, [10] * 2 + [0] * 5, [10] * 4 + [0] * 3, [10] * 6 + [0]]
    assert used() == [10] * 7
    assert Expenditure.objects.get(account="nobody").total == 5


def test_after_each_step_every_figure_equals_what_it_is_derived_from(seven, between_steps):
    between_steps(lambda step: check_invariants())
    report(seven, "120")
    check_invariants()


def test_a_budget_set_between_two_steps_counts_the_report_and_freezes(seven, ann, between_steps):
    factories.report((seven[6], "2026-09", "30"))
    between_steps(lambda step: step == 1 and factories.budget([seven[0], seven[6]], ann, "50"))
    report(seven, "60")
    assert used() == [60] * 7
    assert set(Customer.objects.frozen()) == {seven[0], seven[6]}
    check_invariants()


def test_a_customer_associated_between_two_steps_gets_the_total(acme, ann, seven, between_steps):
    between_steps(lambda step: step == 1 and factories.customer(acme, "newcomer"))
    factories.report(("newcomer", "2026-09", "70"), *[(each, "2026-09", "10") for each in seven])
    assert Expenditure.objects.get(account="newcomer").customer == Customer.objects.get(customer_id="newcomer")
    check_invariants()


def test_a_customer_that_left_between_two_steps_keeps_no_total_of_the_month(seven, between_steps):
    leaving = Customer.objects.filter(pk=seven[6].pk)
    between_steps(lambda step: step == 1 and disassociate_customers(leaving))
    report(seven, "10")
    assert Expenditure.objects.get(account=seven[6].customer_id).customer is None
    check_invariants()


def test_a_partners_report_stores_nothing_about_a_customer_that_left_between_two_steps(acme, seven, between_steps):
    leaving = Customer.objects.filter(pk=seven[6].pk)
    between_steps(lambda step: step == 1 and disassociate_customers(leaving))
    report(seven, "10", only=acme)
    assert not Expenditure.objects.filter(account=seven[6].customer_id).exists()


def test_a_month_that_turns_between_two_steps_restores_once(acme, ann, between_steps, clock):
    customers = factories.customers(acme, 6)
    factories.budget(customers, ann, "100", BudgetType.MONTHLY, unfreeze_on_restore=True)
    between_steps(lambda step: step == 1 and clock.move_to(factories.moment("2026-10-01 04:00")))
    report(customers, "120", at=factories.moment("2026-09-20 04:00"))
    assert used() == [0] * 6
    assert not Customer.objects.frozen().exists()
    assert Expenditure.objects.filter(month=202609, total=120).count() == 6
    check_invariants()


# --- Interrupted and taken over -----------------------------------------------------------------------------------


def test_an_interrupted_report_is_completed_by_the_next_one_and_nothing_is_applied_twice(seven, between_steps):
    between_steps(interrupt_before(2))
    with pytest.raises(Interruption):
        report(seven, "100")
    assert used() == [100] * 4 + [0] * 3
    assert ReportImport.objects.get().state == "APPLYING"
    fall_silent()
    between_steps(lambda step: None)
    other = factories.report(("nobody", "2026-09", "5"))
    assert other.changed == 1
    assert used() == [100] * 7
    assert FreezeRecord.objects.filter(operation="FREEZE", origin_after="BUDGET_EXHAUSTED").count() == 7
    completed = ReportImport.objects.get(steps=4)
    assert (completed.state, completed.changed, completed.frozen) == ("IMPORTED", 7, 7)
    check_invariants()


def test_the_same_report_again_completes_it_and_says_what_it_changed(seven, between_steps):
    between_steps(interrupt_before(1))
    with pytest.raises(Interruption):
        report(seven, "100")
    fall_silent()
    between_steps(lambda step: None)
    result = report(seven, "100")
    assert (result.changed, result.frozen) == (7, 7)
    assert result.report == ExpenditureReport.objects.get().pk


def test_while_a_report_gives_signs_of_life_another_is_refused(acme, ann, seven, between_steps, tmp_path, sign_in):
    between_steps(interrupt_before(2))
    with pytest.raises(Interruption):
        report(seven, "100")
    file = tmp_path / "other.csv"
    file.write_text(f"customer_id,month,list_price_total\n{seven[0].customer_id},2026-09,1\n")
    with pytest.raises(CommandError, match=r"Another report is being imported \(50%\)") as error:
        run_command("import_expenditure", file)
    assert error.value.returncode == UNDER_WAY
    response = sign_in(ann).post(
        "/customers/expenditure/", {"file": SimpleUploadedFile("other.csv", file.read_bytes())}
    )
    assert response.status_code == 409
    assert "Another report is being imported (50%). Send it again in a minute." in response.content.decode()
    assert used() == [100] * 4 + [0] * 3
    assert ReportImport.objects.count() == 1


def test_the_month_does_not_go_back_while_a_report_is_between_two_steps(seven, between_steps):
    between_steps(interrupt_before(2))
    with pytest.raises(Interruption):
        report(seven, "100")
    with pytest.raises(CommandError, match="A report is being imported"):
        run_command("restore_budgets", "--to", "2026-08", "--confirm")
    assert set(Budget.objects.values_list("counted_from", flat=True)) == {202609}


def test_a_process_that_wakes_up_after_it_was_replaced_writes_nothing(seven, between_steps):
    def take_over(step: int) -> None:
        if step == 2:
            ReportImport.objects.update(token=uuid.uuid4())

    between_steps(take_over)
    with pytest.raises(ReportUnderWay, match="taken over"):
        report(seven, "100")
    assert used() == [100] * 4 + [0] * 3


def test_the_page_shows_how_far_a_report_is_and_that_one_was_interrupted(ann, seven, between_steps, sign_in):
    between_steps(interrupt_before(2))
    with pytest.raises(Interruption):
        report(seven, "100")
    assert "Being imported (50%)" in sign_in(ann).get("/customers/expenditure/").content.decode()
    fall_silent()
    assert "Interrupted (50%)" in sign_in(ann).get("/customers/expenditure/").content.decode()


# --- Any reports in any order -------------------------------------------------------------------------------------

ACCOUNTS = ("one", "two", "three", "four", "five")
MONTHS = ("2026-08", "2026-09", "2026-10")
# The last evening of September in the billing time zone, and the first hour of October.
START, NEXT_MONTH = factories.moment("2026-09-30 12:00"), factories.moment("2026-09-30 16:30")
# Each report with its age in hours, its totals, and what happens after its first step.
REPORTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.dictionaries(
            st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(MONTHS)),
            st.sampled_from(["0.00", "-3.50", "20.00", "60.00", "100.00", "100.01"]),
            min_size=1,
        ),
        st.sampled_from(["nothing", "set", "associate", "leave", "month", "crash"]),
    ),
    max_size=6,
)


def model_totals(reports: list[Any]) -> dict[tuple[str, int], Decimal]:
    """What is stored after these reports, which arrived in this order: of each total the newest one."""
    stored: dict[tuple[str, int], tuple[int, Decimal]] = {}
    for age, totals, _event in reports:
        for (account, month), total in totals.items():
            key = (account, int(month.replace("-", "")))
            if key not in stored or stored[key][0] >= age:
                stored[key] = (age, Decimal(total))
    return {key: total for key, (_age, total) in stored.items()}


def test_reports_in_any_order_with_anything_between_their_steps_equal_the_model(acme, ann, between_steps, monkeypatch):
    monkeypatch.setattr(report_steps, "CUSTOMERS_PER_STEP", 1)
    events: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "set": lambda: factories.budget(list(Customer.objects.current()), ann, "60", BudgetType.MONTHLY),
        "associate": lambda: "five" in current_ids() or factories.customer(acme, "five"),
        "leave": lambda: disassociate_customers(Customer.objects.filter(customer_id="one")),
    }

    @settings(max_examples=60, deadline=None)
    @given(REPORTS)
    def check(reports: list[Any]) -> None:
        with rolled_back(), time_machine.travel(START, tick=False) as clock:
            factories.budget([factories.customer(acme, account) for account in ACCOUNTS[:4]], ann, "100")
            for age, totals, event in reports:
                happens = events.get(event) or partial(clock.move_to, NEXT_MONTH)
                if event == "crash":
                    # The crash is to interrupt this report, not the completion of the last one.
                    between_steps(lambda step: None)
                    report_steps.complete_interrupted_report()
                between_steps(interrupt_before(1) if event == "crash" else after_first_step(happens))
                lines = [(account, month, total) for (account, month), total in totals.items()]
                with suppress(Interruption):
                    factories.report(*lines, at=START - timedelta(hours=age))
                fall_silent()
            between_steps(lambda step: None)
            report_steps.complete_interrupted_report()
            rows = Expenditure.objects.values_list("account", "month", "total")
            assert {(account, month): total for account, month, total in rows} == model_totals(reports)
            exhausted = Budget.objects.filter(level=100, account_freezing=AccountFreezing.AUTOMATIC)
            assert all(budget.customer.is_frozen for budget in exhausted.select_related("customer"))
            assert not ReportTotal.objects.exists()
            check_invariants()

    check()


def after_first_step(happens: Callable[[], object]) -> Callable[[int], object]:
    return lambda step: step == 1 and happens()


def current_ids() -> set[str]:
    return set(Customer.objects.current().values_list("customer_id", flat=True))
