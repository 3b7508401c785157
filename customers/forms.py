"""The forms of freezing by hand, of decisions put off, of a saved view and of associating customers."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.actions.notes import LONGEST_NOTE
from customers.agreement import agreement_field
from customers.files import NewCustomer, already_associated_message, read_customers, split_tags, validate_new_customer
from customers.listing.filters import DayField, FilterForm, start_of_day
from customers.models import Customer, FreezeKind
from partnercenter.models import LONGEST_REASON, Channel, Partner

FREEZE_KINDS = [(kind.value, kind.label) for kind in (FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE)]


class UnfreezeForm(forms.Form):
    """Unfreeze: `kind` names the freeze that is lifted. `version` is what was seen, "" where the sender saw none."""

    kind = forms.ChoiceField(label=_("Frozen"), choices=FREEZE_KINDS, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"), max_length=LONGEST_REASON, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)


class FreezeForm(UnfreezeForm):
    """Freeze: resources with the agreement only, which the action insists on."""

    kind = forms.ChoiceField(
        label=_("Freeze"), choices=FREEZE_KINDS, widget=forms.RadioSelect, initial=FreezeKind.ACCOUNT
    )
    agreement = agreement_field()

    field_order = ("kind", "agreement", "reason", "version")


class SavedViewForm(forms.Form):
    """Save what the list shows as a view. `query` is the list's own; `replace` names the view that may go for it."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    replace = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)


class SnoozeForm(forms.Form):
    """Put a decision off until a day begins, with a reason. Which days may be chosen the action says."""

    until = DayField(label=_("Decide again on"), help_text=_("Tomorrow at the earliest, in a year at the latest."))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("For whoever looks at it next, up to 256 characters."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **{"label_suffix": "", **more})
        today = timezone.localdate()
        self.fields["until"].widget.attrs |= {
            "min": (today + timedelta(days=1)).isoformat(),
            "max": (today + timedelta(days=365)).isoformat(),
        }


class AssociationForm(forms.ModelForm):
    """One customer to associate."""

    channel = Channel.CONSOLE
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by semicolons."))

    class Meta:
        model = Customer
        fields = (
            "customer_id",
            "account_name",
            "name",
            "partner",
            "association_type",
            "email",
            "mobile",
            "account_manager",
            "tags",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        partner: Any = self.fields["partner"]
        partner.queryset = Partner.objects.exclude(kind=Partner.Kind.DISTRIBUTOR)

    def clean_customer_id(self) -> str:
        customer_id = self.cleaned_data["customer_id"]
        if Customer.objects.current().filter(customer_id=customer_id).exists():
            raise ValidationError(already_associated_message(customer_id))
        return customer_id

    def clean(self) -> None:
        if not self.errors:
            try:
                validate_new_customer(self._newcomer())
            except ValueError as error:
                raise ValidationError(str(error)) from error

    def _newcomer(self) -> NewCustomer:
        return NewCustomer(**self.cleaned_data | {"tags": split_tags(self.cleaned_data["tags"])})

    def newcomers(self) -> Iterable[NewCustomer]:
        """What the valid form asks for."""
        return [self._newcomer()]


class CustomersFileForm(forms.Form):
    """A file of customers to associate, as the command takes it."""

    channel = Channel.IMPORT
    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The chosen file is empty.")}
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The file is larger than %(limit)s MB. Gzip it, or associate its customers in parts.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return file

    def newcomers(self) -> Iterable[NewCustomer]:
        """The customers of the file, as it is read; BadFile at its end where any line was bad."""
        file = self.cleaned_data["file"]
        return read_customers(file.name, file)


class RecordFilterForm(FilterForm):
    """Which of a customer's records are shown; none where a filter cannot be read."""

    RANGES: ClassVar = {"since": "until"}

    since = DayField(label=_("From"), required=False)
    until = DayField(label=_("To"), required=False)
    operation = forms.ChoiceField(label=_("Operation"), required=False)
    operator = forms.ChoiceField(label=_("Operator"), required=False)
    channel = forms.ChoiceField(label=_("Channel"), required=False, choices=[("", _("All")), *Channel.choices])

    LOOKUPS = {"since": "at__gte", "until": "at__lt", "operator": "operator_name"}

    def __init__(self, asked: QueryDict, records: QuerySet[Any]) -> None:
        """Of these records of one customer, adjustment or freeze records."""
        super().__init__(asked, label_suffix="", auto_id="records-%s")
        self.records = records
        operation: Any = records.model._meta.get_field("operation")
        operators = records.order_by("operator_name").values_list("operator_name", flat=True).distinct()
        self._offer("operation", operation.choices)
        self._offer("operator", [(name, name) for name in operators])

    def _offer(self, name: str, choices: Iterable[Any]) -> None:
        field: Any = self.fields[name]
        field.choices = [("", _("All")), *choices]

    def narrowed(self) -> QuerySet[Any]:
        """The records that are asked for, newest first; days are those of the partner's zone, in which one is asked.

        As moments: a file is read when no zone is in force any more.
        """
        if self.wrong:
            return self.records.none()
        asked = dict(self.asked)
        for name, later in (("since", 0), ("until", 1)):
            if name in asked:
                asked[name] = start_of_day(asked[name] + timedelta(days=later))
        lookups = {self.LOOKUPS.get(name, name): value for name, value in asked.items()}
        return self.records.filter(**lookups).order_by("-pk")


class NoteField(forms.CharField):
    """A text of several lines; a line end is one character, however browsers send it."""

    widget = forms.Textarea(attrs={"rows": 3})

    def to_python(self, value: Any) -> str:
        return super().to_python(value and str(value).replace("\r\n", "\n")) or ""


class NoteForm(forms.Form):
    """A note about a customer."""

    text = NoteField(label=_("Note"), max_length=LONGEST_NOTE)
