"""Budget terms, and annotations that say which terms each customer would get and what they would do.

The rows of a queryset are either customers (`prefix` "") or have a foreign key to one (`prefix` "customer__"): items of
a review, lines of a file, adjustment records of a batch. Rows with terms have these columns:

- `new_type`, `new_amount`, `new_policy`: the terms of the budget
- `new_counted_from`: the month from which the budget counts; NULL if the rules decide
- `new_on_restore`: whether a restore lifts a freeze by this budget
- `new_unfreeze`: whether Unfreeze Now is ticked
- `new_left_out`: why the terms cannot be set for this customer; "" if they can
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NotRequired, TypedDict

from django.db import models
from django.db.models import Case, CharField, ExpressionWrapper, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Greatest, Least
from django.db.models.lookups import GreaterThanOrEqual

from budgets.models import FREEZE_KIND_BY_POLICY, expenditure_between
from budgets.months import previous_month
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeKind
from partnercenter.lib.money import LARGEST_BUDGET, MoneyField, money, to_cents
from partnercenter.models import BudgetType

HUNDREDTHS = 100


@dataclass(frozen=True)
class RelativeAmount:
    """An amount computed for each customer from the one of the first three fields that is set.

    `percent` of the current budget (110 is ten percent more), the current budget `plus` an amount, or last month's
    expenditure times a factor. These fields have at most two decimals. The amount is rounded to the cent, halves up,
    and then up to a multiple of `round_up_to`.
    """

    percent: Decimal | None = None
    plus: Decimal | None = None
    last_month_times: Decimal | None = None
    round_up_to: Decimal | None = None

    @property
    def needs_budget(self) -> bool:
        return self.last_month_times is None

    def expression(self, month: int) -> Combinable:
        """Return the amount as an expression over customers; `month` is the current month."""
        cents = self._cents(month)
        if self.round_up_to:
            step = to_cents(self.round_up_to)
            cents = (cents + Value(step - 1)) / Value(step) * Value(step)
        return ExpressionWrapper(cents, output_field=MoneyField())

    def _cents(self, month: int) -> Combinable:
        if self.percent is not None:
            # Without a budget the product is NULL: LEAST and GREATEST would skip the NULL and return the bound.
            product = _multiply(F("budget__amount"), self.percent, divisor=HUNDREDTHS)
            return Case(When(budget__amount__isnull=False, then=product))
        if self.last_month_times is not None:
            last_month = previous_month(month)
            return _multiply(expenditure_between(last_month, last_month), self.last_month_times, divisor=1)
        return F("budget__amount") + Value(to_cents(self.plus or Decimal(0)))


def _multiply(cents: Combinable, factor: Decimal, *, divisor: int) -> Combinable:
    """Multiply cents by a factor with two decimals and divide by `divisor`, in integers, rounding halves up."""
    # PostgreSQL's SUM of a bigint is a numeric.
    whole = Cast(cents, models.BigIntegerField())
    # Values beyond these bounds are not valid budgets anyway; within them the product fits into a bigint.
    bound = to_cents(LARGEST_BUDGET) * HUNDREDTHS + 1
    bounded = Greatest(Least(whole, Value(bound)), Value(-bound))
    divisor *= HUNDREDTHS
    return (bounded * Value(int(factor * HUNDREDTHS)) + Value(divisor // 2)) / Value(divisor)


@dataclass(frozen=True)
class BudgetTerms:
    """The terms of one budget. `amount` is the new total, not a difference.

    If `account_freezing` or `unfreeze_on_restore` is None, a customer keeps its current choice; a first budget gets
    Manual and no. Only a monthly budget with automatic freezing can have `unfreeze_on_restore`. `agreement` is the
    version of the agreement that was accepted; without it no policy may freeze resources; see rule 3.6 (docs/rules.md).
    """

    budget_type: BudgetType
    amount: Decimal
    account_freezing: AccountFreezing | None = None
    unfreeze_on_restore: bool | None = None
    agreement: str = ""


@dataclass(frozen=True)
class BudgetChange:
    """A change to many customers' budgets. Fields that are None stay as they are; `amount` may be relative."""

    budget_type: BudgetType | None = None
    amount: Decimal | RelativeAmount | None = None
    account_freezing: AccountFreezing | None = None
    unfreeze_on_restore: bool | None = None
    agreement: str = ""


