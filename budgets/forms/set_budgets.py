"""Set Budget for many customers."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from budgets.actions.quota import missing_quota_message
from budgets.actions.terms import BudgetChange, RelativeAmount
from budgets.forms.set_budget import (
    POLICY_CHOICES,
    UNFREEZE_ON_RESTORE_HELP,
    UNFREEZE_ON_RESTORE_LABEL,
    TypesAllowed,
    agreement_for,
)
from customers.agreement import agreement_field
from customers.models import AccountFreezing
from partnercenter.lib.money import AMOUNT_PATTERN, LARGEST_BUDGET, AmountField
from partnercenter.models import BudgetType


class AmountBy(models.TextChoices):
    """By what the amounts of many customers go."""

    AMOUNT = "AMOUNT", _("Amount")
    PERCENT = "PERCENT", _("Percent of the present budget")
    PLUS = "PLUS", _("Present budget plus")
    LAST_MONTH = "LAST_MONTH", _("Last month's expenditure times")
    LEAVE = "LEAVE", _("Leave as it is")


UNCHANGED_CHOICE = ("", _("Leave as it is"))


class NumberField(forms.DecimalField):
    """A number as a person types it, as amounts are: no exponents, nothing that another country reads otherwise."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if text and not AMOUNT_PATTERN.fullmatch(text.removeprefix("-")):
            raise ValidationError(_("Enter a number such as 110 or 1,200.50, with at most two decimal places."))
        return super().to_python(text.replace(",", ""))


def number_field(label: Any, *, smallest: str = "0.01", largest: str) -> NumberField:
    """A number of two decimals, typed as such."""
    return NumberField(
        label=label,
        required=False,
        min_value=Decimal(smallest),
        max_value=Decimal(largest),
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class SetBudgetsForm(forms.Form):
    """Set Budget for many: each of type, amount and policy may be left as it is."""

    budget_type = forms.ChoiceField(
        label=_("Budget Type"), choices=[UNCHANGED_CHOICE, *BudgetType.choices], widget=TypesAllowed, required=False
    )
    amount_by = forms.ChoiceField(
        label=_("Budget"), choices=AmountBy, widget=forms.RadioSelect, required=False, initial=AmountBy.AMOUNT
    )
    amount = AmountField(label=_("Amount"), required=False, largest=LARGEST_BUDGET)
    percent = number_field(_("Percent"), largest="10000")
    plus = number_field(_("Plus"), smallest="-2147483647", largest="2147483647")
    last_month_times = number_field(_("Times"), largest="1000")
    round_up_to = number_field(_("Round up to a multiple of"), largest="1000000")
    account_freezing = forms.ChoiceField(
        label=_("Account Freezing"),
        choices=[UNCHANGED_CHOICE, *POLICY_CHOICES],
        widget=forms.RadioSelect,
        required=False,
    )
    agreement = agreement_field()
    unfreeze_on_restore = forms.ChoiceField(
        label=UNFREEZE_ON_RESTORE_LABEL,
        choices=[UNCHANGED_CHOICE, ("1", _("Yes")), ("0", _("No"))],
        widget=forms.RadioSelect,
        required=False,
        help_text=UNFREEZE_ON_RESTORE_HELP,
    )
    unfreeze_now = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, allowed: set[str], frozen: int) -> None:
        super().__init__(data, label_suffix="")
        self.type_notes = [missing_quota_message(name) for name in BudgetType.values if name not in allowed]
        self.fields["budget_type"].widget.allowed = {"", *allowed}
        self.fields["unfreeze_now"].label = _("Unfreeze Account (%(n)s frozen)") % {"n": frozen}
        if not frozen:
            del self.fields["unfreeze_now"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        filled = [name for name in FIELD_BY_METHOD.values() if given.get(name) is not None]
        if given.get("amount_by"):
            # What was typed beside the chosen way is not meant.
            by = FIELD_BY_METHOD.get(given["amount_by"])
            if by and by not in filled and by not in self.errors:
                self.add_error(by, _("Enter a value."))
            filled = [by] if by else []
        if len(filled) > 1:
            raise ValidationError(_("Give one of amount, percent, plus and last month's expenditure."))
        self.by = filled[0] if filled else None
        if not (
            self.errors
            or self.by
            or given.get("budget_type")
            or given.get("account_freezing")
            or given.get("unfreeze_on_restore")
            or given.get("unfreeze_now")
        ):
            raise ValidationError(_("Everything is left as it is: choose what to set."))
        return given

    @property
    def terms(self) -> BudgetChange:
        """What the valid form asks for."""
        given = self.cleaned_data
        amount: Decimal | RelativeAmount | None = None
        if self.by == "amount":
            amount = given["amount"]
        elif self.by:
            amount = RelativeAmount(**{self.by: given[self.by]}, round_up_to=given.get("round_up_to"))
        return BudgetChange(
            BudgetType(given["budget_type"]) if given["budget_type"] else None,
            amount,
            AccountFreezing(given["account_freezing"]) if given["account_freezing"] else None,
            {"1": True, "0": False}.get(given["unfreeze_on_restore"]),
            agreement_for(given),
        )


FIELD_BY_METHOD = {
    AmountBy.AMOUNT: "amount",
    AmountBy.PERCENT: "percent",
    AmountBy.PLUS: "plus",
    AmountBy.LAST_MONTH: "last_month_times",
}
