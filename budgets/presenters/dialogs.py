"""Budgets, adjustment records and reports as their templates get them: labels, masked names, figures."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from budgets.models import Budget, Expenditure
from budgets.months import month_name, previous_month
from customers.masking import mask_name
from customers.models import Customer
from partnercenter.lib.money import show_amount
from partnercenter.models import BudgetType


@dataclass(frozen=True)
class DialogCustomer:
    """A customer as the dialog names it."""

    customer_id: str
    account_name: str
    name: str
    names_shown: bool
    retention_until: datetime | None


def show_customer(customer: Customer, *, names_shown: bool) -> DialogCustomer:
    """The customer with its name masked, unless names are shown."""
    name = customer.name if names_shown else mask_name(customer.name)
    return DialogCustomer(customer.customer_id, customer.account_name, name, names_shown, customer.retention_until)


def show_budget(budget: Budget | None, as_of: datetime | None) -> dict[str, Any] | None:
    """The budget that stands, and of when its estimate is."""
    if budget is None:
        return None
    return {
        "type_label": budget.get_budget_type_display(),
        "amount": budget.amount,
        "used": budget.used,
        "remaining": budget.remaining,
        "usage": budget.usage,
        "exhausted": budget.exhausted,
        "as_of": as_of,
        "counted_from": month_name(budget.counted_from),
        "account_freezing_label": budget.get_account_freezing_display(),
    }


def notes(customer: Customer, month: int) -> dict[str, str]:
    """What the operator is told beside each type: what would count, what a change of type forgets.

    See rules 3.2, 3.3 (docs/rules.md).
    """
    budget = getattr(customer, "budget", None)
    this_month = Expenditure.objects.filter(customer=customer, month=month).values_list("total", flat=True).first()
    spent = this_month or Decimal("0.00")
    if budget is None:
        return dict.fromkeys(("to_monthly", "to_one_time"), _counted(month, spent))
    if budget.budget_type == BudgetType.MONTHLY:
        change = _("The change to a one-time budget takes effect at once, and it does not restore next month.")
        return {"to_monthly": _counted(month, budget.used), "to_one_time": f"{change} {_counted(month, spent)}"}
    change = _("The change to a monthly budget takes effect at once.")
    return {
        "to_one_time": _counted(budget.counted_from, budget.used),
        "to_monthly": " ".join((change, *_forgotten(budget, month), _counted(month, spent))),
    }


def _forgotten(budget: Budget, month: int) -> list[str]:
    if budget.counted_from >= month:
        return []
    months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
    return [_("What was spent from %(first)s to %(last)s no longer counts, not even after a change back.") % months]


def _counted(month: int, used: Decimal) -> str:
    return _(
        "Counted since %(month)s, %(used)s used. A budget of that amount or less is used up at once; with Automatic "
        "the account is frozen at once."
    ) % {"month": month_name(month), "used": show_amount(used)}
