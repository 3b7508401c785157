"""Summaries of an operation to be confirmed: labelled lines for its page and for the mail with the code."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.reviews import included_items
from budgets.presenters.review_items import forgotten_months, retention_deadline, why_stays_frozen
from budgets.presenters.reviews import budget_totals
from customers.masking import mask_name
from customers.models import Customer, FreezeEffect
from partnercenter.lib.money import show_amount, show_number
from partnercenter.models import Operation
from partnercenter.operation_kinds import Summary


def customer_lines(customer: Customer) -> Summary:
    """Lines about the single customer of an operation, with its name masked."""
    return [(_("Account Name"), customer.account_name), (_("Customer Name"), mask_name(customer.name))]


def customer_count_line(operation: Operation) -> Summary:
    """A line with the number of customers that an operation includes."""
    return [(_("Customers"), show_number(included_items(operation).count()))]


def one_budget_lines(item: Any, month: int, why_not_unfrozen: str) -> Summary:
    """Lines about one customer's budget: what it replaces and forgets, its terms, and the effect on the account."""
    budget = getattr(item.customer, "budget", None)
    before = "--"
    if budget is not None:
        before = _("%(type)s, %(currency)s %(amount)s, %(policy)s") % {
            "type": budget.get_budget_type_display(),
            "currency": settings.CURRENCY,
            "amount": show_amount(budget.amount),
            "policy": budget.get_account_freezing_display(),
        }
    lines = [
        (_("Budget until now"), before),
        *((_("Change of type"), sentence) for sentence in forgotten_months(item, month)),
        (_("Budget Type"), str(item.get_budget_type_display())),
        (_("Budget"), f"{settings.CURRENCY} {show_amount(item.amount)}"),
        (_("Account Freezing"), str(item.get_account_freezing_display())),
    ]
    if item.unfreeze:
        lines.append((_("Unfreeze Now"), _("Yes")))
    return lines + [(_("Effect"), sentence) for sentence in _effects(item, why_not_unfrozen)]


def _effects(item: Any, why_not_unfrozen: str) -> list[str]:
    """Sentences on what happens to the budget and the account of one customer."""
    sentences = []
    if item.exhausts and item.effect not in (FreezeEffect.ESCALATED, FreezeEffect.FROZEN):
        figures = {"used": show_amount(item.used_after), "amount": show_amount(item.amount)}
        sentences.append(_("The budget is used up immediately: %(used)s of %(amount)s.") % figures)
    effects = {
        FreezeEffect.ESCALATED: _("The budget is used up: the resources of the frozen account are frozen, too."),
        FreezeEffect.FROZEN: _("The budget is used up immediately: the account is frozen."),
        FreezeEffect.UNFROZEN: _("The account is unfrozen."),
        FreezeEffect.STAYS_FROZEN: _("The account stays frozen."),
    }
    if item.effect:
        sentences.append(effects[FreezeEffect(item.effect)])
    return sentences + why_stays_frozen(item, why_not_unfrozen)


def many_budgets_lines(operation: Operation) -> Summary:
    """Lines about many budgets: totals by type before and after, and the number of accounts with each effect."""
    lines = []
    for total in budget_totals(operation):
        if total["before"] or total["after"]:
            change = f"{settings.CURRENCY} {show_amount(total['before'])} > {show_amount(total['after'])}"
            lines.append((str(total["label"]), change))
    items = included_items(operation).exclude(effect=FreezeEffect.NONE).order_by()
    effects = items.values_list("effect").annotate(Count("pk"))
    return lines + [(str(FreezeEffect(effect).label).capitalize(), show_number(count)) for effect, count in effects]


def freeze_request_lines(request: FreezeRequest) -> Summary:
    """Lines on what is frozen or unfrozen by hand, the reason, and the agreement accepted for it."""
    label = _("Freeze") if request.freezes else _("Unfreeze")
    lines = [(label, str(request.kind.label)), (_("Reason"), request.reason)]
    if request.freezes_resources:
        lines.append((_("Agreement"), _("accepted, version %(version)s") % {"version": request.agreement}))
    return lines


def retention_line(request: FreezeRequest) -> Summary:
    """A line on how long data is kept if resources are frozen today; none if no resources are frozen."""
    if not request.freezes_resources:
        return []
    return [(_("Data kept until"), retention_deadline().isoformat())]


def budgets_lead(number: int) -> SafeString:
    """The first sentences of a review that sets budgets."""
    budgets = ngettext("The budget of {n} customer will be set.", "The budgets of {n} customers will be set.", number)
    replaced = _("The new budgets will replace the earlier budgets.")
    return format_html("{} {}", format_html(budgets, n=_strong(number)), replaced)


def undo_lead(number: int) -> SafeString:
    """The first sentence of a review that undoes a batch."""
    customers = ngettext(
        "{n} customer will get back the budget it had before the batch.",
        "{n} customers will get back the budgets they had before the batch.",
        number,
    )
    return format_html(customers, n=_strong(number))


def _strong(number: int) -> SafeString:
    return format_html("<strong>{}</strong>", show_number(number))
