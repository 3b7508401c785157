"""What a customer's page lists below: its records, as they are asked for and as files; and what may be noted."""

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.actions import LONGEST_NOTE
from customers.listing.filters import DayField, FilterForm, start_of_day
from customers.masking import mask_name
from customers.models import FreezeRecord
from partnercenter.models import Channel

FREEZE_COLUMNS = (
    "time",
    "operator",
    "customer_id",
    "account_name",
    "customer_name",
    "operation",
    "kind_before",
    "kind_after",
    "origin_before",
    "origin_after",
    "reason",
    "retention_until",
    "budget_type",
    "amount",
    "used",
    "account_freezing",
    "counted_from",
    "reported_at",
    "covers_until",
    "taken_in_at",
    "channel",
)
MOMENTS = {"retention_until", "reported_at", "covers_until", "taken_in_at"}


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


def freeze_record_as_row(record: FreezeRecord, zone: tzinfo) -> list[Any]:
    """A freeze record as a row of `FREEZE_COLUMNS`, its customer's name masked (domain 7.1)."""
    customer = record.customer
    return [
        timezone.localtime(record.at, zone).isoformat(" ", "seconds"),
        record.operator_name,
        customer.customer_id,
        customer.account_name,
        mask_name(customer.name),
        *(_cell(record, name, zone) for name in FREEZE_COLUMNS[5:]),
    ]


def _cell(record: FreezeRecord, name: str, zone: tzinfo) -> Any:
    value = getattr(record, name)
    return timezone.localtime(value, zone).isoformat(" ", "seconds") if value and name in MOMENTS else value
