"""What is set for whom, and what it would do: terms as columns of a queryset, whatever the customers come from.

The rows may be customers themselves (`prefix` ""), or anything that points to one (`prefix` "customer__"): the rows of
a review that is edited, the records of a batch that is undone. The expressions are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Case, CharField, ExpressionWrapper, F, IntegerField, Q, QuerySet, Value, When
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
    """An amount that goes by what each customer has; one of the first three, two decimals at most.

    `percent` of the present budget (110 is ten percent more), the present budget `plus` an amount, or last month's
    expenditure times a factor; rounded to the cent, halves up, then up to a multiple of `round_up_to`.
    """

    percent: Decimal | None = None
    plus: Decimal | None = None
    last_month_times: Decimal | None = None
    round_up_to: Decimal | None = None


@dataclass(frozen=True)
class BudgetTerms:
    """What is set. `amount` is the new total; without `account_freezing` the policy is unchanged, at first Manual.

    Without `unfreeze_on_restore` that choice is unchanged, at first no; only a monthly budget with automatic freezing
    has it. `agreement` is the version accepted, without which no policy freezes resources; see rule 3.6
    (docs/rules.md).
    """

    budget_type: BudgetType
    amount: Decimal
    account_freezing: AccountFreezing | None = None
    unfreeze_on_restore: bool | None = None
    agreement: str = ""


@dataclass(frozen=True)
class BudgetChange:
    """What is set for many, by what each has: None leaves it as it is."""

    budget_type: BudgetType | None = None
    amount: Decimal | RelativeAmount | None = None
    account_freezing: AccountFreezing | None = None
    unfreeze_on_restore: bool | None = None
    agreement: str = ""


def terms_as_json(terms: BudgetTerms | BudgetChange, *, unfreeze: bool) -> dict[str, Any]:
    """Terms as an operation keeps them, for showing what was asked for."""
    amount: Any = terms.amount
    if isinstance(amount, RelativeAmount):
        amount = {name: str(value) for name, value in vars(amount).items() if value is not None}
    elif amount is not None:
        amount = str(amount)
    return {
        "budget_type": terms.budget_type,
        "amount": amount,
        "account_freezing": terms.account_freezing,
        "unfreeze_on_restore": terms.unfreeze_on_restore,
        "unfreeze": unfreeze,
        "agreement": terms.agreement,
    }


def terms_from_json(kept: dict[str, Any]) -> BudgetChange:
    """The terms that an operation keeps."""
    amount: Any = kept["amount"]
    if isinstance(amount, dict):
        amount = RelativeAmount(**{name: Decimal(value) for name, value in amount.items()})
    elif amount is not None:
        amount = Decimal(amount)
    return BudgetChange(
        BudgetType(kept["budget_type"]) if kept["budget_type"] else None,
        amount,
        AccountFreezing(kept["account_freezing"]) if kept["account_freezing"] else None,
        kept.get("unfreeze_on_restore"),
        kept.get("agreement", ""),
    )


def with_terms(
    customers: QuerySet[Any],
    terms: BudgetTerms | BudgetChange,
    month: int,
    *,
    unfreeze: bool,
    beyond: Mapping[ExclusionReason, Q],
) -> QuerySet[Any]:
    """The customers with the terms each would get, and why it would be left out: first of all those `beyond` reach."""
    amount, goes_by_budget = _amount(terms.amount, month)
    needs_budget = Q(budget__isnull=True) if terms.budget_type is None or goes_by_budget else Q(pk__in=[])
    return customers.annotate(
        new_type=_given(terms.budget_type, F("budget__budget_type")),
        new_amount=amount,
        new_policy=_given(terms.account_freezing, present_policy()),
        counted_from_given=Value(None, output_field=IntegerField()),
        new_unfreeze=Value(unfreeze, output_field=models.BooleanField()),
    ).annotate(
        new_left_out=exclusion(needs_budget, beyond),
        new_on_restore=unfreeze_choice(terms.unfreeze_on_restore),
    )


def present_policy(prefix: str = "") -> Coalesce:
    """The policy of a customer's budget, at first Manual; see rule 3.6 (docs/rules.md)."""
    stands = F(f"{prefix}budget__account_freezing")
    return Coalesce(stands, Value(AccountFreezing.MANUAL), output_field=CharField())


def unfreeze_choice(given: bool | None = None, prefix: str = "") -> Case:
    """Whether the restore lifts a freeze by the budget (rule 3.11 (docs/rules.md)), as `given` or as it stands.

    Over rows with `new_type` and `new_policy`: only a monthly budget with automatic freezing has that choice.
    """
    stands = Coalesce(F(f"{prefix}budget__unfreeze_on_restore"), False, output_field=models.BooleanField())
    may_have = When(
        new_type=BudgetType.MONTHLY,
        new_policy__in=list(FREEZE_KIND_BY_POLICY),
        then=stands if given is None else Value(given),
    )
    return Case(may_have, default=Value(False), output_field=models.BooleanField())


