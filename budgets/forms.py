"""The forms of Set Budget and of taking in a report."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from budgets.actions import Terms
from budgets.actions.reviewing import version_of
from budgets.actions.setting import no_quota
from customers.models import AccountFreezing, Customer, FreezeOrigin
from partnercenter.models import BudgetType
from partnercenter.money import LARGEST_BUDGET, AmountField


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
        choices=[(choice.value, choice.label) for choice in (AccountFreezing.AUTOMATIC, AccountFreezing.MANUAL)],
        widget=forms.RadioSelect,
        required=False,
    )
    unfreeze_now = forms.BooleanField(
        label=_("Unfreeze Now"),
        required=False,
        help_text=_("A frozen customer cannot purchase, renew, change, or properly use resources."),
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, customer: Customer, allowed: set[str]) -> None:
        super().__init__(data, label_suffix="", initial=self._standing(customer, allowed))
        self.type_notes = [no_quota(name) for name in BudgetType.values if name not in allowed]
        self.fields["budget_type"].widget.allowed = allowed
        self.fields["amount"].help_text = _("%(currency)s, at list price. Up to two decimal places.") % {
            "currency": settings.CURRENCY
        }
        if not customer.is_frozen:
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
            "unfreeze_now": customer.freeze_origin == FreezeOrigin.ASSOCIATION,
            "version": version_of(customer),
        }

    @property
    def terms(self) -> Terms:
        """What the valid form asks for."""
        policy = self.cleaned_data["account_freezing"]
        return Terms(
            BudgetType(self.cleaned_data["budget_type"]),
            self.cleaned_data["amount"],
            AccountFreezing(policy) if policy else None,
        )


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
