"""The forms of the console itself."""

from django import forms
from django.utils.translation import gettext_lazy as _


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
