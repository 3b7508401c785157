"""Expenditure reports as pages show them."""

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from budgets.models import ExpenditureReport
from customers.masking import mask_name
from customers.models import FreezeRecord
from partnercenter.lib.types import Context
from partnercenter.models import Partner

REPORT_COUNTS = ("lines", "customers", "changed", "exhausted")


def show_reports(reports: Iterable[ExpenditureReport], partner: Partner) -> list[Context]:
    """Turn reports into rows for a partner.

    Of the platform's own reports, a partner sees only the times, and how many of its own accounts they froze.
    """
    reports = list(reports)
    freezes = freezes_of(partner).filter(batch__in=[report.pk for report in reports])
    frozen = dict(freezes.order_by().values_list("batch").annotate(Count("pk")))
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
        for report in reports
    ]


def freezes_of(partner: Partner) -> QuerySet[FreezeRecord]:
    """All freezes of the partner's customers. The batch of a freeze caused by a report is the report's key."""
    return FreezeRecord.objects.filter(customer__partner=partner, operation=FreezeRecord.Operation.FREEZE)


def show_report(report: ExpenditureReport) -> Context:
    """A report with its content and effects, or only its times if it is the platform's own."""
    times = {
        "reported_at": report.reported_at,
        "imported_at": report.imported_at,
        "operator": report.operator_name,
        "own": report.partner_id is not None,
    }
    if report.partner_id is None:
        return times
    totals = {name: Decimal(report.summary[name]) for name in ("total", "unattributed_total")}
    formats = {"focus": "FOCUS", "plain": _("Plain CSV"), "mixed": _("FOCUS and plain CSV")}
    return report.summary | totals | times | {"sources": report.sources, "format_label": formats[report.format]}


def show_frozen(records: Iterable[FreezeRecord]) -> list[Context]:
    """Turn the freezes of a report into rows: the accounts, with the figures of that moment."""
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
