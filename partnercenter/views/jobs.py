"""The page of a background job, and starting a silent job again."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, resolve_url
from django.views.decorators.http import require_POST, require_safe

from partnercenter.actions import jobs
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.htmx import Link, action_done, page_or_partial
from partnercenter.models import Job
from partnercenter.requests import ConsoleRequest, partner_required


@require_safe
@partner_required
def job(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page of a job: its progress and its result. Administrators also see the jobs of others in the company."""
    visible = Job.objects.visible_to(request.user).select_related("operator")
    shown = get_object_or_404(visible, pk=pk)
    # Its result may be a review, which nobody else may open.
    context = {"job": shown, "most_attempts": jobs.MOST_ATTEMPTS}
    return page_or_partial(request, "partnercenter/job.html", context, partial="job", target="job")


@require_POST
@partner_required
def job_again(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Start a silent job again."""
    silent_job = get_object_or_404(Job.objects.visible_to(request.user), pk=pk)
    try:
        jobs.restart_job(silent_job)
    except InvalidRequest as error:
        messages.error(request, error.message)
    return redirect("job", pk=silent_job.pk)


def job_response(
    request: ConsoleRequest, job: Job, *, then: str, selection_done: bool = False, link: Link | None = None
) -> HttpResponse:
    """The response after starting a job: as after any action if the job is done, otherwise the job's page."""
    if job.state == Job.State.DONE:
        if not request.htmx:
            messages.success(request, job.message)
            return redirect(job.link or then)
        return action_done(request, job.message, then=then, selection_done=selection_done, link=link)
    path = resolve_url("job", pk=job.pk)
    if not request.htmx:
        return redirect(path)
    events: dict[str, object] = {"dialog:close": {}}
    if selection_done:
        events["selection:clear"] = {}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events), "HX-Redirect": path})
