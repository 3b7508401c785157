"""Budgets from a CSV file: read as a stream, staged, held against the operator's own customers, kept as a review.

The lines stand in a temporary table of this connection until they are judged, each by a statement for all of them; the
good ones become a review through the same steps as every other. What a line leaves empty stays as it is.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, BinaryIO

from django.db import connection, models, transaction
from django.db.models import Case, CharField, F, IntegerField, Min, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.quota import missing_quota_message
from budgets.actions.reviews import (
    CURRENT_STATE_OF_CUSTOMER,
    agreement_missing_message,
    ensure_confirmable,
    included_items,
    store_items,
)
from budgets.actions.terms import exclusion, present_policy, unfreeze_choice, with_budget_effects
from budgets.files.budgets import read_budgets, unknown_id_message
from budgets.files.expenditure_reports import LONGEST_CUSTOMER_ID
from customers.models import AccountFreezing, Customer, FreezeKind, UnchangedTerms
from partnercenter.actions import operations
from partnercenter.lib.csv_files import MAX_BAD_LINES, BadLine, Progress
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.money import MoneyField
from partnercenter.lib.sql import create_temp_table, drop_temp_tables
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Grant, Operation, Partner, User
from partnercenter.permissions import allowed_types, why_not_budgets

STAGED = "staged_lines"
STAGED_COLUMNS = """
line integer PRIMARY KEY, account varchar(128), budget_type varchar(10), amount bigint, account_freezing varchar(24),
unfreeze {boolean}, reason text, problem varchar(16), customer_id bigint
"""
TWICE = """
UPDATE staged_lines SET problem = %s
FROM (SELECT account, MIN(line) AS first FROM staged_lines WHERE account <> '' GROUP BY account HAVING count(*) > 1)
    AS again
