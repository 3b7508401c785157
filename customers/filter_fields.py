"""The fields behind the filters of the list: how their values are typed, and what of them means something."""

from datetime import date
from functools import cache
from typing import Any

import django_filters
from django import forms
from django.core.validators import MaxValueValidator
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from partnercenter.money import LARGEST_BUDGET, AmountField

LARGEST_USAGE = 10**12
EARLIEST, LATEST = date(1990, 1, 1), date(2999, 12, 31)


class Shared(dict[str, Any]):
    """Filters or fields that nothing changes: all requests use the same, where each would copy them."""

    def __deepcopy__(self, _memo: Any) -> "Shared":
        return self


class FilterField(forms.BoundField):
    """A filter as the form shows it. One that nobody asked for always looks the same: drawn once in each language."""

    def as_widget(self, *given: Any, **more: Any) -> SafeString:
        if given or more or self.data:
            return self.drawn(*given, **more)
        form: Any = type(self.form)
        return _unasked(form, self.name, get_language())

    def drawn(self, *given: Any, **more: Any) -> SafeString:
        return super().as_widget(*given, **more)


class FilterForm(forms.Form):
    """The filters as a form."""

    bound_field_class = FilterField


@cache
def _unasked(form: Any, name: str, _language: str | None) -> SafeString:
    return form()[name].drawn()


class AmountBound(AmountField):
    """An amount that another may be held against: 0 as well."""

    default_validators = [
        MaxValueValidator(LARGEST_BUDGET, _("Enter an amount of at most 2,147,483,647.00.")),
    ]


class DayField(forms.DateField):
    """A day; none that a time zone could carry over the ends of the calendar."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ["%Y-%m-%d"]

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not EARLIEST <= day <= LATEST:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return day


class WholeFilter(django_filters.Filter):
    """A filter by whole percents."""

    field_class = forms.IntegerField

    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=-LARGEST_USAGE, max_value=LARGEST_USAGE, **more)


class AmountFilter(django_filters.Filter):
    """A filter by an amount."""

    field_class = AmountBound


class DayFilter(django_filters.Filter):
    """A filter by a day."""

    field_class = DayField