class StoredTerms(TypedDict):
    """Terms as stored in the JSON of an operation or a job. Old rows lack the last two keys."""

    budget_type: str | None
    amount: str | dict[str, str] | None
    account_freezing: str | None
    unfreeze: bool
    unfreeze_on_restore: NotRequired[bool | None]
    agreement: NotRequired[str]


def terms_as_json(terms: BudgetTerms | BudgetChange, *, unfreeze: bool) -> StoredTerms:
    """Convert terms to the JSON that operations and jobs store."""
    amount: str | dict[str, str] | None
    if isinstance(terms.amount, RelativeAmount):
        amount = {name: str(value) for name, value in vars(terms.amount).items() if value is not None}
    else:
        amount = None if terms.amount is None else str(terms.amount)
    return {
        "budget_type": terms.budget_type,
        "amount": amount,
        "account_freezing": terms.account_freezing,
        "unfreeze_on_restore": terms.unfreeze_on_restore,
        "unfreeze": unfreeze,
        "agreement": terms.agreement,
    }


def terms_from_json(stored: StoredTerms) -> BudgetChange:
    """Convert the JSON that an operation or a job has stored back to terms."""
    amount: Decimal | RelativeAmount | None = None
    if isinstance(stored["amount"], dict):
        amount = RelativeAmount(**{name: Decimal(value) for name, value in stored["amount"].items()})
    elif stored["amount"] is not None:
        amount = Decimal(stored["amount"])
    return BudgetChange(
        BudgetType(stored["budget_type"]) if stored["budget_type"] else None,
        amount,
        AccountFreezing(stored["account_freezing"]) if stored["account_freezing"] else None,
        stored.get("unfreeze_on_restore"),
        stored.get("agreement", ""),
    )


def with_terms(
    customers: QuerySet,
    terms: BudgetTerms | BudgetChange,
    month: int,
    *,
    unfreeze: bool,
    not_actionable: Mapping[ExclusionReason, Q],
) -> QuerySet:
    """Annotate customers with the terms that each would get, or the reason why they cannot be set.

    `not_actionable` maps reasons to conditions, as for `exclusion`.
    """
    amount: Combinable
    if isinstance(terms.amount, RelativeAmount):
        amount, needs_budget = terms.amount.expression(month), terms.amount.needs_budget
    elif terms.amount is None:
        amount, needs_budget = F("budget__amount"), True
    else:
        amount, needs_budget = money(terms.amount), False
    lacks_budget = Q(budget__isnull=True) if needs_budget or terms.budget_type is None else Q(pk__in=[])
    return customers.annotate(
        new_type=_given_or(F("budget__budget_type"), terms.budget_type),
        new_amount=amount,
        new_policy=_given_or(current_policy(), terms.account_freezing),
        new_counted_from=Value(None, output_field=IntegerField()),
        new_unfreeze=Value(unfreeze, output_field=models.BooleanField()),
    ).annotate(
        new_left_out=exclusion(lacks_budget, not_actionable),
        new_on_restore=unfreeze_choice(terms.unfreeze_on_restore),
    )


def _given_or(current: Combinable, given: str | None) -> Combinable:
    return current if given is None else Value(given, output_field=CharField())


def current_policy(prefix: str = "") -> Coalesce:
    """The policy of the customer's budget; Manual if there is none yet; see rule 3.6 (docs/rules.md)."""
    policy = F(f"{prefix}budget__account_freezing")
    return Coalesce(policy, Value(AccountFreezing.MANUAL), output_field=CharField())


