"""What a customer may do now, and why not: one place, the same answer for page, command and wire.

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
    """What a customer may do or not, in the order in which it is shown."""

    PURCHASE = "PURCHASE", gettext_lazy("Purchase, renew, change: yearly/monthly and reserved instances")
    PURCHASE_PAY_PER_USE = "PURCHASE_PAY_PER_USE", gettext_lazy("Purchase, change: pay-per-use")
    USE = "USE", gettext_lazy("Use what is bought: yearly/monthly")
    USE_PAY_PER_USE = "USE_PAY_PER_USE", gettext_lazy("Use what is bought: pay-per-use")
    MANAGE = "MANAGE", gettext_lazy("Unsubscribe, rename, view")


class Verdict(TextChoices):
    """Whether it may, the strictest last: of several that apply, the strictest holds."""

    YES = "YES", gettext_lazy("Yes")
    BILLED = "BILLED", gettext_lazy("Yes, billed")
    VIEW_ONLY = "VIEW_ONLY", gettext_lazy("View only")
    NO = "NO", gettext_lazy("No")
    STOPPED = "STOPPED", gettext_lazy("No, stopped")

    @property
    def allows(self) -> bool:
        return self in (Verdict.YES, Verdict.BILLED)


YES, BILLED, VIEW_ONLY, NO, STOPPED = Verdict
STRICTNESS = {answer: place for place, answer in enumerate(Verdict)}
Verdicts = tuple[Verdict, ...]

# The answers to each action, in their order; see rule 4.8 (docs/rules.md). Renewing and changing are purchases.
FREE: Verdicts = (YES, YES, YES, BILLED, YES)
NO_PURCHASE: Verdicts = (NO, NO, YES, BILLED, YES)
ONLY_PAY_PER_USE: Verdicts = (NO, YES, YES, BILLED, YES)
FROZEN: dict[str, Verdicts] = {
    FreezeKind.ACCOUNT: NO_PURCHASE,
    FreezeKind.ACCOUNT_AND_RESOURCE: (NO, NO, YES, STOPPED, VIEW_ONLY),
}


class Rule(NamedTuple):
    """One fact about a customer, in a sentence, and what it answers to each action."""

    reason: str
    answers: Verdicts


@dataclass(frozen=True)
class ActionRow:
    """One row of the table: may the customer do this; `why` says what stands against it, "" where nothing does."""

    action: Action
    answer: Verdict
    why: str


@dataclass(frozen=True)
class Standing:
    """What a customer may do now: a row per action, and all there is to say about it, what weighs most first.

    `frozen` is by what the customer is frozen in effect: its own kind, or its reseller's status; see rule 4.7
    (docs/rules.md).
    """

    frozen: bool
    rows: tuple[ActionRow, ...]
    reasons: tuple[str, ...]

    def may(self, action: Action) -> bool:
        """Whether the customer may do this."""
        return next(row.answer.allows for row in self.rows if row.action == action)


@dataclass(frozen=True)
class PurchaseAnswer:
    """Whether a customer may purchase, and why not.

    Yearly/monthly stands for reserved instances too; see rule 3.7 (docs/rules.md).
    """

    yearly_monthly: bool
    pay_per_use: bool
    reason: str


def standing_of(customer: Customer) -> Standing:
    """What this customer may do now, and why; see rules 3.7, 3.13, 4.7, 4.8 (docs/rules.md).

    The caller has seen to the current month.

    Two queries, none where `partner` and `budget` are read already and the account is not frozen.
    """
    freezes = [*_overlay(customer), *_freeze(customer)]
    rulings = [*freezes, _budget(customer)]
    rows = tuple(_permitted(action, rulings) for action in Action)
    return Standing(bool(freezes), rows, tuple(ruling.reason for ruling in rulings))


def may_purchase(customer: Customer) -> PurchaseAnswer:
    """Whether this customer may purchase now, and what decides it."""
    standing = standing_of(customer)
    return PurchaseAnswer(standing.may(Action.PURCHASE), standing.may(Action.PURCHASE_PAY_PER_USE), standing.reasons[0])


def _permitted(action: Action, rulings: list[Rule]) -> ActionRow:
    place = list(Action).index(action)
    reason, answers = max(rulings, key=lambda ruling: STRICTNESS[ruling.answers[place]])
    return ActionRow(action, answers[place], "" if answers[place].allows else reason)


def _overlay(customer: Customer) -> list[Rule]:
    """What the status of its partner adds: its own state is kept below it."""
    status = restricted_by(customer, partner_restriction(customer.partner))
    reason = _("The account is frozen: %(why)s") % {"why": status}
    return [Rule(reason, FROZEN[FreezeKind.ACCOUNT])] if status else []


def _freeze(customer: Customer) -> list[Rule]:
    if not customer.is_frozen:
        return []
    why, until = why_frozen(customer), customer.retention_until
    if until is None:
        reason = _("The account is frozen: %(why)s") % {"why": why}
    else:
        sentence = _("The account and its resources are frozen: %(why)s. After %(until)s data may be deleted.")
        reason = sentence % {"why": why, "until": format_minute(until)}
    return [Rule(reason, FROZEN[customer.freeze_kind])]


def _budget(customer: Customer) -> Rule:
    if customer.association_type == Customer.AssociationType.REFERRAL:
        return Rule(_("A customer of the referral model has no budget and is not frozen."), FREE)
    budget = getattr(customer, "budget", None)
    if budget is None:
        return Rule(_("No budget is set for this customer."), NO_PURCHASE)
    figures = {"used": show_amount(budget.used), "amount": show_amount(budget.amount)}
    if budget.exhausted:
        answers = ONLY_PAY_PER_USE if settings.PAY_PER_USE_WHEN_EXHAUSTED else NO_PURCHASE
        return Rule(_("The budget is used up: %(used)s of %(amount)s.") % figures, answers)
    return Rule(_("The budget suffices: %(used)s of %(amount)s is used.") % figures, FREE)


def partner_restriction(partner: Partner) -> str:
    """Why all customers of this partner are frozen, with since when; "" where its distributor lets it be."""
    if partner.status_since is None:
        return ""
    sentences = {
        Partner.Status.RESTRICTED: _("reseller restricted since %(since)s"),
        Partner.Status.FROZEN: _("reseller frozen since %(since)s"),
    }
    return sentences[Partner.Status(partner.status)] % {"since": format_minute(partner.status_since)}


def restricted_by(customer: Any, status: str) -> str:
    """What of its partner's status holds for a customer or its values: who is a referral is never frozen."""
    return "" if customer.association_type == Customer.AssociationType.REFERRAL else status


