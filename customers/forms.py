"""The form of a saved view."""

from django import forms
from django.utils.translation import gettext_lazy as _


class SavedViewForm(forms.Form):
    """Save what the list shows as a view. `query` is the list's own; `replace` names the view that may go for it."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    replace = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
