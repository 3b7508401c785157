"""The form of Set Budget for one customer."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from budgets.actions.form_versions import form_version
from budgets.actions.quota import missing_quota_message
from budgets.actions.terms import BudgetTerms
from customers.agreement import CURRENT_VERSION, agreement_field
from customers.models import AccountFreezing, Customer, FreezeOrigin
from partnercenter.lib.money import LARGEST_BUDGET, AmountField
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType

POLICY_CHOICES = AccountFreezing.choices
UNFREEZE_ON_RESTORE_LABEL = _("Unfreeze when the monthly budget restores")
UNFREEZE_ON_RESTORE_HELP = _(
    "Lifts only a freeze caused by the budget. If the budget is used up again, the account is frozen again."
)


def accepted_agreement(cleaned_data: Context) -> str:
    """The version of the agreement that was accepted; "" if it is not needed or not ticked."""
    with_resources = cleaned_data["account_freezing"] == AccountFreezing.AUTOMATIC_WITH_RESOURCES
    return CURRENT_VERSION if with_resources and cleaned_data.get("agreement") else ""


class BudgetTypeSelect(forms.RadioSelect):
    """Budget types as radio buttons; types that are not in `allowed` are disabled."""

    allowed: set[str] = set()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> Context:
        option = super().create_option(name, value, *args, **kwargs)
        if value not in self.allowed:
            option["attrs"]["disabled"] = True
        return option


class SetBudgetForm(forms.Form):
    """Set Budget for one customer. `version` is the state that the form showed, or "" if no form was shown."""

    budget_type = forms.ChoiceField(label=_("Budget Type"), choices=BudgetType, widget=BudgetTypeSelect)
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
        data: QueryDict | None = None,
        *,
        customer: Customer,
        allowed: set[str],
        may_unfreeze: bool = True,
        typed: Context | None = None,
    ) -> None:
        """Make the form. `typed` are values that the person entered before, shown instead of the current ones."""
        super().__init__(data, label_suffix="", initial=self._current_values(customer, allowed) | (typed or {}))
        self.type_notes = [missing_quota_message(name) for name in BudgetType.values if name not in allowed]
        self.fields["budget_type"].widget.allowed = allowed
        self.fields["amount"].help_text = _("%(currency)s, at list price. Up to two decimal places.") % {
            "currency": settings.CURRENCY
        }
        # A submitted form keeps the box, so that a person who lost the right to unfreeze reads why.
        if not customer.is_frozen or not (may_unfreeze or data):
            del self.fields["unfreeze_now"]
        elif customer.freeze_origin == FreezeOrigin.ASSOCIATION:
            self.fields["unfreeze_now"].label = _("Unfreeze Account")

    @staticmethod
    def _current_values(customer: Customer, allowed: set[str]) -> Context:
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
    def typed(self) -> Context:
        """The values entered into the valid form, without the version."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version" and value != ""}

    @property
    def terms(self) -> BudgetTerms:
        """The terms that the valid form asks for."""
        policy = self.cleaned_data["account_freezing"]
        return BudgetTerms(
            BudgetType(self.cleaned_data["budget_type"]),
            self.cleaned_data["amount"],
            AccountFreezing(policy) if policy else None,
            self.cleaned_data["unfreeze_on_restore"],
            accepted_agreement(self.cleaned_data),
        )
