"""The agreement to accept before resources are frozen. See rules 3.6 and 4.4 (docs/rules.md).

Records refer to a version, so a wording that was shown is never changed. A new wording gets a new version.
"""

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

CURRENT_VERSION = "2026-11"
WORDINGS = {
    "2026-11": _(
        "Freezing an account and its resources stops the customer's pay-per-use resources: they cannot be used until "
        "the account is unfrozen. The customer cannot purchase, renew or change anything meanwhile. Data is kept until "
        "the retention deadline that is shown with the freeze; after it data may be deleted and cannot be restored. I "
        "have the right to do this under the contract with the customer, and I have informed the customer of it."
    ),
}


def agreement_field() -> forms.BooleanField:
    """A checkbox to accept the current wording of the agreement."""
    label = format_lazy(_("I agree (version {version})"), version=CURRENT_VERSION)
    return forms.BooleanField(label=label, required=False, initial=False, help_text=WORDINGS[CURRENT_VERSION])
