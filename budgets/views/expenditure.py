"""Customer Expenditure: an administrator imports reports for the own customers; what is nobody's.

See rules 8.4, 8.5 (docs/rules.md).
"""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from budgets import tasks
from budgets.forms.files import ReportForm
from budgets.models import ExpenditureReport, UnassociatedExpenditure
from budgets.presenters.reports import freezes_of, show_frozen, show_report, show_reports
from partnercenter.actions import jobs
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import page_context
from partnercenter.models import Job
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

REPORTS_PER_PAGE = 20
FROZEN_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure(request: ConsoleRequest) -> HttpResponse:
    """Customer Expenditure: import a report for the own customers (rule 8.5 (docs/rules.md)).

    And the reports imported so far.
    """
    if request.method != "POST":
        return _show_expenditure(request, ReportForm())
    form = ReportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_expenditure(request, form, status=422)
    title = _("Customer Expenditure")
    job = jobs.start_job(tasks.take_in, title, operator=request.user, files=form.cleaned_data["file"])
    if job.state != Job.State.REFUSED:
        return job_response(request, job, then="expenditure")
    if not job.problems:
        form.add_error(None, job.message)
    return _show_expenditure(request, form, errors=job.problems, status=job.status)


def _reports(request: ConsoleRequest) -> Any:
    return ExpenditureReport.objects.filter(Q(partner=request.partner) | Q(partner=None))


def _show_expenditure(
    request: ConsoleRequest,
    form: ReportForm,
    *,
    errors: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    page = Paginator(_reports(request).order_by("-imported_at"), REPORTS_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_reports(page.object_list, request.partner)) | {
        "form": form,
        "errors": errors or [],
        "jobs": jobs.recent_jobs(request.user, tasks.take_in),
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/expenditure.html", context, status=status)


@require_safe
@partner_required
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure_report(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """One report: what it said, what it did, and the own accounts it froze."""
    report = get_object_or_404(_reports(request), pk=pk)
    frozen = freezes_of(request.partner).filter(batch=report.pk).select_related("customer").order_by("pk")
    page = Paginator(frozen, FROZEN_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_frozen(page.object_list)) | {"report": show_report(report)}
    return render(request, "budgets/expenditure_report.html", context)


@require_safe
def unassociated(request: ConsoleRequest) -> HttpResponse:
    """Accounts that reports name and nobody knows, for the platform's staff: the administration's own page of them.

    A partner's people have none: of their reports only what is their own customers' is kept; see rule 8.5
    (docs/rules.md).
    """
    if not request.user.is_superuser:
        raise PermissionRefused(_("Only the platform's staff see accounts that nobody knows."))
    return admin.site.get_model_admin(UnassociatedExpenditure).changelist_view(request)
