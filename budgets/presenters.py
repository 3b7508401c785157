"""Budgets, adjustment records and reports as their templates get them: labels, masked names, figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.import_budgets import BudgetImport
from budgets.actions.import_report import ReportResult
from budgets.models import AdjustmentRecord, Budget, Expenditure, ExpenditureReport
from budgets.months import month_name, previous_month
from customers.masking import mask_name
from customers.models import Customer, FreezeRecord
from partnercenter.lib.money import show_amount, show_number
from partnercenter.models import BudgetType, Channel, Confirmation, Partner


@dataclass(frozen=True)
class DialogCustomer:
    """A customer as the dialog names it."""

    customer_id: str
    account_name: str
    name: str
    names_shown: bool
    retention_until: datetime | None


def show_customer(customer: Customer, *, names_shown: bool) -> DialogCustomer:
    """The customer with its name masked, unless names are shown."""
    name = customer.name if names_shown else mask_name(customer.name)
    return DialogCustomer(customer.customer_id, customer.account_name, name, names_shown, customer.retention_until)


def show_budget(budget: Budget | None, as_of: datetime | None) -> dict[str, Any] | None:
    """The budget that stands, and of when its estimate is."""
    if budget is None:
        return None
    return {
        "type_label": budget.get_budget_type_display(),
        "amount": budget.amount,
        "used": budget.used,
        "remaining": budget.remaining,
        "usage": budget.usage,
        "exhausted": budget.exhausted,
        "as_of": as_of,
        "counted_from": month_name(budget.counted_from),
        "account_freezing_label": budget.get_account_freezing_display(),
    }


def notes(customer: Customer, month: int) -> dict[str, str]:
    """What the operator is told beside each type: what would count, what a change of type forgets (domain 3.2, 3.3)."""
    budget = getattr(customer, "budget", None)
    this_month = Expenditure.objects.filter(customer=customer, month=month).values_list("total", flat=True).first()
    spent = this_month or Decimal("0.00")
    if budget is None:
        return dict.fromkeys(("to_monthly", "to_one_time"), _counted(month, spent))
    if budget.budget_type == BudgetType.MONTHLY:
        change = _("The change to a one-time budget takes effect at once, and it does not restore next month.")
        return {"to_monthly": _counted(month, budget.used), "to_one_time": f"{change} {_counted(month, spent)}"}
    change = _("The change to a monthly budget takes effect at once.")
    return {
        "to_one_time": _counted(budget.counted_from, budget.used),
        "to_monthly": " ".join((change, *_forgotten(budget, month), _counted(month, spent))),
    }


def _forgotten(budget: Budget, month: int) -> list[str]:
    if budget.counted_from >= month:
        return []
    months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
    return [_("What was spent from %(first)s to %(last)s no longer counts, not even after a change back.") % months]


def _counted(month: int, used: Decimal) -> str:
    return _(
        "Counted since %(month)s, %(used)s used. A budget of that amount or less is used up at once; with Automatic "
        "the account is frozen at once."
    ) % {"month": month_name(month), "used": show_amount(used)}


def show_records(records: Iterable[AdjustmentRecord]) -> list[dict[str, Any]]:
    """Adjustment records as rows."""
    return [
        {
            "at": record.at,
            "operator": record.operator_name,
            "partner_company": record.partner_company,
            "operation_label": record.get_operation_display(),
            "budget_type_label": record.get_budget_type_after_display() or "--",
            "amount": record.amount_after,
            "amount_before": record.amount_before,
            "account_freezing_label": record.get_account_freezing_after_display() or "--",
            "counted_from": record.counted_from_after and month_name(record.counted_from_after),
            "used": record.used,
            "unfreeze": record.unfreeze,
            "channel_label": record.get_channel_display(),
        }
        for record in records
    ]


REPORT_COUNTS = ("lines", "customers", "changed", "exhausted")


def show_reports(reports: Iterable[ExpenditureReport], partner: Partner) -> list[dict[str, Any]]:
    """Reports as rows. Of the platform's own a partner is shown when they came and whom of its own they froze."""
    listed = list(reports)
    frozen = dict(
        freezes_of(partner)
        .filter(batch__in=[report.pk for report in listed])
        .order_by()
        .values_list("batch")
        .annotate(Count("pk"))
    )
    return [
        {
            "pk": report.pk,
            "reported_at": report.reported_at,
            "taken_in_at": report.taken_in_at,
            "operator": report.operator_name,
            "sources": report.sources if report.partner_id else [_("all customers of the platform")],
            **{name: report.summary[name] if report.partner_id else "--" for name in REPORT_COUNTS},
            "frozen": frozen.get(report.pk, 0),
        }
        for report in listed
    ]


def freezes_of(partner: Partner) -> Any:
    """The freezes of the partner's customers; those a report led to have its key as their batch."""
    return FreezeRecord.objects.filter(customer__partner=partner, operation=FreezeRecord.Operation.FREEZE)


def show_report(report: ExpenditureReport) -> dict[str, Any]:
    """One report with all it said and did; only its times for one of the platform's own."""
    shown = {
        "reported_at": report.reported_at,
        "taken_in_at": report.taken_in_at,
        "operator": report.operator_name,
        "own": report.partner_id is not None,
    }
    if report.partner_id is None:
        return shown
    totals = {name: Decimal(report.summary[name]) for name in ("total", "unattributed_total")}
    formats = {"focus": "FOCUS", "plain": _("Plain CSV"), "mixed": _("FOCUS and plain CSV")}
    return report.summary | totals | shown | {"sources": report.sources, "format_label": formats[report.format]}


