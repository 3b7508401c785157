"""What is done outside the request, as it may take long: read and checked first, then one step."""

from typing import Any

from django.urls import reverse
from django_tasks import task

from budgets.actions import apply_budgets, current_month, take_in_report
from budgets.reports import read_report
from budgets.reviews import tell
from budgets.showing import tell_taken_in
from partnercenter import jobs, verification
from partnercenter.database import writing


@task()
def confirm(job: str) -> None:
    """Apply a reviewed operation whose code, if it needs one, was accepted."""
    jobs.work(job, _confirm)


def _confirm(work: jobs.Work) -> None:
    operation: Any = work.job.operation
    work.way_back = reverse("operation", args=[operation.pk])
    # Before any lock, as every view does.
    current_month()
    work.applying()

    def apply() -> None:
        outcome = apply_budgets(operation, only_unchanged=work.job.terms["only_unchanged"])
        work.end(tell(outcome, operation), link=reverse("batch", args=[operation.pk]))

    verification.confirm(operation, "", apply)


@task()
def take_in(job: str) -> None:
    """Take in an expenditure report for the operator's own customers (domain 8.5)."""
    jobs.work(job, _take_in)


def _take_in(work: jobs.Work) -> None:
    with work.files() as files:
        read = read_report(files, progress=work.progress)
    operator = work.job.operator
    work.applying()
    with writing():
        # Of when it was sent, however long it waited.
        taken = take_in_report(read, operator=operator, reported_at=work.job.created_at, only=operator.partner)
        link = reverse("expenditure_report", args=[taken.report]) if taken.report else ""
        work.end(tell_taken_in(taken), link=link)
