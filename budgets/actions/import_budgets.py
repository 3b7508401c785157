"""Importing budgets from a CSV file: each line becomes an item of a review, with terms of its own.

The lines are read as a stream into a temporary table. There the bad ones are marked, with one statement per problem for
all lines. The good ones go through the same steps as every other review. A term that a line leaves empty stays as it
is.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, BinaryIO, Self

from django.db import connection, models, transaction
from django.db.models import Case, CharField, F, IntegerField, Min, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month, restore_if_behind
from budgets.actions.quota import missing_quota_message
from budgets.actions.reviews import (
    CURRENT_STATE_OF_CUSTOMER,
    agreement_missing_message,
    ensure_confirmable,
    included_items,
    store_items,
)
from budgets.actions.terms import current_policy, exclusion, unfreeze_choice, with_budget_effects
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
# The second and every further line about the same customer.
MARK_REPEATED = """
UPDATE staged_lines SET problem = %s
FROM (SELECT account, MIN(line) AS first FROM staged_lines WHERE account <> '' GROUP BY account HAVING count(*) > 1)
    AS repeated
WHERE repeated.account = staged_lines.account AND staged_lines.line > repeated.first AND staged_lines.problem = ''
"""


class Problem(models.TextChoices):
    """What is wrong with a line. SAME is not an error: the line would change nothing."""

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


class StagedLineQuerySet(models.QuerySet["StagedLine"]):
    """Querysets of the lines of a file, by their problems."""

    def bad(self) -> Self:
        return self.exclude(problem__in=(Problem.NONE, Problem.SAME))

    def unmarked(self) -> Self:
        """The lines without a problem so far, annotated with `new_type`, the budget type that the line leads to."""
        new_type = Coalesce(F("budget_type"), F("customer__budget__budget_type"))
        return self.filter(problem=Problem.NONE).annotate(new_type=new_type)

    def mark(self, problem: Problem, condition: Q) -> None:
        """Mark the unmarked lines that meet the condition with this problem."""
        self.unmarked().filter(condition).update(problem=problem)

    def with_terms(self) -> Self:
        """Annotate the unmarked lines with the columns that budgets.actions.terms describes."""
        return (
            self.unmarked()
            .annotate(
                new_amount=Coalesce(F("amount"), F("customer__budget__amount"), output_field=MoneyField()),
                new_policy=Coalesce(F("account_freezing"), current_policy("customer__"), output_field=CharField()),
                new_counted_from=Value(None, output_field=IntegerField()),
                new_unfreeze=F("unfreeze"),
            )
            .annotate(
                new_left_out=exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True)),
                new_on_restore=unfreeze_choice(prefix="customer__"),
            )
        )


class StagedLine(models.Model):
    """A line of the file; None means empty. Unmanaged: its table is temporary and exists only during an import."""

    line = models.PositiveIntegerField(primary_key=True)
    account = models.CharField(max_length=LONGEST_CUSTOMER_ID)
    budget_type = models.CharField(max_length=10, null=True)
    amount = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, null=True)
    unfreeze = models.BooleanField()
    reason = models.TextField()
    problem = models.CharField(max_length=16, choices=Problem)
    customer = models.ForeignKey(Customer, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)

    objects = StagedLineQuerySet.as_manager()

    class Meta:
        app_label = "staged"
        managed = False
        db_table = STAGED

    def __str__(self) -> str:
        return f"{self.line} {self.account}"

    def message(self, first_lines: dict[str, int], refusals: dict[int, str]) -> str:
        """Say what is wrong with a bad line.

        `first_lines` maps repeated accounts to their first line. `refusals` maps partners to the reason why the
        operator may not set budgets of their customers.
        """
        if self.problem == Problem.VALUE:
            return self.reason
        if self.problem == Problem.UNKNOWN or self.customer is None:
            return unknown_id_message(self.account)
        if self.problem == Problem.TWICE:
            return _("%(id)s is already in line %(line)s") % {"id": self.account, "line": first_lines[self.account]}
        if self.problem == Problem.NOT_ALLOWED:
            return refusals[self.customer.partner_id]
        if self.problem == Problem.NO_QUOTA:
            return missing_quota_message(self.budget_type or self.customer.budget.budget_type)
        return {
            Problem.REFERRAL: _("A customer of the referral model has no budget."),
            Problem.NO_BUDGET: _("The customer has no budget yet: budget_type and amount are needed."),
            Problem.RESOURCES: agreement_missing_message(),
        }[Problem(self.problem)]


# Each cell is empty or equals what the budget has, and there is nothing to unfreeze.
IS_SAME = Q(
    *(
        Q(**{f"{name}__isnull": True}) | Q(**{f"customer__budget__{name}": F(name)})
        for name in ("budget_type", "amount", "account_freezing")
    ),
    Q(unfreeze=False) | Q(customer__freeze_kind=FreezeKind.NONE),
)
# The UnchangedTerms of a line: terms whose cells are empty follow the budget when the review is made again.
UNCHANGED_TERMS = reduce(
    add,
    (
        Case(
            When(**{f"{str(term.name).lower()}__isnull": True}, then=Value(term.value)),
            default=Value(0),
            output_field=SmallIntegerField(),
        )
        for term in UnchangedTerms
    ),
)


@dataclass(frozen=True)
class BudgetImport:
    """The result of reading a file of budgets, in numbers of lines.

    `operation` is the review of the `reviewed` lines, None if there is none. `bad_lines` has the first hundred of the
    `bad` ones. If some lines are bad, `why_not` says why the good ones cannot be reviewed either.
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
    """Make a review, to be confirmed, of the budgets that a CSV file asks for. No budget is set.

    Columns are found by their names: `customer_id`, `amount`, and optionally `budget_type`, `account_freezing` and
    `unfreeze_now`. Bad lines and lines that would change nothing are not in the review. Lines that choose to freeze
    resources need the `agreement`, the version that was accepted. `progress` is called outside of any transaction with
    the number of bytes read since its last call.

    Raises BadFile if the file as a whole cannot be read, and PermissionRefused. If no line is bad but the review could
    not be confirmed, raises InvalidRequest: above a quota, or Unfreeze Now for a single customer whose account must
    stay frozen.
    """
    ensure_may_import(operator)
    boolean = "boolean" if connection.vendor == "postgresql" else "bool"
    lines = (
        (*line, Problem.VALUE if line.error else Problem.NONE, None) for line in read_budgets(name, content, progress)
    )
    try:
        create_temp_table(STAGED, STAGED_COLUMNS.format(boolean=boolean), lines)
        with write_transaction():
            # Comes first, as a new month is restored before anything of it is read.
            month = current_month()
            _mark_problems(operator, agreement)
            restore_if_behind(Customer.objects.filter(pk__in=StagedLine.objects.unmarked().values("customer")), month)
            return _create_review(name, operator, month, agreement)
    finally:
        drop_temp_tables(STAGED)