WHERE again.account = staged_lines.account AND staged_lines.line > again.first AND staged_lines.problem = ''
"""


class Problem(models.TextChoices):
    """What is the matter with a line; SAME is no fault: it leaves all as it stands."""

    NONE = ""
    VALUE = "VALUE"
    UNKNOWN = "UNKNOWN"
    TWICE = "TWICE"
    SAME = "SAME"
    REFERRAL = "REFERRAL"
    NOT_ALLOWED = "NOT_ALLOWED"
    NO_BUDGET = "NO_BUDGET"
    RESOURCES = "RESOURCES"
    NO_QUOTA = "NO_QUOTA"


GOOD = (Problem.NONE, Problem.SAME)


class StagedLine(models.Model):
    """A line of the file; None leaves as it is. Of no installed app, as its table lives no longer than an import."""

    line = models.PositiveIntegerField(primary_key=True)
    account = models.CharField(max_length=LONGEST_CUSTOMER_ID)
    budget_type = models.CharField(max_length=10, null=True)
    amount = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, null=True)
    unfreeze = models.BooleanField()
    reason = models.TextField()
    problem = models.CharField(max_length=16, choices=Problem)
    customer = models.ForeignKey(Customer, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)

    objects: models.Manager[Any] = models.Manager()

    class Meta:
        app_label = "staged"
        managed = False
        db_table = STAGED

    def __str__(self) -> str:
        return f"{self.line} {self.account}"


@dataclass(frozen=True)
class BudgetImport:
    """What a file of budgets came to, in numbers of lines.

    `operation` is the review of the `reviewed` lines, None where there is none. `bad_lines` are the first hundred of
    the `bad` ones. `why_not` tells why the good lines, beside bad ones, cannot be reviewed either.
    """

    operation: Operation | None
    lines: int
    reviewed: int
    bad: int
    bad_lines: list[BadLine]
    why_not: str = ""


def review_import(
    name: str, content: BinaryIO, *, operator: User, agreement: str = "", progress: Progress = None
) -> BudgetImport:
    """Keep what a CSV file of budgets asks for as a review to be confirmed (issue: different amounts in one go).

    Columns are found by name: `customer_id`, `amount`, and if given `budget_type`, `account_freezing`, `unfreeze_now`.
    Bad lines are told and not in the review, and whoever asks for it leaves them out; lines that would change nothing
    are not in it either. Lines by which resources may be frozen need the `agreement`, the version accepted. Nothing is
    set. `progress` is told the bytes read since it was last called, outside of any transaction. Raises BadFile where
    the file as a whole cannot be read, PermissionRefused, and where no line is bad InvalidRequest (over quota, or
    Unfreeze Now of one customer whose budget would be used up).
    """
    ensure_may_import(operator)
    boolean = "boolean" if connection.vendor == "postgresql" else "bool"
    read = (
        (*line, Problem.VALUE if line.error else Problem.NONE, None) for line in read_budgets(name, content, progress)
    )
    try:
        create_temp_table(STAGED, STAGED_COLUMNS.format(boolean=boolean), read)
        with write_transaction():
            # Before the customers are looked at: the first in a new month restores it.
            month = current_month()
            _judge(operator, agreement)
            return _review(name, operator, month, agreement)
    finally:
        drop_temp_tables(STAGED)


def ensure_may_import(operator: User) -> None:
    """Raises PermissionRefused where this person may set no budget at all."""
    partner: Any = operator.partner
    if why_not := why_not_budgets(operator, partner, _grant(partner)):
        raise PermissionRefused(why_not)


def _judge(operator: User, agreement: str) -> None:
    """Find whose the lines are and note what is the matter with each: the first of these that holds."""
    _find_customers(operator)
    _mark(Problem.UNKNOWN, Q(customer__isnull=True))
    with connection.cursor() as cursor:
        cursor.execute(TWICE, [Problem.TWICE])
    _mark(Problem.SAME, _same())
    _mark(Problem.REFERRAL, Q(customer__association_type=Customer.AssociationType.REFERRAL))
    _mark(Problem.NOT_ALLOWED, Q(customer__partner__in=list(_refusals(operator, _unmarked()))))
    without = Q(customer__budget__isnull=True)
    _mark(Problem.NO_BUDGET, without & (Q(budget_type__isnull=True) | Q(amount__isnull=True)))
    if not agreement:
        _need_agreement()
    _mark(Problem.NO_QUOTA, ~Q(new_type__in=_types(operator)))


def _need_agreement() -> None:
    """Without it no line chooses to freeze resources; what stands already is left as it is, whatever it is by then."""
    with_resources = Q(account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    stands = Q(customer__budget__account_freezing=F("account_freezing"))
    _unmarked().filter(with_resources & stands).update(account_freezing=None)
    _mark(Problem.RESOURCES, with_resources)


def _find_customers(operator: User) -> None:
    own, params = Customer.objects.visible_to(operator).order_by().values("pk", "customer_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {STAGED} SET customer_id = own.pk FROM ({own}) AS own"
            f" WHERE own.customer_id = {STAGED}.account AND {STAGED}.problem = ''",
            params,
        )


def _mark(problem: Problem, condition: Q) -> None:
    _unmarked().filter(condition).update(problem=problem)


def _unmarked() -> QuerySet[Any]:
    """The lines nothing was the matter with so far, with the type each customer would have."""
    lines = StagedLine.objects.filter(problem=Problem.NONE)
    return lines.annotate(new_type=Coalesce(F("budget_type"), F("customer__budget__budget_type")))


def _same() -> Q:
    """Every cell is empty or says what stands, and there is nothing to unfreeze."""
    return Q(
        *(
            Q(**{f"{name}__isnull": True}) | Q(**{f"customer__budget__{name}": F(name)})
            for name in ("budget_type", "amount", "account_freezing")
        ),
        Q(unfreeze=False) | Q(customer__freeze_kind=FreezeKind.NONE),
    )


def _refusals(operator: User, lines: QuerySet[Any]) -> dict[int, str]:
    """The partners of the lines for whose customers this person may set no budget, and why.

    See rule 5.2 (docs/rules.md).
    """
    partners = Partner.objects.filter(pk__in=lines.values("customer__partner")).select_related("distributor")
    grants: dict[Any, Grant] = Grant.objects.in_bulk([partner.pk for partner in partners])
    reasons = {partner.pk: why_not_budgets(operator, partner, grants.get(partner.pk)) for partner in partners}
    return {key: reason for key, reason in reasons.items() if reason}


def _types(operator: User) -> set[str]:
    """The types that quotas of the operator's own partner leave; a distributor is bound by none."""
    partner: Any = operator.partner
    return allowed_types(operator, partner, _grant(partner))


