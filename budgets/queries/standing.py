"""What a customer may do now, and why not: the single source for pages and commands.

See rules 4.8, 8.7 (docs/rules.md).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import OuterRef, Subquery, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from budgets.months import month_of
from customers.models import Customer, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.lib.dates import format_minute
from partnercenter.lib.money import show_amount
from partnercenter.models import BudgetType, Partner


class Action(TextChoices):
    """The things a customer may or may not do, in the order in which pages show them."""

    PURCHASE = "PURCHASE", gettext_lazy("Purchase, renew, change: yearly/monthly and reserved instances")
    PURCHASE_PAY_PER_USE = "PURCHASE_PAY_PER_USE", gettext_lazy("Purchase, change: pay-per-use")
    USE = "USE", gettext_lazy("Use what is bought: yearly/monthly")
    USE_PAY_PER_USE = "USE_PAY_PER_USE", gettext_lazy("Use what is bought: pay-per-use")
    MANAGE = "MANAGE", gettext_lazy("Unsubscribe, rename, view")


class Verdict(TextChoices):
    """Whether an action is allowed, from the mildest to the strictest; if several apply, the strictest wins."""

    YES = "YES", gettext_lazy("Yes")
    BILLED = "BILLED", gettext_lazy("Yes, billed")
    VIEW_ONLY = "VIEW_ONLY", gettext_lazy("View only")
    NO = "NO", gettext_lazy("No")
    STOPPED = "STOPPED", gettext_lazy("No, stopped")

    @property
    def allows(self) -> bool:
        return self in (Verdict.YES, Verdict.BILLED)


YES, BILLED, VIEW_ONLY, NO, STOPPED = Verdict
STRICTNESS = {verdict: rank for rank, verdict in enumerate(Verdict)}
Verdicts = tuple[Verdict, ...]

# The verdicts on the actions, in their order; see rule 4.8 (docs/rules.md).
FREE: Verdicts = (YES, YES, YES, BILLED, YES)
NO_PURCHASE: Verdicts = (NO, NO, YES, BILLED, YES)
ONLY_PAY_PER_USE: Verdicts = (NO, YES, YES, BILLED, YES)
FROZEN: dict[str, Verdicts] = {
    FreezeKind.ACCOUNT: NO_PURCHASE,
    FreezeKind.ACCOUNT_AND_RESOURCE: (NO, NO, YES, STOPPED, VIEW_ONLY),
}


class Rule(NamedTuple):
    """A fact about a customer, as a sentence, and the verdicts on all actions that follow from it."""

    reason: str
    verdicts: Verdicts


@dataclass(frozen=True)
class ActionRow:
    """One row of the table: whether the customer may do this, and why not ("" if it may)."""

    action: Action
    answer: Verdict
    why: str


@dataclass(frozen=True)
class Standing:
    """What a customer may do now: a row for each action, and all reasons, the most important first.

    `frozen` is also true if only the reseller is restricted or frozen; see rule 4.7 (docs/rules.md).
    """

    frozen: bool
    rows: tuple[ActionRow, ...]
    reasons: tuple[str, ...]

    def may(self, action: Action) -> bool:
        """Whether the customer may perform the action."""
        return next(row.answer.allows for row in self.rows if row.action == action)


@dataclass(frozen=True)
class PurchaseAnswer:
    """Whether a customer may purchase, and the reason.

    `yearly_monthly` also covers reserved instances; see rule 3.7 (docs/rules.md).
    """

    yearly_monthly: bool
    pay_per_use: bool
    reason: str


def standing_of(customer: Customer) -> Standing:
    """Determine what this customer may do now, and why not; see rules 3.7, 3.13, 4.7, 4.8 (docs/rules.md).

    The current month must have been restored before. Two queries; none if `partner` and `budget` are loaded and the
    account is not frozen.
    """
    freezes = []
    if restriction := restricted_by(customer, partner_restriction(customer.partner)):
        # The partner's restriction lies over the customer's own freeze, which stays as it is.
        reason = _("Account frozen: %(why)s.") % {"why": restriction}
        freezes.append(Rule(reason, FROZEN[FreezeKind.ACCOUNT]))
    if customer.is_frozen:
        freezes.append(_freeze_rule(customer))
    rules = [*freezes, _budget_rule(customer)]
    rows = []
    for place, action in enumerate(Action):
        strictest = max(rules, key=lambda rule: STRICTNESS[rule.verdicts[place]])
        verdict = strictest.verdicts[place]
        rows.append(ActionRow(action, verdict, "" if verdict.allows else strictest.reason))
    return Standing(bool(freezes), tuple(rows), tuple(rule.reason for rule in rules))


def may_purchase(customer: Customer) -> PurchaseAnswer:
    """Determine whether this customer may purchase now, and the decisive reason."""
    standing = standing_of(customer)
    return PurchaseAnswer(standing.may(Action.PURCHASE), standing.may(Action.PURCHASE_PAY_PER_USE), standing.reasons[0])


def _freeze_rule(customer: Customer) -> Rule:
    values = {"since": why_frozen(customer)}
    if customer.retention_until is None:
        reason = _("Account frozen %(since)s.") % values
    else:
        values["until"] = format_minute(customer.retention_until)
        reason = _("Account and resources frozen %(since)s. Data may be deleted after %(until)s.") % values
    return Rule(reason, FROZEN[customer.freeze_kind])


def _budget_rule(customer: Customer) -> Rule:
    if customer.association_type == Customer.AssociationType.REFERRAL:
        return Rule(_("A customer of the referral model has no budget and is not frozen."), FREE)
    budget = getattr(customer, "budget", None)
    if budget is None:
        return Rule(_("No budget is set for this customer."), NO_PURCHASE)
    figures = {"used": show_amount(budget.used), "amount": show_amount(budget.amount)}
    if budget.exhausted:
        verdicts = ONLY_PAY_PER_USE if settings.PAY_PER_USE_WHEN_EXHAUSTED else NO_PURCHASE
        return Rule(_("The budget is used up: %(used)s of %(amount)s.") % figures, verdicts)
    return Rule(_("The budget suffices: %(used)s of %(amount)s is used.") % figures, FREE)


def partner_restriction(partner: Partner) -> str:
    """Why and since when all customers of this partner are frozen; "" if its distributor has not restricted it."""
    if partner.status_since is None:
        return ""
    sentences = {
        Partner.Status.RESTRICTED: _("reseller restricted since %(since)s"),
        Partner.Status.FROZEN: _("reseller frozen since %(since)s"),
    }
    return sentences[Partner.Status(partner.status)] % {"since": format_minute(partner.status_since)}


def restricted_by(customer: Any, restriction: str) -> str:
    """Return the partner's restriction if it applies to this customer (or row); "" for a referral customer."""
    return "" if customer.association_type == Customer.AssociationType.REFERRAL else restriction