def _given(value: str | None, otherwise: Any) -> Any:
    return otherwise if value is None else Value(value, output_field=CharField())


def exclusion(needs_budget: Q, beyond: Mapping[ExclusionReason, Q] | None = None) -> Case:
    """Why the terms cannot be set for a row, whoever is `beyond` reach or by its `new_amount`; "" where they can."""
    return Case(
        *[When(condition, then=Value(reason)) for reason, condition in (beyond or {}).items()],
        When(needs_budget, then=Value(ExclusionReason.NO_BUDGET)),
        When(new_amount__lte=money(0), then=Value(ExclusionReason.NOT_POSITIVE)),
        When(new_amount__gt=money(LARGEST_BUDGET), then=Value(ExclusionReason.TOO_LARGE)),
        default=Value(ExclusionReason.NONE),
        output_field=CharField(),
    )


def _amount(amount: Decimal | RelativeAmount | None, month: int) -> tuple[Any, bool]:
    """The amount as an expression over a customer, and whether it goes by the budget that stands."""
    if isinstance(amount, Decimal):
        return money(amount), False
    if amount is None:
        return F("budget__amount"), True
    cents, goes_by_budget = _relative(amount, month)
    if amount.round_up_to:
        step = to_cents(amount.round_up_to)
        cents = (cents + Value(step - 1)) / Value(step) * Value(step)
    return ExpressionWrapper(cents, output_field=MoneyField()), goes_by_budget


def _relative(amount: RelativeAmount, month: int) -> tuple[Any, bool]:
    present: Any = F("budget__amount")
    if amount.percent is not None:
        # Of nothing nothing: bounds would be taken for it.
        return Case(When(budget__amount__isnull=False, then=_times(present, amount.percent, HUNDREDTHS))), True
    if amount.last_month_times is not None:
        last = previous_month(month)
        return _times(expenditure_between(last, last), amount.last_month_times, 1), False
    return present + Value(to_cents(amount.plus or Decimal(0))), True


def _times(amount: Any, factor: Decimal, over: int) -> Any:
    """Cents times a factor of two decimals, halves up; whole numbers all the way."""
    # A sum is no whole number to PostgreSQL until it is said to be one.
    whole: Any = Cast(amount, models.BigIntegerField())
    # Beyond this it is too large anyway, and no product leaves the range of a bigint.
    most = to_cents(LARGEST_BUDGET) * HUNDREDTHS + 1
    whole = Greatest(Least(whole, Value(most)), Value(-most))
    over *= HUNDREDTHS
    return (whole * Value(int(factor * HUNDREDTHS)) + Value(over // 2)) / Value(over)


def with_budget_effects(rows: QuerySet[Any], month: int, *, prefix: str = "") -> QuerySet[Any]:
    """The rows with what their terms would do: `counts_from`, `used_after`, `exhausts_after`, `effect_after`."""
    customer = f"{prefix}pk" if not prefix else "customer_id"
    one_time = Q(**{f"{prefix}budget__budget_type": BudgetType.ONE_TIME}) & Q(new_type=BudgetType.ONE_TIME)
    counts_from = Case(
        When(counted_from_given__isnull=False, then=F("counted_from_given")),
        When(one_time, then=F(f"{prefix}budget__counted_from")),
        default=Value(month),
        output_field=IntegerField(),
    )
    # A sum only where the period changes: within it the budget's own figure is that sum.
    stands = When(**{f"{prefix}budget__counted_from": F("counts_from")}, then=F(f"{prefix}budget__used"))
    exhausts = When(GreaterThanOrEqual(F("used_after"), F("new_amount")), then=Value(True))
    return (
        rows.annotate(counts_from=counts_from)
        .annotate(used_after=Case(stands, default=expenditure_between("counts_from", month, customer)))
        .annotate(exhausts_after=Case(exhausts, default=Value(False), output_field=models.BooleanField()))
        .annotate(effect_after=_effect(prefix))
    )


def _effect(prefix: str) -> Case:
    frozen = ~Q(**{f"{prefix}freeze_kind": FreezeKind.NONE})
    stuck = Q(exhausts_after=True, new_policy__in=list(FREEZE_KIND_BY_POLICY))
    with_resources = Q(exhausts_after=True, new_policy=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    escalates = Q(**{f"{prefix}freeze_kind": FreezeKind.ACCOUNT}) & with_resources
    return Case(
        When(frozen & Q(new_unfreeze=True) & ~stuck, then=Value(FreezeEffect.UNFROZEN)),
        When(escalates, then=Value(FreezeEffect.ESCALATED)),
        When(frozen, then=Value(FreezeEffect.STAYS_FROZEN)),
        When(stuck, then=Value(FreezeEffect.FROZEN)),
        default=Value(FreezeEffect.NONE),
        output_field=CharField(),
    )