def ensure_may_import(operator: User) -> None:
    """Raise PermissionRefused if this person may not set any budgets at all."""
    partner: Any = operator.partner  # None is refused below
    if why_not := why_not_budgets(operator, partner, _current_grant(partner)):
        raise PermissionRefused(why_not)


def _mark_problems(operator: User, agreement: str) -> None:
    """Find the customer of each line, and mark each bad line with the first problem that is found."""
    lines = StagedLine.objects
    own, params = Customer.objects.visible_to(operator).order_by().values("pk", "customer_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {STAGED} SET customer_id = own.pk FROM ({own}) AS own"
            f" WHERE own.customer_id = {STAGED}.account AND {STAGED}.problem = ''",
            params,
        )
        lines.mark(Problem.UNKNOWN, Q(customer__isnull=True))
        cursor.execute(MARK_REPEATED, [Problem.TWICE])
    lines.mark(Problem.SAME, IS_SAME)
    lines.mark(Problem.REFERRAL, Q(customer__association_type=Customer.AssociationType.REFERRAL))
    lines.mark(Problem.NOT_ALLOWED, Q(customer__partner__in=list(_refusals(operator, lines.unmarked()))))
    lacks_term = Q(budget_type__isnull=True) | Q(amount__isnull=True)
    lines.mark(Problem.NO_BUDGET, Q(customer__budget__isnull=True) & lacks_term)
    if not agreement:
        with_resources = Q(account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
        # A line does not choose a policy that the budget already has. A review made again follows the budget's policy.
        already_set = Q(customer__budget__account_freezing=F("account_freezing"))
        lines.unmarked().filter(with_resources & already_set).update(account_freezing=None)
        lines.mark(Problem.RESOURCES, with_resources)
    partner: Any = operator.partner
    types = allowed_types(operator, partner, _current_grant(partner))
    lines.mark(Problem.NO_QUOTA, ~Q(new_type__in=types))


def _refusals(operator: User, lines: QuerySet[StagedLine]) -> dict[int, str]:
    """By partner, why this person may not set budgets of the partner's customers. Other partners are left out.

    See rule 5.2 (docs/rules.md).
    """
    partners = Partner.objects.filter(pk__in=lines.values("customer__partner")).select_related("distributor")
    grants = Grant.objects.in_bulk([partner.pk for partner in partners])
    reasons = {partner.pk: why_not_budgets(operator, partner, grants.get(partner.pk)) for partner in partners}
    return {key: reason for key, reason in reasons.items() if reason}


def _current_grant(partner: Partner | None) -> Grant | None:
    """The partner's grant as it is now. It may have changed since the operator signed in or reading began."""
    return Grant.objects.filter(partner=partner).first()


def _create_review(name: str, operator: User, month: int, agreement: str) -> BudgetImport:
    lines, bad = StagedLine.objects.count(), StagedLine.objects.bad().count()
    bad_lines = _bad_lines(name, operator) if bad else []
    if not StagedLine.objects.unmarked().exists():
        return BudgetImport(None, lines, 0, bad, bad_lines)
    terms = {"import": name, "lines": lines, "bad": bad, "unfreeze": False, "agreement": agreement}
    try:
        # In a savepoint: if the review is refused, the operation is removed, and the bad lines are still reported.
        with transaction.atomic():
            operation = operations.create_operation(Operation.Kind.SET_BUDGET, terms, operator=operator)
            reviewed = store_items(
                operation,
                with_budget_effects(StagedLine.objects.with_terms(), month, prefix="customer__"),
                customer="customer_id",
                state=CURRENT_STATE_OF_CUSTOMER,
                unchanged_terms=UNCHANGED_TERMS,
            )
            ensure_confirmable(operation, month, unfreeze=included_items(operation).filter(unfreeze=True).exists())
    except InvalidRequest as error:
        if not bad:
            raise
        return BudgetImport(None, lines, 0, bad, bad_lines, error.message)
    return BudgetImport(operation, lines, reviewed, bad, bad_lines)


def _bad_lines(name: str, operator: User) -> list[BadLine]:
    """The first hundred bad lines, with the name of their file."""
    lines = list(StagedLine.objects.bad().select_related("customer__budget").order_by("line")[:MAX_BAD_LINES])
    repeated = [line.account for line in lines if line.problem == Problem.TWICE]
    first_lines = dict(StagedLine.objects.filter(account__in=repeated).values_list("account").annotate(Min("line")))
    refusals = _refusals(operator, StagedLine.objects.filter(problem=Problem.NOT_ALLOWED))
    return [BadLine(name, line.line, line.message(first_lines, refusals)) for line in lines]
