"""The page of work that takes long, and its start once more."""

import json
from typing import Any

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
def job(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Work that takes long: how far it is, and what came of it. The operator's own; anybody else's does not exist."""
    mine = get_object_or_404(request.user.jobs, pk=pk)
    context = {"job": mine, "is_silent": jobs.is_stalled(mine)}
    return page_or_partial(request, "partnercenter/job.html", context, partial="job", target="job")


@require_POST
@partner_required
def job_again(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Start a job again whose worker gives no sign of life."""
    mine = get_object_or_404(request.user.jobs, pk=pk)
    try:
        jobs.restart_job(mine)
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("job", pk=mine.pk)


def job_response(
    request: ConsoleRequest, job: Job, *, then: str, selection_done: bool = False, link: Link | None = None
) -> HttpResponse:
    """After a job was started: if it is done, as after any action, and on to what came of it; else to its page."""
    if job.state == Job.State.DONE:
        if not request.htmx:
            messages.success(request, job.message)
            return redirect(job.link or then)
        return action_done(request, job.message, then=then, selection_done=selection_done, link=link)
    path = resolve_url("job", pk=job.pk)
    if not request.htmx:
        return redirect(path)
    events: dict[str, Any] = {"dialog:close": {}} | ({"selection:clear": {}} if selection_done else {})
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events), "HX-Redirect": path})
