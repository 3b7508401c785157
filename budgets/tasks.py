"""What is done outside the request, as it may take long: read and checked first, then one step."""

from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django_tasks import task

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import by_hand_from
from budgets.actions.import_budgets import review_import
from budgets.actions.import_report import take_in_report
from budgets.actions.manual_freeze import apply_reviewed, review_by_hand
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import terms_from
from budgets.files.expenditure_reports import read_report
from budgets.presenters import tell_imported, tell_taken_in
from budgets.telling import tell
from customers.listing.customer_list import CustomerList
from customers.models import Customer, CustomerQuerySet
from partnercenter.actions import jobs, operations
from partnercenter.lib.sql import writing
from partnercenter.models import Job


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
        outcome = apply_reviewed(operation, only_unchanged=work.job.terms["only_unchanged"])
        work.end(tell(outcome, operation), link=reverse("batch", args=[operation.pk]))

    operations.confirm(operation, "", apply)


@task()
def review(job: str) -> None:
    """Make the review of many customers: it then waits for its OK."""
    jobs.work(job, _review)


def _review(work: jobs.Work) -> None:
    given = work.job.terms
    customers, of_all = _chosen(work.job)
    current_month()
    with writing():
        operation = review_budgets(
            customers,
            terms_from(given["terms"]),
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
    return Customer.objects.of(job.operator).filter(customer_id__among=given["customers"]), False


@task()
def review_freezing(job: str) -> None:
    """Make the review of freezing or unfreezing many customers by hand: it then waits for its OK."""
    jobs.work(job, _review_freezing)


def _review_freezing(work: jobs.Work) -> None:
    given = work.job.terms
    customers, of_all = _chosen(work.job)
    current_month()
    with writing():
        asked = by_hand_from(given["act"], given["terms"])
        operation = review_by_hand(customers, asked, operator=work.job.operator, all_matching=of_all)
        said = _("The review is ready. Nothing is done before it is confirmed.")
        work.end(said, link=reverse("operation", args=[operation.pk]))


@task()
def import_budgets(job: str) -> None:
    """Read a CSV file of budgets and make the review of its good lines; it then waits for its OK."""
    jobs.work(job, _import_budgets)


def _import_budgets(work: jobs.Work) -> None:
    with work.files() as [(name, content)]:
        agreement = work.job.terms.get("agreement", "")
        told = review_import(name, content, operator=work.job.operator, agreement=agreement, progress=work.progress)
    link = reverse("operation", args=[told.operation.pk]) if told.operation else ""
    work.end(tell_imported(told), link=link, problems=map(str, told.bad_lines), status=422 if told.bad else 200)


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
