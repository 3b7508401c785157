"""Expenditure reports as pages show them."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from budgets.models import ExpenditureReport, ReportImport, ReportSum
from budgets.months import month_name
from customers.masking import mask_name
from customers.models import FreezeRecord
from partnercenter.lib.types import Context
from partnercenter.models import Partner

SUM_COLUMNS = ("accounts", "total", "total_before", "risen", "fallen")


def show_reports(imports: Iterable[ReportImport], partner: Partner) -> list[Context]:
    """Turn imports of reports into rows for a partner.

    Of the platform's own reports, a partner sees only times and state, and the figures of its own customers.
    """
    imports = list(imports)
    keys = [each.pk for each in imports]
    frozen = dict(freezes_of(partner).filter(batch__in=keys).order_by().values_list("batch").annotate(Count("pk")))
    sums = _sums_of(partner, keys)
    return [
        {
            "pk": each.pk,
            "began_at": each.began_at,
            "reported_at": each.reported_at,
            "state": each.state,
            "state_label": state_label(each),
            "operator": each.operator_name,
            "sources": each.sources if each.partner_id else [_("all customers of the platform")],
            "sums": sums.get(each.pk),
            "frozen": frozen.get(each.pk, 0),
        }
        for each in imports
    ]


def _sums_of(partner: Partner, keys: list[UUID]) -> dict[UUID, Context]:
    """What these reports stated for the partner's customers, over all months, by the key of the report."""
    sums = ReportSum.objects.filter(partner=partner, report__in=keys).order_by().values_list("report")
    rows = sums.annotate(*(Sum(name) for name in SUM_COLUMNS))
    return {key: dict(zip(SUM_COLUMNS, figures, strict=True)) for key, *figures in rows}


def state_label(report_import: ReportImport) -> str:
    """The state of an import in words, with how far it is; without a sign of life it is interrupted."""
    state = _("Interrupted") if report_import.is_interrupted else report_import.get_state_display()
    if report_import.state != ReportImport.State.APPLYING:
        return state
    return _("%(state)s (%(percent)s%%)") % {"state": state, "percent": report_import.percent}


def freezes_of(partner: Partner) -> QuerySet[FreezeRecord]:
    """All freezes of the partner's customers. The batch of a freeze caused by a report is the report's key."""
    return FreezeRecord.objects.filter(customer__partner=partner, operation=FreezeRecord.Operation.FREEZE)


def show_report(report_import: ReportImport, partner: Partner) -> Context:
    """An import for a partner: its own reports with content and reasons, the platform's only with times and state.

    Both have the sums of the partner's own customers by month.
    """
    sums = ReportSum.objects.filter(report=report_import.report, partner=partner).order_by("month")
    shown = {
        "pk": report_import.pk,
        "began_at": report_import.began_at,
        "reported_at": report_import.reported_at,
        "state": report_import.state,
        "state_label": state_label(report_import),
        "operator": report_import.operator_name,
        "own": report_import.partner_id is not None,
        "sums": [_sum_row(each) for each in sums],
    }
    if report_import.partner_id is None:
        return shown
    own = {name: getattr(report_import, name) for name in ("sources", "reason", "problems", "confirmed_by")}
    stated = _stated(report_import.report) if report_import.report else {}
    return shown | own | stated | {"comparison": _comparison(report_import.comparison)}


def _sum_row(each: ReportSum) -> Context:
    return {"month": month_name(each.month)} | {name: getattr(each, name) for name in SUM_COLUMNS}


def _stated(report: ExpenditureReport) -> Context:
    """What a report stated and changed, from its summary."""
    formats = {"focus": "FOCUS", "plain": _("Plain CSV"), "mixed": _("FOCUS and plain CSV")}
    totals = {name: Decimal(report.summary[name]) for name in ("total", "unattributed_total")}
    return report.summary | totals | {"format_label": formats[report.format]}


def _comparison(stored: Context | None) -> Context | None:
    """The figures that need a confirmation, with amounts as decimals again."""
    if stored is None:
        return None
    amounts = {name: Decimal(stored[name]) for name in ("before", "after")}
    largest = [
        {"account": each["account"], "before": Decimal(each["before"]), "after": Decimal(each["after"])}
        for each in stored["largest"]
    ]
    return stored | amounts | {"month": month_name(stored["month"]), "largest": largest}


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
