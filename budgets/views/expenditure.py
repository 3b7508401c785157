"""Customer Expenditure: importing reports, viewing them, and the list of unassociated accounts.

See rules 8.4, 8.5 (docs/rules.md).
"""

from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from budgets import tasks
from budgets.actions.report_imports import refuse_unconfirmed, waiting_import
from budgets.forms.files import ConfirmReportForm, ReportForm
from budgets.models import ReportImport, UnassociatedExpenditure
from budgets.presenters.reports import freezes_of, show_frozen, show_report, show_reports
from partnercenter.actions import jobs
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
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
    """Customer Expenditure: the imported reports, and a form to import one; see rule 8.5 (docs/rules.md)."""
    if request.method != "POST":
        return _show_expenditure(request, ReportForm())
    form = ReportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_expenditure(request, form, status=422)
    title = _("Customer Expenditure")
    job = jobs.start_job(tasks.take_in, title, operator=request.user, files=form.cleaned_data["file"])
    if job.state == Job.State.REFUSED and job.link:
        # It needs a confirmation, on the page of the report.
        return redirect(job.link)
    if job.state != Job.State.REFUSED:
        return job_response(request, job, then="expenditure")
    if not job.problems:
        form.add_error(None, job.message)
    return _show_expenditure(request, form, errors=job.problems, status=job.status)


def _visible_imports(request: ConsoleRequest) -> QuerySet[ReportImport]:
    """The imports of the partner's own reports and of the platform's."""
    imports = ReportImport.objects.filter(Q(partner=request.partner) | Q(partner=None))
    return imports.select_related("report")


def _show_expenditure(
    request: ConsoleRequest,
    form: ReportForm,
    *,
    errors: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    imports = _visible_imports(request).order_by("-began_at", "pk")
    page = Paginator(imports, REPORTS_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_reports(page.object_list, request.partner)) | {
        "form": form,
        "errors": errors or [],
        "jobs": jobs.recent_jobs(request.user, tasks.take_in, tasks.confirm_report),
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/expenditure.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure_report(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page of a report: its content, its effects, and the partner's own accounts that it froze.

    A report of the partner that needs a confirmation is confirmed here, or not imported; see rule 8.3 (docs/rules.md).
    """
    report_import = get_object_or_404(_visible_imports(request), pk=pk)
    if request.method != "POST":
        return _show_report(request, report_import, ConfirmReportForm())
    form = ConfirmReportForm(request.POST)
    try:
        waiting = waiting_import(pk, request.user)
        if "refuse" in request.POST:
            refuse_unconfirmed(waiting, _("%(operator)s decided not to import it.") % {"operator": request.user})
            messages.success(request, _("The report was not imported."))
            return redirect("expenditure")
    except InvalidRequest as error:
        messages.error(request, error.message)
        return redirect("expenditure_report", pk=pk)
    if not form.is_valid():
        return _show_report(request, report_import, form, status=422)
    title = _("Customer Expenditure")
    terms = {"report_import": str(pk)}
    job = jobs.start_job(tasks.confirm_report, title, operator=request.user, terms=terms)
    if job.state == Job.State.REFUSED:
        messages.error(request, job.message)
        return redirect("expenditure_report", pk=pk)
    return job_response(request, job, then="expenditure")


def _show_report(
    request: ConsoleRequest, report_import: ReportImport, form: ConfirmReportForm, *, status: int = 200
) -> HttpResponse:
    frozen = freezes_of(request.partner).filter(batch=report_import.pk).select_related("customer").order_by("pk")
    page = Paginator(frozen, FROZEN_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_frozen(page.object_list)) | {
        "report": show_report(report_import, request.partner),
        "form": form,
    }
    return render(request, "budgets/expenditure_report.html", context, status=status)


@require_safe
def unassociated(request: ConsoleRequest) -> HttpResponse:
    """Show the Django admin page of unassociated accounts, which is for the platform only.

    A partner has no such accounts: its reports keep only its own customers; see rule 8.5 (docs/rules.md).
    """
    if not request.user.is_superuser:
        raise PermissionRefused(_("Only the platform's staff see accounts that no customer is associated with."))
    return admin.site.get_model_admin(UnassociatedExpenditure).changelist_view(request)
