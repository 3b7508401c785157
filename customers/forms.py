"""Forms to freeze accounts, snooze decisions, save views, associate customers, filter records and add notes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Field, QuerySet
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
    """Unfreeze accounts that are frozen in this kind. `version` is the state that the form showed, or ""."""

    kind = forms.ChoiceField(label=_("Frozen"), choices=FREEZE_KINDS, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"), max_length=LONGEST_REASON, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)


class FreezeForm(UnfreezeForm):
    """Freeze accounts. The action refuses to freeze resources without the agreement."""

    kind = forms.ChoiceField(
        label=_("Freeze"), choices=FREEZE_KINDS, widget=forms.RadioSelect, initial=FreezeKind.ACCOUNT
    )
    agreement = agreement_field()

    field_order = ("kind", "agreement", "reason", "version")


class SavedViewForm(forms.Form):
    """Save the filters, order and page size of the list as a view. `replace` names the view that may be replaced."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    replace = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)


class SnoozeForm(forms.Form):
    """Snooze decisions until a day, with a reason. The action checks which days are allowed."""

    until = DayField(label=_("Decide again on"), help_text=_("From tomorrow up to one year from now."))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("Up to 256 characters, for the next person who looks at it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")
        today = timezone.localdate()
        self.fields["until"].widget.attrs |= {
            "min": (today + timedelta(days=1)).isoformat(),
            "max": (today + timedelta(days=365)).isoformat(),
        }


class AssociationForm(forms.ModelForm):
    """One customer to associate."""

    channel = Channel.CONSOLE
    partner = forms.ModelChoiceField(Partner.objects.exclude(kind=Partner.Kind.DISTRIBUTOR), label=_("Partner"))
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
        """The customer of a valid form, as a list with one element."""
        return [self._newcomer()]


class CustomersFileForm(forms.Form):
    """A CSV file of customers to associate, in the format of the command `associate_customers`."""

    channel = Channel.IMPORT
    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The chosen file is empty.")}
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The file is larger than %(limit)s MB. Compress it with gzip, or split it.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return file

    def newcomers(self) -> Iterable[NewCustomer]:
        """Stream the customers of the file. Raises BadFile at its end if any line was bad."""
        file = self.cleaned_data["file"]
        return read_customers(file.name, file)


class RecordFilterForm(FilterForm):
    """The filters of a customer's adjustment or freeze records."""

    RANGES: ClassVar = {"since": "until"}

    since = DayField(label=_("From"), required=False)
    until = DayField(label=_("To"), required=False)
    operation = forms.ChoiceField(label=_("Operation"), required=False)
    operator = forms.ChoiceField(label=_("Operator"), required=False)
    channel = forms.ChoiceField(label=_("Channel"), required=False, choices=[("", _("All")), *Channel.choices])

    LOOKUPS = {"since": "at__gte", "until": "at__lt", "operator": "operator_name"}

    def __init__(self, query: QueryDict, records: QuerySet) -> None:
        super().__init__(query, label_suffix="", auto_id="records-%s")
        self.records = records
        operation = cast(Field, records.model._meta.get_field("operation"))
        operators = records.order_by("operator_name").values_list("operator_name", flat=True).distinct()
        choices = {"operation": operation.choices or [], "operator": [(name, name) for name in operators]}
        for name, options in choices.items():
            cast(forms.ChoiceField, self.fields[name]).choices = [("", _("All")), *options]

    def filtered(self) -> QuerySet:
        """The matching records, newest first; none if a filter cannot be read.

        Days are converted to times here, while the partner's time zone is active; an export is sent only later.
        """
        if self.problems:
            return self.records.none()
        values = dict(self.active)
        for name, days_later in (("since", 0), ("until", 1)):
            if name in values:
                values[name] = start_of_day(values[name] + timedelta(days=days_later))
        lookups = {self.LOOKUPS.get(name, name): value for name, value in values.items()}
        return self.records.filter(**lookups).order_by("-pk")


class NoteField(forms.CharField):
    """Text of several lines. Browsers send a line break as two characters, which count as one here."""

    widget = forms.Textarea(attrs={"rows": 3})

    def to_python(self, value: object) -> str:
        return super().to_python(str(value or "").replace("\r\n", "\n")) or ""


class NoteForm(forms.Form):
    """A note about a customer."""

    text = NoteField(label=_("Note"), max_length=LONGEST_NOTE)
