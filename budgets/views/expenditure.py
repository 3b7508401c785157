"""Customer Expenditure: an administrator takes in reports for the own customers (domain 8.5)."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from budgets import showing
from budgets.actions import TakenIn, current_month, take_in_report
from budgets.forms import ReportForm
from budgets.models import ExpenditureReport
from budgets.reports import read_report
from partnercenter.csv_files import BadFile
from partnercenter.htmx import ConsoleRequest, for_partner, paged
from partnercenter.refusals import Refusal

REPORTS_PER_PAGE = 20
FROZEN_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure(request: ConsoleRequest) -> HttpResponse:
    """Customer Expenditure: take in a report for the own customers (domain 8.5), and the reports taken in so far."""
    current_month()
    if request.method != "POST":
        return _show_expenditure(request, ReportForm())
    form = ReportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_expenditure(request, form, status=422)
    try:
        read = read_report((file.name, file) for file in form.cleaned_data["file"])
        taken = take_in_report(read, operator=request.user, only=request.user.partner)
    except BadFile as bad:
        return _show_expenditure(request, form, errors=[str(line) for line in bad.bad_lines], more=bad.more, status=422)
    except Refusal as error:
        form.add_error(None, error.message)
        return _show_expenditure(request, form, status=error.status)
    messages.success(request, _tell_taken_in(taken))
    return redirect("expenditure_report", pk=taken.report) if taken.report else redirect("expenditure")


def _tell_taken_in(taken: TakenIn) -> str:
    if not taken.changed:
        figures = {"lines": taken.lines, "older": taken.older, "not_yours": taken.not_yours}
        said = _("The report was read and changes nothing: %(lines)s lines, %(older)s totals older than what stands.")
        if taken.not_yours:
            said += " " + _("%(not_yours)s customer IDs in it are not yours.")
        return said % figures
    said = ngettext(
        "The report is taken in: %(n)s total changed.", "The report is taken in: %(n)s totals changed.", taken.changed
    ) % {"n": taken.changed}
    if taken.frozen:
        said += " " + ngettext("%(n)s account is frozen.", "%(n)s accounts are frozen.", taken.frozen) % {
            "n": taken.frozen
        }
    return said


def _reports(request: ConsoleRequest) -> Any:
    return ExpenditureReport.objects.filter(Q(partner=request.user.partner) | Q(partner=None))


def _show_expenditure(
    request: ConsoleRequest,
    form: ReportForm,
    *,
    errors: list[str] | None = None,
    more: bool = False,
    status: int = 200,
) -> HttpResponse:
    page = Paginator(_reports(request).order_by("-taken_in_at"), REPORTS_PER_PAGE).get_page(request.GET.get("page"))
    context = paged(page, showing.show_reports(page.object_list, request.user.partner)) | {
        "form": form,
        "errors": errors or [],
        "more": more,
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/expenditure.html", context, status=status)


@require_safe
@for_partner
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure_report(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """One report: what it said, what it did, and the own accounts it froze."""
    report = get_object_or_404(_reports(request), pk=pk)
    frozen = showing.freezes_of(request.user.partner).filter(batch=report.pk).select_related("customer").order_by("pk")
    page = Paginator(frozen, FROZEN_PER_PAGE).get_page(request.GET.get("page"))
    context = paged(page, showing.show_frozen(page.object_list)) | {"report": showing.show_report(report)}
    return render(request, "budgets/expenditure_report.html", context)
