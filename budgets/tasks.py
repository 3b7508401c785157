"""What is done outside the request, as it may take long: read and checked first, then one step."""

from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django_tasks import task

from budgets.actions import apply_budgets, current_month, review_budgets, take_in_report
from budgets.actions.reviewing import terms_from
from budgets.reports import read_report
from budgets.reviews import tell
from budgets.showing import tell_taken_in
from customers.filters import CustomerFilter
from customers.models import Customer
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
def review(job: str) -> None:
    """Make the review of many customers: it then waits for its OK."""
    jobs.work(job, _review)


def _review(work: jobs.Work) -> None:
    operator, given = work.job.operator, work.job.terms
    mine = Customer.objects.of(operator)
    if given["all_matching"]:
        customers = CustomerFilter(QueryDict(given["query"]), mine).qs
    else:
        customers = mine.filter(customer_id__among=given["customers"])
    current_month()
    with writing():
        operation = review_budgets(
            customers,
            terms_from(given["terms"]),
            operator=operator,
            unfreeze=given["terms"]["unfreeze"],
            all_matching=given["all_matching"],
        )
        said = _("The review is ready. Nothing is set before it is confirmed.")
        work.end(said, link=reverse("operation", args=[operation.pk]))


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