def unfreeze_choice(given: bool | None = None, prefix: str = "") -> Case:
    """Whether a restore lifts a freeze by the budget: as `given`, or if that is None, the current choice.

    Rows need `new_type` and `new_policy`: only a monthly budget with automatic freezing has the choice; see rule 3.11
    (docs/rules.md).
    """
    current = Coalesce(F(f"{prefix}budget__unfreeze_on_restore"), False, output_field=models.BooleanField())
    has_choice = When(
        new_type=BudgetType.MONTHLY,
        new_policy__in=list(FREEZE_KIND_BY_POLICY),
        then=current if given is None else Value(given),
    )
    return Case(has_choice, default=Value(False), output_field=models.BooleanField())


def exclusion(lacks_budget: Q, not_actionable: Mapping[ExclusionReason, Q] | None = None) -> Case:
    """The first reason why terms cannot be set for a row; "" if they can.

    `lacks_budget` is the condition that a budget is needed but missing. `not_actionable` maps further reasons to their
    conditions, which are checked first.
    """
    return Case(
        *[When(condition, then=Value(reason)) for reason, condition in (not_actionable or {}).items()],
        When(lacks_budget, then=Value(ExclusionReason.NO_BUDGET)),
        When(new_amount__lte=money(0), then=Value(ExclusionReason.NOT_POSITIVE)),
        When(new_amount__gt=money(LARGEST_BUDGET), then=Value(ExclusionReason.TOO_LARGE)),
        default=Value(ExclusionReason.NONE),
        output_field=CharField(),
    )


def with_budget_effects(rows: QuerySet, month: int, *, prefix: str = "") -> QuerySet:
    """Annotate rows with what their terms would do: `counts_from`, `used_after`, `exhausts_after`, `effect_after`."""
    customer = "customer_id" if prefix else "pk"
    stays_one_time = Q(**{f"{prefix}budget__budget_type": BudgetType.ONE_TIME}) & Q(new_type=BudgetType.ONE_TIME)
    counts_from = Case(
        When(new_counted_from__isnull=False, then=F("new_counted_from")),
        When(stays_one_time, then=F(f"{prefix}budget__counted_from")),
        default=Value(month),
        output_field=IntegerField(),
    )
    # Within the same period the budget's own `used` is the sum; expenditure is summed only if the period changes.
    same_period = When(**{f"{prefix}budget__counted_from": F("counts_from")}, then=F(f"{prefix}budget__used"))
    exhausts = When(GreaterThanOrEqual(F("used_after"), F("new_amount")), then=Value(True))
    return (
        rows.annotate(counts_from=counts_from)
        .annotate(used_after=Case(same_period, default=expenditure_between("counts_from", month, customer)))
        .annotate(exhausts_after=Case(exhausts, default=Value(False), output_field=models.BooleanField()))
        .annotate(effect_after=_freeze_effect(prefix))
    )


def _freeze_effect(prefix: str) -> Case:
    """What would happen to the account (rules 3.7 to 3.10 (docs/rules.md)). Rows need `exhausts_after`."""
    is_frozen = ~Q(**{f"{prefix}freeze_kind": FreezeKind.NONE})
    must_be_frozen = Q(exhausts_after=True, new_policy__in=list(FREEZE_KIND_BY_POLICY))
    with_resources = Q(exhausts_after=True, new_policy=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    escalates = Q(**{f"{prefix}freeze_kind": FreezeKind.ACCOUNT}) & with_resources
    return Case(
        When(is_frozen & Q(new_unfreeze=True) & ~must_be_frozen, then=Value(FreezeEffect.UNFROZEN)),
        When(escalates, then=Value(FreezeEffect.ESCALATED)),
        When(is_frozen, then=Value(FreezeEffect.STAYS_FROZEN)),
        When(must_be_frozen, then=Value(FreezeEffect.FROZEN)),
        default=Value(FreezeEffect.NONE),
        output_field=CharField(),
    )
