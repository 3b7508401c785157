"""What is done outside the request, as it may take long: read and checked first, then one step."""

from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django_tasks import task

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import freeze_request_from
from budgets.actions.import_budgets import review_import
from budgets.actions.import_report import import_report
from budgets.actions.manual_freeze import review_freeze
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import terms_from_json
from budgets.files.expenditure_reports import read_report
from budgets.presenters.messages import message_for_import
from budgets.presenters.reports import message_for_report
from customers.listing.customer_list import CustomerList
from customers.models import Customer, CustomerQuerySet
from partnercenter.actions import jobs, operations
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Job, Operation
from partnercenter.operation_kinds import kind_of


@task()
def confirm(job: str) -> None:
    """Apply a reviewed operation whose code, if it needs one, was accepted."""
    jobs.run_job(job, _confirm)


def _confirm(work: jobs.JobRun) -> None:
    operation: Any = work.job.operation
    work.link_if_refused = reverse("operation", args=[operation.pk])
    # Before any lock, as every view does.
    current_month()
    work.applying()

    def apply() -> None:
        message = kind_of(operation).apply(only_unchanged=work.job.terms["only_unchanged"])
        work.end(message, link=reverse("batch", args=[operation.pk]))

    operations.confirm_operation(operation, "", apply)


@task()
def review(job: str) -> None:
    """Make the review of many customers: it then waits for its OK."""
    jobs.run_job(job, _review)


def _review(work: jobs.JobRun) -> None:
    given = work.job.terms
    customers, of_all = _chosen(work.job)
    current_month()
    with write_transaction():
        operation = review_budgets(
            customers,
            terms_from_json(given["terms"]),
            operator=work.job.operator,
            unfreeze=given["terms"]["unfreeze"],
            all_matching=of_all,
        )
        said = _("The review is ready. Nothing is set before it is confirmed.")
        work.end(said, link=reverse("operation", args=[operation.pk]))


def _chosen(job: Job) -> tuple[CustomerQuerySet, bool]:
    """Whom a review is to be about, and whether these are all that match."""
    given = job.terms
    if given["all_matching"]:
        matching: Any = CustomerList(QueryDict(given["query"]), job.operator)
        matching.refuse_unreadable()
        return matching.queryset, True
    return Customer.objects.visible_to(job.operator).filter(customer_id__in_array=given["customers"]), False


@task()
def review_freezing(job: str) -> None:
    """Make the review of freezing or unfreezing many customers by hand: it then waits for its OK."""
    jobs.run_job(job, _review_freezing)


def _review_freezing(work: jobs.JobRun) -> None:
    given = work.job.terms
    customers, of_all = _chosen(work.job)
    current_month()
    with write_transaction():
        asked = freeze_request_from(given["terms"], freezes=given["act"] == Operation.Kind.FREEZE)
        operation = review_freeze(customers, asked, operator=work.job.operator, all_matching=of_all)
        said = _("The review is ready. Nothing is done before it is confirmed.")
        work.end(said, link=reverse("operation", args=[operation.pk]))


@task()
def import_budgets(job: str) -> None:
    """Read a CSV file of budgets and make the review of its good lines; it then waits for its OK."""
    jobs.run_job(job, _import_budgets)


def _import_budgets(work: jobs.JobRun) -> None:
    with work.files() as [(name, content)]:
        agreement = work.job.terms.get("agreement", "")
        told = review_import(name, content, operator=work.job.operator, agreement=agreement, progress=work.progress)
    link = reverse("operation", args=[told.operation.pk]) if told.operation else ""
    work.end(message_for_import(told), link=link, problems=map(str, told.bad_lines), status=422 if told.bad else 200)


@task()
def take_in(job: str) -> None:
    """Import an expenditure report for the operator's own customers; see rule 8.5 (docs/rules.md)."""
    jobs.run_job(job, _take_in)


def _take_in(work: jobs.JobRun) -> None:
    with work.files() as files:
        read = read_report(files, progress=work.progress)
    operator = work.job.operator
    work.applying()
    with write_transaction():
        # Of when it was sent, however long it waited.
        taken = import_report(read, operator=operator, reported_at=work.job.created_at, only=operator.partner)
        link = reverse("expenditure_report", args=[taken.report]) if taken.report else ""
        work.end(message_for_report(taken), link=link)
