"""Expenditure reports as templates and messages show them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.import_report import ReportResult
from budgets.models import ExpenditureReport
from customers.masking import mask_name
from customers.models import FreezeRecord
from partnercenter.lib.money import show_number
from partnercenter.models import Partner

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
            "imported_at": report.imported_at,
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
        "imported_at": report.imported_at,
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
        "The report is imported: %(n)s total changed.", "The report is imported: %(n)s totals changed.", taken.changed
    ) % {"n": show_number(taken.changed)}
    if taken.frozen:
        said += " " + ngettext("%(n)s account is frozen.", "%(n)s accounts are frozen.", taken.frozen) % {
            "n": show_number(taken.frozen)
        }
    return said


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
