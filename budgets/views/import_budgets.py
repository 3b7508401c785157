"""Import Budgets: a CSV file of budgets becomes a review of its good lines; its errors are listed."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from budgets import tasks
from budgets.actions.import_budgets import ensure_may_import
from budgets.forms.files import ImportForm
from customers.agreement import CURRENT_VERSION
from partnercenter.actions import jobs
from partnercenter.models import Job
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def import_budgets_page(request: ConsoleRequest) -> HttpResponse:
    """Import Budgets: POST a CSV file as `file` to get a review of the changes.

    If lines have errors, the response is 422 with a list of them and a button to the review of the good lines; with
    `leave_out_bad` it redirects straight to that review.
    """
    ensure_may_import(request.user)
    if request.method != "POST":
        return _show(request, ImportForm())
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, form, status=422)
    terms = {"agreement": CURRENT_VERSION if form.cleaned_data["agreement"] else ""}
    files = [form.cleaned_data["file"]]
    job = jobs.start_job(tasks.import_budgets, _("Import Budgets"), operator=request.user, terms=terms, files=files)
    if job.state == Job.State.REFUSED:
        if not job.problems:
            form.add_error(None, job.message)
        return _show(request, form, job=job, status=job.status)
    if job.state != Job.State.DONE:
        return job_response(request, job, then="import_budgets")
    if job.problems and not (job.link and form.cleaned_data["leave_out_bad"]):
        return _show(request, form, job=job, status=job.status)
    if not job.link:
        messages.info(request, job.message)
    return redirect(job.link or "import_budgets")


def _show(request: ConsoleRequest, form: ImportForm, *, status: int = 200, job: Job | None = None) -> HttpResponse:
    context = {
        "form": form,
        "job": job if job and job.problems else None,
        "jobs": jobs.recent_jobs(request.user, tasks.import_budgets),
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/import_budgets.html", context, status=status)