def message_for_report(taken: ReportResult) -> str:
    """The message after a report: what it changed, or why it changed nothing."""
    if not taken.changed:
        figures = {name: show_number(getattr(taken, name)) for name in ("lines", "older", "not_yours")}
        said = _("The report was read and changes nothing: %(lines)s lines, %(older)s totals older than what stands.")
        if taken.not_yours:
            said += " " + _("%(not_yours)s customer IDs in it are not yours.")
        return said % figures
    said = ngettext(
        "The report is taken in: %(n)s total changed.", "The report is taken in: %(n)s totals changed.", taken.changed
    ) % {"n": show_number(taken.changed)}
    if taken.frozen:
        said += " " + ngettext("%(n)s account is frozen.", "%(n)s accounts are frozen.", taken.frozen) % {
            "n": show_number(taken.frozen)
        }
    return said


def message_for_import(told: BudgetImport) -> str:
    """What a file of budgets came to, in sentences; its bad lines are listed beside them."""
    said = []
    if told.bad:
        bad = ngettext("Nothing was set: %(n)s bad line.", "Nothing was set: %(n)s bad lines.", told.bad)
        said.append(bad % {"n": show_number(told.bad)})
    if told.bad > len(told.bad_lines):
        said.append(_("The first %(n)s are listed.") % {"n": len(told.bad_lines)})
    if told.why_not:
        said.append(_("Nor can the others be reviewed: %(why)s") % {"why": told.why_not})
    elif told.operation is None and not told.bad:
        nothing = ngettext(
            "The file was read and changes nothing: %(n)s line.",
            "The file was read and changes nothing: %(n)s lines.",
            told.lines,
        )
        said.append(nothing % {"n": show_number(told.lines)})
    elif same := told.lines - told.bad - told.reviewed:
        said.append(
            ngettext("%(n)s line changes nothing.", "%(n)s lines change nothing.", same) % {"n": show_number(same)}
        )
    if told.operation is not None:
        ready = ngettext("The review of %(n)s line is ready.", "The review of %(n)s lines is ready.", told.reviewed)
        said.append(ready % {"n": show_number(told.reviewed)})
    return " ".join(said)


def show_frozen(records: Iterable[FreezeRecord]) -> list[dict[str, Any]]:
    """The accounts a report froze, with the figures of that moment."""
    return [
        {
            "pk": record.pk,
            "at": record.at,
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "name": mask_name(record.customer.name),
            "budget_type_label": record.get_budget_type_display() or "--",
            "amount": record.amount,
            "used": record.used,
        }
        for record in records
    ]


def show_batches(confirmations: Iterable[Confirmation]) -> list[dict[str, Any]]:
    """Batches as rows, with how many budgets each changed and accounts it froze and unfroze."""
    listed = list(confirmations)
    keys = [each.pk for each in listed]
    records = AdjustmentRecord.objects.filter(batch__in=keys)
    changed = _numbers(records)
    freezes = FreezeRecord.objects.filter(batch__in=keys)
    channels = _channels(freezes) | _channels(records)
    frozen = _numbers(freezes.filter(operation=FreezeRecord.Operation.FREEZE))
    unfrozen = _numbers(freezes.filter(operation=FreezeRecord.Operation.UNFREEZE))
    return [
        {
            "pk": each.pk,
            "at": each.at,
            "operator": each.operation.operator.username,
            "operation_label": each.operation.get_kind_display(),
            "channel_label": Channel(channels[each.pk]).label if each.pk in channels else "--",
            "confirmed_label": each.get_how_display(),
            "changed": changed.get(each.pk, 0),
            "frozen": frozen.get(each.pk, 0),
            "unfrozen": unfrozen.get(each.pk, 0),
        }
        for each in listed
    ]


def _channels(records: Any) -> dict[Any, str]:
    return dict(records.order_by().values_list("batch").annotate(Min("channel")))


def _numbers(records: Any) -> dict[Any, int]:
    return dict(records.order_by().values_list("batch").annotate(Count("pk")))


def show_records_of_batch(records: Iterable[Any]) -> list[dict[str, Any]]:
    """Adjustment records as rows, with whose they are, and whether the customer still `stands` as they left it.

    `freeze_record` is the key of the one that says what became of the account, None where nothing did.
    """
    listed = list(records)
    return [
        shown
        | {
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "budget_type_before_label": record.get_budget_type_before_display() or "--",
            "moved_on": not record.stands,
            "freeze_record": record.freeze_record,
        }
        for record, shown in zip(listed, show_records(listed), strict=True)
    ]


TERMS_BEFORE_AND_AFTER = ("budget_type", "amount", "account_freezing", "counted_from")
ADJUSTMENT_COLUMNS = (
    "time",
    "operator",
    "customer_id",
    "account_name",
    "customer_name",
    "operation",
    *(f"{name}_{side}" for name in TERMS_BEFORE_AND_AFTER for side in ("before", "after")),
    "used",
    "unfreeze_now",
    "channel",
)


def record_as_row(record: AdjustmentRecord, zone: tzinfo) -> list[Any]:
    """An adjustment record as a row of `RECORD_COLUMNS`, its customer's name masked (domain 7.1)."""
    return [
        timezone.localtime(record.at, zone).isoformat(" ", "seconds"),
        record.operator_name,
        record.customer.customer_id,
        record.customer.account_name,
        mask_name(record.customer.name),
        record.operation,
        *(getattr(record, f"{name}_{side}") for name in TERMS_BEFORE_AND_AFTER for side in ("before", "after")),
        record.used,
        int(record.unfreeze),
        record.channel,
    ]
