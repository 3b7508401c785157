"""The forms of the console itself."""

from django import forms
from django.utils.translation import gettext_lazy as _

from partnercenter.models import LONGEST_REASON, Partner


class CodeForm(forms.Form):
    """The verification code of an operation; what is wrong with it the check itself says."""

    verification_code = forms.CharField(
        label=_("Verification Code"),
        required=False,
        max_length=32,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True, "required": True}
        ),
    )


class PartnerStatusForm(forms.Form):
    """What a distributor makes of a reseller, and why."""

    status = forms.ChoiceField(label=_("Status"), choices=Partner.Status.choices, required=False)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("1 to 256 characters. The reseller reads it on its pages."),
    )
