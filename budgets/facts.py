"""What is to be confirmed, line by line, for the page of an operation and for the mail with its code."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import is_freeze
from budgets.actions.reviews import included_items, is_batch
from budgets.freeze_reviews import Facts, freeze_summary
from budgets.reviews import forgotten_months, rows_with_figures, totals, why_stays_frozen
from customers.masking import mask_name
from customers.models import FreezeEffect
from partnercenter.lib.money import show_amount
from partnercenter.models import Operation


def summary_of(operation: Operation) -> Facts:
    """What is to be confirmed, line by line, with masked names: for the page and for the mail with the code."""
    if is_freeze(operation):
        return freeze_summary(operation)
    if is_batch(operation):
        return _facts_of_many(operation)
    month = current_month()
    row = rows_with_figures([operation.reviewed.get().pk], operation, month).get()
    facts = [
        (_("Account Name"), row.customer.account_name),
        (_("Customer Name"), mask_name(row.customer.name)),
        *_budget_before(row, month),
        (_("Budget Type"), str(row.get_budget_type_display())),
        (_("Budget"), f"{settings.CURRENCY} {show_amount(row.amount)}"),
        (_("Account Freezing"), str(row.get_account_freezing_display())),
    ]
    if row.unfreeze:
        facts.append((_("Unfreeze Now"), _("Yes")))
    return facts + [(_("Effect"), said) for said in _effects(row, operation)]


def _budget_before(row: Any, month: int) -> Facts:
    """What is replaced, and which months a change of its type forgets."""
    budget = getattr(row.customer, "budget", None)
    if budget is None:
        return [(_("Budget until now"), "--")]
    stands = f"{settings.CURRENCY} {show_amount(budget.amount)}"
    said = f"{budget.get_budget_type_display()}, {stands}, {budget.get_account_freezing_display()}"
    return [(_("Budget until now"), said), *((_("Change of type"), each) for each in forgotten_months(row, month))]


def _effects(row: Any, operation: Operation) -> list[str]:
    """What becomes of the budget and the account of the one customer, in sentences."""
    said = {
        FreezeEffect.ESCALATED: _("The budget is used up: the resources of the frozen account are frozen, too."),
        FreezeEffect.FROZEN: _("The budget is used up at once: the account is frozen."),
        FreezeEffect.UNFROZEN: _("The account is unfrozen."),
        FreezeEffect.STAYS_FROZEN: _("The account stays frozen."),
    }.get(FreezeEffect(row.effect))
    used_up = row.exhausts and row.effect not in (FreezeEffect.ESCALATED, FreezeEffect.FROZEN)
    figures = {"used": show_amount(row.used_after), "amount": show_amount(row.amount)}
    exhausts = [_("The budget is used up at once: %(used)s of %(amount)s.") % figures] if used_up else []
    return [*exhausts, *([said] if said else []), *(f"{why}." for why in why_stays_frozen(row, operation))]


def _facts_of_many(operation: Operation) -> Facts:
    facts = [(_("Customers"), str(included_items(operation).count()))]
    for total in totals(operation):
        if total["before"] or total["after"]:
            change = f"{settings.CURRENCY} {show_amount(total['before'])} > {show_amount(total['after'])}"
            facts.append((str(total["label"]), change))
    effects = (
        included_items(operation)
        .exclude(effect=FreezeEffect.NONE)
        .order_by()
        .values_list("effect")
        .annotate(Count("pk"))
    )
    return facts + [(str(FreezeEffect(effect).label).capitalize(), str(number)) for effect, number in effects]
