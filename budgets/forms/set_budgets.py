"""The form of Set Budget for many customers."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from budgets.actions.quota import missing_quota_message
from budgets.actions.terms import BudgetChange, RelativeAmount
from budgets.forms.set_budget import (
    POLICY_CHOICES,
    UNFREEZE_ON_RESTORE_HELP,
    UNFREEZE_ON_RESTORE_LABEL,
    BudgetTypeSelect,
    accepted_agreement,
)
from customers.agreement import agreement_field
from customers.models import AccountFreezing
from partnercenter.lib.money import AMOUNT_PATTERN, LARGEST_BUDGET, AmountField
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType


class AmountBy(models.TextChoices):
    """The ways to determine the amounts of many customers."""

    AMOUNT = "AMOUNT", _("Amount")
    PERCENT = "PERCENT", _("Percent of the present budget")
    PLUS = "PLUS", _("Present budget plus")
    LAST_MONTH = "LAST_MONTH", _("Last month's expenditure times")
    LEAVE = "LEAVE", _("Leave unchanged")


UNCHANGED_CHOICE = ("", _("Leave unchanged"))


class NumberField(forms.DecimalField):
    """An optional number with at most two decimals, typed like an amount: `110`, `1,200.50`, no exponents."""

    def __init__(self, *, smallest: str = "0.01", largest: str, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            min_value=Decimal(smallest),
            max_value=Decimal(largest),
            decimal_places=2,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            **kwargs,
        )

    def to_python(self, value: object) -> Any:
        text = str(value or "").strip()
        if text and not AMOUNT_PATTERN.fullmatch(text.removeprefix("-")):
            raise ValidationError(_("Enter a number such as 110 or 1,200.50, with at most two decimal places."))
        return super().to_python(text.replace(",", ""))


class SetBudgetsForm(forms.Form):
    """Set Budget for many: type, amount and policy can each be left unchanged."""

    budget_type = forms.ChoiceField(
        label=_("Budget Type"), choices=[UNCHANGED_CHOICE, *BudgetType.choices], widget=BudgetTypeSelect, required=False
    )
    amount_by = forms.ChoiceField(
        label=_("Budget"), choices=AmountBy, widget=forms.RadioSelect, required=False, initial=AmountBy.AMOUNT
    )
    amount = AmountField(label=_("Amount"), required=False, largest=LARGEST_BUDGET)
    percent = NumberField(label=_("Percent"), largest="10000")
    plus = NumberField(label=_("Plus"), smallest="-2147483647", largest="2147483647")
    last_month_times = NumberField(label=_("Times"), largest="1000")
    round_up_to = NumberField(label=_("Round up to a multiple of"), largest="1000000")
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

    def __init__(self, data: QueryDict | None = None, *, allowed: set[str], frozen: int) -> None:
        super().__init__(data, label_suffix="")
        self.type_notes = [missing_quota_message(name) for name in BudgetType.values if name not in allowed]
        self.fields["budget_type"].widget.allowed = {"", *allowed}
        self.fields["unfreeze_now"].label = _("Unfreeze Account (%(n)s frozen)") % {"n": frozen}
        if not frozen:
            del self.fields["unfreeze_now"]

    def clean(self) -> Context:
        data = super().clean() or {}
        filled = [name for name in FIELD_BY_METHOD.values() if data.get(name) is not None]
        if data.get("amount_by"):
            # Fields of the methods that were not chosen are ignored.
            field = FIELD_BY_METHOD.get(data["amount_by"])
            if field and field not in filled and field not in self.errors:
                self.add_error(field, _("Enter a value."))
            filled = [field] if field else []
        if len(filled) > 1:
            raise ValidationError(_("Enter only one of amount, percent, plus and last month's expenditure."))
        self.amount_field = filled[0] if filled else None
        other_terms = ("budget_type", "account_freezing", "unfreeze_on_restore", "unfreeze_now")
        if not (self.errors or self.amount_field or any(data.get(name) for name in other_terms)):
            raise ValidationError(_("Everything is left unchanged: choose what to set."))
        return data

    @property
    def terms(self) -> BudgetChange:
        """The change that the valid form asks for."""
        data = self.cleaned_data
        amount: Decimal | RelativeAmount | None = None
        if self.amount_field == "amount":
            amount = data["amount"]
        elif self.amount_field:
            round_up_to = data.get("round_up_to")
            amount = RelativeAmount(**{self.amount_field: data[self.amount_field]}, round_up_to=round_up_to)
        return BudgetChange(
            BudgetType(data["budget_type"]) if data["budget_type"] else None,
            amount,
            AccountFreezing(data["account_freezing"]) if data["account_freezing"] else None,
            {"1": True, "0": False}.get(data["unfreeze_on_restore"]),
            accepted_agreement(data),
        )


FIELD_BY_METHOD = {
    AmountBy.AMOUNT: "amount",
    AmountBy.PERCENT: "percent",
    AmountBy.PLUS: "plus",
    AmountBy.LAST_MONTH: "last_month_times",
}
