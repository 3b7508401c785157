"""What is to be confirmed, line by line, for the page of an operation and for the mail with its code."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.reviews import included_items
from budgets.presenters.reviews import forgotten_months, retention_deadline, why_stays_frozen
from customers.masking import mask_name
from customers.models import FreezeEffect
from partnercenter.lib.money import show_amount
from partnercenter.models import Operation
from partnercenter.operation_kinds import Summary


def one_budget(item: Any, month: int, why_not_unfrozen: str) -> Summary:
    """The budget of one customer: what it replaces and forgets, its terms, and what becomes of the account."""
    lines = [
        (_("Account Name"), item.customer.account_name),
        (_("Customer Name"), mask_name(item.customer.name)),
        *_budget_before(item, month),
        (_("Budget Type"), str(item.get_budget_type_display())),
        (_("Budget"), f"{settings.CURRENCY} {show_amount(item.amount)}"),
        (_("Account Freezing"), str(item.get_account_freezing_display())),
    ]
    if item.unfreeze:
        lines.append((_("Unfreeze Now"), _("Yes")))
    return lines + [(_("Effect"), sentence) for sentence in _effects(item, why_not_unfrozen)]


def _budget_before(item: Any, month: int) -> Summary:
    """What is replaced, and which months a change of its type forgets."""
    budget = getattr(item.customer, "budget", None)
    if budget is None:
        return [(_("Budget until now"), "--")]
    amount = f"{settings.CURRENCY} {show_amount(budget.amount)}"
    before = f"{budget.get_budget_type_display()}, {amount}, {budget.get_account_freezing_display()}"
    return [(_("Budget until now"), before), *((_("Change of type"), each) for each in forgotten_months(item, month))]


def _effects(item: Any, why_not_unfrozen: str) -> list[str]:
    """What becomes of the budget and the account of the one customer, in sentences."""
    sentence = {
        FreezeEffect.ESCALATED: _("The budget is used up: the resources of the frozen account are frozen, too."),
        FreezeEffect.FROZEN: _("The budget is used up at once: the account is frozen."),
        FreezeEffect.UNFROZEN: _("The account is unfrozen."),
        FreezeEffect.STAYS_FROZEN: _("The account stays frozen."),
    }.get(FreezeEffect(item.effect))
    used_up = item.exhausts and item.effect not in (FreezeEffect.ESCALATED, FreezeEffect.FROZEN)
    figures = {"used": show_amount(item.used_after), "amount": show_amount(item.amount)}
    exhausts = [_("The budget is used up at once: %(used)s of %(amount)s.") % figures] if used_up else []
    why = [f"{each}." for each in why_stays_frozen(item, why_not_unfrozen)]
    return [*exhausts, *([sentence] if sentence else []), *why]


def effects_of_many(operation: Operation) -> Summary:
    """How many accounts get each effect."""
    items = included_items(operation).exclude(effect=FreezeEffect.NONE).order_by()
    counted = items.values_list("effect").annotate(Count("pk"))
    return [(str(FreezeEffect(effect).label).capitalize(), str(number)) for effect, number in counted]


def freeze_request_lines(asked: FreezeRequest) -> Summary:
    """What is frozen or unfrozen, why, and the agreement that was accepted for it."""
    label = _("Freeze") if asked.freezes else _("Unfreeze")
    lines = [(label, str(asked.kind.label)), (_("Reason"), asked.reason)]
    if asked.freezes_resources:
        lines.append((_("Agreement"), _("accepted, version %(version)s") % {"version": asked.agreement}))
    return lines


def retention_line(asked: FreezeRequest) -> Summary:
    """Until when data is kept where resources are frozen today."""
    if not asked.freezes_resources:
        return []
    return [(_("Data kept until"), f"{retention_deadline():%Y-%m-%d}")]