def why_frozen(customer: Customer) -> str:
    """Since when, by whom or what an account is frozen, with the figures of that moment (rule 4.5 (docs/rules.md)).

    Or "".
    """
    if not customer.is_frozen:
        return ""
    # An account escalates once at most: the freezing is the newest record or the one before.
    records = list(customer.freeze_records.order_by("-pk")[:2])
    newest = records[0] if records else FreezeRecord()
    began = next((record for record in records if record.kind_before == FreezeKind.NONE), newest)
    said = describe_freeze(customer, FreezeCause(began.used, began.amount, began.budget_type, began.operator_name))
    return said if newest is began else f"{said}; {_escalated(newest)}"


def _escalated(record: FreezeRecord) -> str:
    """Since when the resources of the account are frozen, too, and by whom where a person did it."""
    facts = {"since": format_minute(record.at), "by": record.operator_name, "why": record.reason}
    if record.reason:
        return _("with its resources since %(since)s, by %(by)s: %(why)s") % facts
    return _("with its resources since %(since)s") % facts


class FreezeCause(NamedTuple):
    """What the record that began a freeze tells of it: the budget at that moment, if one did it, and the operator."""

    used: Decimal | None
    amount: Decimal | None
    budget_type: str | None
    operator: str | None


def freeze_cause_columns(customer: str) -> dict[str, Subquery]:
    """The same as columns of rows that have their customer's key in the column `customer`; `froze_of` reads them."""
    began = FreezeRecord.objects.filter(customer=OuterRef(customer), kind_before=FreezeKind.NONE).order_by("-pk")
    columns = {"frozen_used": "used", "frozen_amount": "amount", "frozen_type": "budget_type"}
    columns["frozen_operator"] = "operator_name"
    return {name: Subquery(began.values(column)[:1]) for name, column in columns.items()}


def cause_from(row: Any) -> FreezeCause:
    """What the columns of `froze` say."""
    return FreezeCause(row.frozen_used, row.frozen_amount, row.frozen_type, row.frozen_operator)


def describe_freeze(customer: Any, froze: FreezeCause) -> str:
    """Since when, by whom or what a customer, or one of whom these are the values, is frozen, with the figures."""
    if customer.freeze_kind == FreezeKind.NONE or customer.frozen_since is None:
        return ""
    used, amount = froze.used, froze.amount
    by = froze.operator if customer.freeze_origin == FreezeOrigin.PARTNER else ""
    facts = {
        "since": format_minute(customer.frozen_since),
        "origin": FreezeOrigin(customer.freeze_origin).label,
        "by": by,
    }
    said = (_("since %(since)s, %(origin)s %(by)s") if by else _("since %(since)s, %(origin)s")) % facts
    if amount is not None:
        said += _(" (%(used)s of %(amount)s used)") % {"used": show_amount(used), "amount": show_amount(amount)}
    if froze.budget_type == BudgetType.MONTHLY and _restored_since(customer):
        said += _("; the budget has restored")
    return f"{said}: {customer.freeze_reason}" if customer.freeze_reason else said


def _restored_since(customer: Any) -> bool:
    """Whether the budget that froze the account has restored, and the freeze was not lifted with it.

    See rule 3.11 (docs/rules.md).
    """
    if customer.freeze_origin != FreezeOrigin.BUDGET_EXHAUSTED:
        return False
    if isinstance(customer, Customer):
        budget = getattr(customer, "budget", None)
        budget_type, counted_from = (budget.budget_type, budget.counted_from) if budget else (None, 0)
    else:
        budget_type, counted_from = customer.budget__budget_type, customer.budget__counted_from
    return budget_type == BudgetType.MONTHLY and month_of(customer.frozen_since) < counted_from
