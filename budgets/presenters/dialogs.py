"""A customer and its budget as dialogs and the customer's page show them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from budgets.models import Budget, Expenditure
from budgets.months import month_name, previous_month
from customers.masking import mask_name
from customers.models import Customer
from partnercenter.lib.money import show_amount
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType


@dataclass(frozen=True)
class DialogCustomer:
    """A customer as a dialog shows it."""

    customer_id: str
    account_name: str
    name: str
    names_shown: bool
    retention_until: datetime | None


def show_customer(customer: Customer, *, names_shown: bool) -> DialogCustomer:
    """Return the customer with its name masked, unless names are shown."""
    name = customer.name if names_shown else mask_name(customer.name)
    return DialogCustomer(customer.customer_id, customer.account_name, name, names_shown, customer.retention_until)


def show_budget(budget: Budget | None, as_of: datetime | None) -> Context | None:
    """The current budget as a context; `as_of` is the time of its current estimate. None without a budget."""
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


def budget_type_notes(customer: Customer, month: int) -> dict[str, str]:
    """A note on each budget type: the expenditure that counts, and what a change of type means.

    See rules 3.2, 3.3 (docs/rules.md).
    """
    budget = getattr(customer, "budget", None)
    total = Expenditure.objects.filter(customer=customer, month=month).values_list("total", flat=True).first()
    this_month = _used_note(month, total or Decimal("0.00"))
    if budget is None:
        return dict.fromkeys(("to_monthly", "to_one_time"), " ".join(this_month))
    as_now = _used_note(budget.counted_from, budget.used)
    if budget.budget_type == BudgetType.MONTHLY:
        change = [_("The change to a one-time budget takes effect immediately, and it does not restore next month.")]
        return {"to_monthly": " ".join(as_now), "to_one_time": " ".join(change + this_month)}
    change = [_("The change to a monthly budget takes effect immediately.")]
    if budget.counted_from < month:
        months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
        text = _("Expenditure from %(first)s to %(last)s no longer counts, not even after a change back.")
        change.append(text % months)
    return {"to_one_time": " ".join(as_now), "to_monthly": " ".join(change + this_month)}


def _used_note(month: int, used: Decimal) -> list[str]:
    if used <= 0:
        return []
    values = {"month": month_name(month), "used": show_amount(used)}
    return [
        _(
            "%(used)s has been used since %(month)s. A budget of %(used)s or less is used up immediately; with "
            "Automatic the account is then frozen immediately."
        )
        % values
    ]
