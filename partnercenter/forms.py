"""Forms for confirming an operation and for changing a reseller's status."""

from django import forms
from django.utils.translation import gettext_lazy as _

from partnercenter.models import LONGEST_REASON, Partner


class CodeForm(forms.Form):
    """The verification code of an operation. It is checked by `partnercenter.actions.operations`, not here."""

    verification_code = forms.CharField(
        label=_("Verification Code"),
        required=False,
        max_length=32,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True, "required": True}
        ),
    )


class PartnerStatusForm(forms.Form):
    """A reseller's status, as its distributor sets it, with the reason (rule 5.7 (docs/rules.md))."""

    status = forms.ChoiceField(label=_("Status"), choices=Partner.Status.choices, required=False)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("1 to 256 characters. The reseller sees it on every page."),
    )
