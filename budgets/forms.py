"""The forms of Set Budget, of Import Budgets and of taking in a report."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from budgets.actions.form_versions import form_version
from budgets.actions.quota import missing_quota_message
from budgets.actions.terms import BudgetChange, BudgetTerms, RelativeAmount
from customers.agreement import CURRENT_VERSION, agreement_field
from customers.models import AccountFreezing, Customer, FreezeOrigin
from partnercenter.lib.money import AMOUNT_PATTERN, LARGEST_BUDGET, AmountField
from partnercenter.models import BudgetType

POLICY_CHOICES = AccountFreezing.choices
UNFREEZE_ON_RESTORE_LABEL = _("Unfreeze when the monthly budget restores")
UNFREEZE_ON_RESTORE_HELP = _(
    "Lifts a freeze by the used up budget, no other; used up anew, the account is frozen anew."
)


def agreement_for(given: dict[str, Any]) -> str:
    """The version accepted with what a valid form says, "" where resources are not to be frozen or it is not ticked."""
    with_resources = given["account_freezing"] == AccountFreezing.AUTOMATIC_WITH_RESOURCES
    return CURRENT_VERSION if with_resources and given.get("agreement") else ""


class TypesAllowed(forms.RadioSelect):
    """The budget types, those without a quota disabled."""

    allowed: set[str] = set()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if value not in self.allowed:
            option["attrs"]["disabled"] = True
        return option


class SetBudgetForm(forms.Form):
    """Set Budget for one customer. `version` is what the form showed of it, "" where the sender saw none."""

    budget_type = forms.ChoiceField(label=_("Budget Type"), choices=BudgetType, widget=TypesAllowed)
    amount = AmountField(label=_("Budget"), largest=LARGEST_BUDGET)
    account_freezing = forms.ChoiceField(
        label=_("Account Freezing"),
        choices=POLICY_CHOICES,
        widget=forms.RadioSelect,
        required=False,
    )
    agreement = agreement_field()
    unfreeze_on_restore = forms.BooleanField(
        label=UNFREEZE_ON_RESTORE_LABEL, required=False, help_text=UNFREEZE_ON_RESTORE_HELP
    )
    unfreeze_now = forms.BooleanField(
        label=_("Unfreeze Now"),
        required=False,
        help_text=_("A frozen customer cannot purchase, renew, change, or properly use resources."),
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        customer: Customer,
        allowed: set[str],
        may_unfreeze: bool = True,
        typed: dict[str, Any] | None = None,
    ) -> None:
        """`typed` is what was asked for already and is offered again, in place of what stands."""
        super().__init__(data, label_suffix="", initial=self._standing(customer, allowed) | (typed or {}))
        self.type_notes = [missing_quota_message(name) for name in BudgetType.values if name not in allowed]
        self.fields["budget_type"].widget.allowed = allowed
        self.fields["amount"].help_text = _("%(currency)s, at list price. Up to two decimal places.") % {
            "currency": settings.CURRENCY
        }
        # Whoever was offered it before is told why it cannot be, not passed over in silence.
        if not customer.is_frozen or not (may_unfreeze or data):
            del self.fields["unfreeze_now"]
        elif customer.freeze_origin == FreezeOrigin.ASSOCIATION:
            self.fields["unfreeze_now"].label = _("Unfreeze Account")

    @staticmethod
    def _standing(customer: Customer, allowed: set[str]) -> dict[str, Any]:
        budget = getattr(customer, "budget", None)
        first = next((name for name in BudgetType.values if name in allowed), None)
        return {
            "budget_type": budget.budget_type if budget and budget.budget_type in allowed else first,
            "amount": budget and budget.amount,
            "account_freezing": budget.account_freezing if budget else AccountFreezing.MANUAL,
            "unfreeze_on_restore": bool(budget and budget.unfreeze_on_restore),
            "unfreeze_now": customer.freeze_origin == FreezeOrigin.ASSOCIATION,
            "version": form_version(customer),
        }

    @property
    def typed(self) -> dict[str, Any]:
        """What the valid form says, but for what it had been shown."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version" and value != ""}

    @property
    def terms(self) -> BudgetTerms:
        """What the valid form asks for."""
        policy = self.cleaned_data["account_freezing"]
        return BudgetTerms(
            BudgetType(self.cleaned_data["budget_type"]),
            self.cleaned_data["amount"],
            AccountFreezing(policy) if policy else None,
            self.cleaned_data["unfreeze_on_restore"],
            agreement_for(self.cleaned_data),
        )


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


class Files(forms.ClearableFileInput):
    """Several files of one report."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files; gives a list."""

    widget = Files

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(file, initial) for file in files or [None]]


class ReportForm(forms.Form):
    """The files of one expenditure report."""

    file = FilesField(
        label=_("Files"),
        help_text=_("One or more files of one report."),
        error_messages={"required": _("Choose the files of the report."), "empty": _("A chosen file is empty.")},
    )

    def clean_file(self) -> list[Any]:
        files = self.cleaned_data["file"]
        if sum(file.size for file in files) > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The files are larger than %(limit)s MB together. Ask the platform to take the report in.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return files


class ImportForm(forms.Form):
    """A CSV file of budgets; whoever sends it may ask at once to leave out its bad lines."""

    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The chosen file is empty.")}
    )
    agreement = agreement_field()
    leave_out_bad = forms.BooleanField(required=False)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The file is larger than %(limit)s MB. Gzip it, or import it in parts.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return file