def why_frozen(customer: Customer) -> str:
    """Since when, why and by whom an account is frozen, with the figures of that moment; "" if it is not.

    See rule 4.5 (docs/rules.md).
    """
    if not customer.is_frozen:
        return ""
    # An account escalates once at most, so the freeze began with the newest record or the one before.
    records = list(customer.freeze_records.order_by("-pk")[:2])
    newest = records[0] if records else FreezeRecord()
    first = next((record for record in records if record.kind_before == FreezeKind.NONE), newest)
    freeze = describe_freeze(customer, FreezeCause(first.used, first.amount, first.budget_type, first.operator_name))
    if newest is first:
        return freeze
    values = {
        "freeze": freeze,
        "escalated": format_minute(newest.at),
        "operator": newest.operator_name,
        "reason": newest.reason,
    }
    if newest.reason:
        return _("%(freeze)s; with its resources since %(escalated)s by %(operator)s: %(reason)s") % values
    return _("%(freeze)s; with its resources since %(escalated)s") % values


class FreezeCause(NamedTuple):
    """From the record that began a freeze: the operator, and the budget at that moment if it was the cause."""

    used: Decimal | None
    amount: Decimal | None
    budget_type: str | None
    operator: str | None


def freeze_cause_columns(customer: str) -> dict[str, Subquery]:
    """Subqueries, by column name, that fetch a `FreezeCause`. The column `customer` holds the customer's key."""
    first = FreezeRecord.objects.filter(customer=OuterRef(customer), kind_before=FreezeKind.NONE).order_by("-pk")
    fields = {
        "frozen_used": "used",
        "frozen_amount": "amount",
        "frozen_type": "budget_type",
        "frozen_operator": "operator_name",
    }
    return {column: Subquery(first.values(field)[:1]) for column, field in fields.items()}


def cause_from(row: Any) -> FreezeCause:
    """Build the cause from a row with the columns of `freeze_cause_columns`."""
    return FreezeCause(row.frozen_used, row.frozen_amount, row.frozen_type, row.frozen_operator)


def describe_freeze(customer: Any, cause: FreezeCause) -> str:
    """Since when, why and by whom a customer (or the customer of a row) is frozen; "" if it is not."""
    if customer.freeze_kind == FreezeKind.NONE or customer.frozen_since is None:
        return ""
    values = {
        "since": format_minute(customer.frozen_since),
        "operator": cause.operator,
        "reason": customer.freeze_reason,
        "used": show_amount(cause.used),
        "amount": show_amount(cause.amount),
    }
    if customer.freeze_origin == FreezeOrigin.ASSOCIATION:
        sentence = _("since association on %(since)s")
    elif customer.freeze_origin == FreezeOrigin.PARTNER:
        sentence = _("since %(since)s by %(operator)s: %(reason)s")
    elif cause.budget_type == BudgetType.MONTHLY and _has_restored_since(customer):
        sentence = _("since %(since)s, budget exhausted (%(used)s of %(amount)s used); the budget has restored")
    else:
        sentence = _("since %(since)s, budget exhausted (%(used)s of %(amount)s used)")
    return sentence % values


def _has_restored_since(customer: Any) -> bool:
    """Whether the monthly budget that froze the account has been restored since; see rule 3.11 (docs/rules.md)."""
    if isinstance(customer, Customer):
        budget = getattr(customer, "budget", None)
        budget_type, counted_from = (budget.budget_type, budget.counted_from) if budget else (None, 0)
    else:
        budget_type, counted_from = customer.budget__budget_type, customer.budget__counted_from
    return budget_type == BudgetType.MONTHLY and month_of(customer.frozen_since) < counted_from
