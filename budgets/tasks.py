"""The tasks that jobs run outside of requests, because they may take long.

Jobs wait in the database while a new version is installed. So the dotted paths of these functions
(`budgets.tasks.confirm`, ..) and the keys of `Job.terms` that they read must not change.

Each task first reads and checks, then makes its changes in one transaction in which it also ends the job. Only a large
expenditure report is applied in several; the last of them ends the job.
"""

import time
from collections.abc import Callable
from functools import partial, wraps
from typing import cast

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django_tasks import task
from django_tasks.base import Task

from budgets.actions.billing_month import current_month, restore_behind
from budgets.actions.freeze_terms import freeze_request_from
from budgets.actions.import_budgets import review_import
from budgets.actions.import_report import ReportResult, import_report
from budgets.actions.manual_freeze import review_freeze
from budgets.actions.plausibility import ImplausibleReport
from budgets.actions.report_imports import delete_files, heartbeat, import_attempt, waiting_import
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import terms_from_json
from budgets.files.expenditure_reports import read_report
from budgets.presenters.messages import message_for_import, message_for_report
from customers.listing.customer_list import CustomerList
from customers.models import Customer, CustomerQuerySet
from partnercenter.actions import jobs, operations
from partnercenter.lib.errors import ReportUnderWay
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Job, Operation
from partnercenter.operation_kinds import kind_of

# How long a worker waits before it looks again whether another report is still being imported.
SECONDS_BETWEEN_TRIES = 2


def job_task(do: Callable[[jobs.JobRun], None]) -> Task[[str], None]:
    """Turn a function that does the work of a job into a task, which takes the key of the job."""

    # The queue stores the path of the task: with `wraps` it is that of the decorated function.
    @wraps(do)
    def run(job: str) -> None:
        jobs.run_job(job, do)

    return task()(run)


@job_task
def confirm(run: jobs.JobRun) -> None:
    """Apply a reviewed operation whose code, if it needed one, was accepted."""
    # Jobs of this task always have one.
    operation = cast(Operation, run.job.operation)
    run.link_if_refused = reverse("operation", args=[operation.pk])
    # The month is restored before any lock is taken.
    current_month()
    run.applying()

    def apply() -> None:
        kind = kind_of(operation)
        message = kind.apply(only_unchanged=run.job.terms["only_unchanged"])
        run.end(message, link=kind.batch_path)

    operations.confirm_operation(operation, "", apply)


@job_task
def review(run: jobs.JobRun) -> None:
    """Make a review of new budgets for many customers."""
    terms = run.job.terms
    customers, all_matching = _selected_customers(run.job)
    current_month()
    # In steps, because the review's own transaction would lock all of its customers that are behind.
    restore_behind()
    with write_transaction():
        operation = review_budgets(
            customers,
            terms_from_json(terms["terms"]),
            operator=run.job.operator,
            unfreeze=terms["terms"]["unfreeze"],
            all_matching=all_matching,
        )
        message = _("The review is ready. Nothing is set until you confirm it.")
        run.end(message, link=reverse("operation", args=[operation.pk]))


@job_task
def review_freezing(run: jobs.JobRun) -> None:
    """Make a review of freezing or unfreezing many customers by hand."""
    terms = run.job.terms
    customers, all_matching = _selected_customers(run.job)
    current_month()
    # In steps, because the review's own transaction would lock all of its customers that are behind.
    restore_behind()
    with write_transaction():
        request = freeze_request_from(terms["terms"], freezes=terms["act"] == Operation.Kind.FREEZE)
        operation = review_freeze(customers, request, operator=run.job.operator, all_matching=all_matching)
        message = _("The review is ready. No account is changed until you confirm it.")
        run.end(message, link=reverse("operation", args=[operation.pk]))


@task()
def restore_month() -> None:
    """Restore all budgets that have not followed the new month yet, in steps; see rule 3.14 (docs/rules.md).

    It belongs to no job and nobody waits for it. If it is interrupted, `manage.py restore_budgets` completes it.
    """
    restore_behind()


def _selected_customers(job: Job) -> tuple[CustomerQuerySet, bool]:
    """The customers that a review is for, and whether they are all that match the filters of a list."""
    if job.terms["all_matching"]:
        matching = CustomerList(QueryDict(job.terms["query"]), job.operator)
        matching.refuse_unreadable()
        return matching.queryset, True
    return Customer.objects.visible_to(job.operator).filter(customer_id__in_array=job.terms["customers"]), False


@job_task
def import_budgets(run: jobs.JobRun) -> None:
    """Read a CSV file of budgets and make a review of its good lines."""
    with run.files() as [(name, content)]:
        agreement = run.job.terms.get("agreement", "")
        result = review_import(name, content, operator=run.job.operator, agreement=agreement, progress=run.progress)
    link = reverse("operation", args=[result.operation.pk]) if result.operation else ""
    status = 422 if result.bad else 200
    run.end(message_for_import(result), link=link, problems=map(str, result.bad_lines), status=status)


@job_task
def take_in(run: jobs.JobRun) -> None:
    """Import an expenditure report for the operator's own customers; see rule 8.5 (docs/rules.md)."""
    operator = run.job.operator
    sources = [name for name, _path in run.job.files]
    with import_attempt(sources, operator=operator, partner=operator.partner) as attempt:
        try:
            with run.files() as files:
                report = read_report(files, progress=heartbeat(attempt, run.progress))
            run.applying()
            # Without a time in its lines it refers to when it was uploaded, however long the job waited.
            _import_in_turn(
                run,
                partial(
                    import_report,
                    report,
                    operator=operator,
                    default_time=run.job.created_at,
                    only=operator.partner,
                    key=attempt.pk,
                ),
            )
        except ImplausibleReport:
            attempt.files = run.keep_files()
            run.link_if_refused = reverse("expenditure_report", args=[attempt.pk])
            raise


@job_task
def confirm_report(run: jobs.JobRun) -> None:
    """Import an uploaded report that an administrator has confirmed; see rule 8.3 (docs/rules.md)."""
    attempt = waiting_import(run.job.terms["report_import"], run.job.operator)
    run.link_if_refused = reverse("expenditure_report", args=[attempt.pk])
    with jobs.open_files(attempt.files) as files:
        report = read_report(files, progress=run.progress)
    run.applying()
    _import_in_turn(
        run,
        partial(
            import_report,
            report,
            operator=run.job.operator,
            default_time=attempt.began_at,
            only=attempt.partner,
            confirm=attempt.content_hash,
            key=attempt.pk,
        ),
    )
    delete_files(attempt)


def _import_in_turn(run: jobs.JobRun, do_import: Callable[..., ReportResult]) -> None:
    """Import a report and end the job. A worker waits until no other report is being imported."""

    def finish(result: ReportResult) -> None:
        link = reverse("expenditure_report", args=[result.report]) if result.report else ""
        run.end(message_for_report(result), link=link)

    while True:
        try:
            do_import(finish=finish)
            return
        except ReportUnderWay:
            if not jobs.uses_worker():
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