def _grant(partner: Partner | None) -> Grant | None:
    """As it is now, however long ago the operator signed in or the reading began."""
    return Grant.objects.filter(partner=partner).first()


def _review(name: str, operator: User, month: int, agreement: str) -> BudgetImport:
    good, lines = _unmarked(), StagedLine.objects.count()
    bad = StagedLine.objects.exclude(problem__in=GOOD).count()
    told = _told(name, operator) if bad else []
    if not good.exists():
        return BudgetImport(None, lines, 0, bad, told)
    terms = {"import": name, "lines": lines, "bad": bad, "unfreeze": False, "agreement": agreement}
    try:
        # A savepoint: refused, the operation is gone, and the bad lines can still be told.
        with transaction.atomic():
            operation = operations.create_operation(Operation.Kind.SET_BUDGET, terms, operator=operator)
            rows = _foreseen(good, month)
            reviewed = store_items(
                operation, rows, customer="customer_id", seen=CURRENT_STATE_OF_CUSTOMER, as_it_is=_left_empty()
            )
            ensure_confirmable(operation, month, unfreeze=included_items(operation).filter(unfreeze=True).exists())
    except InvalidRequest as refused:
        if not bad:
            raise
        return BudgetImport(None, lines, 0, bad, told, refused.message)
    return BudgetImport(operation, lines, reviewed, bad, told)


def _foreseen(lines: QuerySet[Any], month: int) -> QuerySet[Any]:
    """The lines with the terms of each and what these would do."""
    rows = lines.annotate(
        new_amount=Coalesce(F("amount"), F("customer__budget__amount"), output_field=MoneyField()),
        new_policy=Coalesce(F("account_freezing"), present_policy("customer__"), output_field=CharField()),
        counted_from_given=Value(None, output_field=IntegerField()),
        new_unfreeze=F("unfreeze"),
    ).annotate(
        new_left_out=exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True), {}),
        new_on_restore=unfreeze_choice(prefix="customer__"),
    )
    return with_budget_effects(rows, month, prefix="customer__")


def _left_empty() -> Combinable:
    """Which cells of a line are empty: they follow what stands when the review is made again."""
    cells = (
        When(**{f"{each.name.lower()}__isnull": True}, then=Value(each.value)) for each in UnchangedTerms if each.name
    )
    return reduce(add, (Case(cell, default=Value(0), output_field=SmallIntegerField()) for cell in cells))


def _told(name: str, operator: User) -> list[BadLine]:
    """The first hundred bad lines."""
    bad = StagedLine.objects.exclude(problem__in=GOOD).select_related("customer__budget").order_by("line")
    lines = list(bad[:MAX_BAD_LINES])
    accounts = [line.account for line in lines if line.problem == Problem.TWICE]
    firsts = dict(StagedLine.objects.filter(account__in=accounts).values_list("account").annotate(Min("line")))
    refusals = _refusals(operator, StagedLine.objects.filter(problem=Problem.NOT_ALLOWED))
    return [BadLine(name, line.line, _reason(line, firsts, refusals)) for line in lines]


def _reason(line: StagedLine, firsts: dict[str, int], refusals: dict[int, str]) -> str:
    if line.problem == Problem.VALUE:
        return line.reason
    if line.problem == Problem.UNKNOWN or line.customer is None:
        return unknown_id_message(line.account)
    if line.problem == Problem.TWICE:
        return _("%(id)s stands in line %(line)s already") % {"id": line.account, "line": firsts[line.account]}
    if line.problem == Problem.NOT_ALLOWED:
        return refusals[line.customer.partner_id]
    if line.problem == Problem.NO_QUOTA:
        return missing_quota_message(line.budget_type or line.customer.budget.budget_type)
    return {
        Problem.REFERRAL: _("A customer of the referral model has no budget."),
        Problem.NO_BUDGET: _("The customer has no budget: budget_type and amount are needed."),
        Problem.RESOURCES: agreement_missing_message(),
    }[Problem(line.problem)]
