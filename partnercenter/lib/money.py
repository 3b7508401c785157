"""Exact amounts: the model field, the form field, how they are shown; see section 2 (docs/rules.md).

In Python an amount is a `Decimal` of at most two decimals, in the database an integer of cents, the same on SQLite and
PostgreSQL. An amount inside an expression is written `money(amount)`; anything else would be taken for cents.
"""

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Value
from django.utils.translation import gettext_lazy as _

LARGEST_BUDGET = Decimal("2147483647.00")
LARGEST_AMOUNT = Decimal("99999999999999.99")
CENT = Decimal("0.01")

# ASCII digits only: `\d` also takes Arabic-Indic ones.
AMOUNT_PATTERN = re.compile(r"([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2})?")

# What a Chinese keyboard types for 1,200.50; normalising more would read 1² as 12.
FULL_WIDTH = {ord(narrow) + 0xFEE0: narrow for narrow in "0123456789,."}


def to_cents(amount: Decimal) -> int:
    """The amount in cents. Raises ValueError where it is finer than a cent: nothing is rounded in silence."""
    # A Fraction: arithmetic on Decimals itself rounds, to 28 digits.
    cents = Fraction(Decimal(amount)) * 100
    if cents.denominator != 1:
        raise ValueError(f"{amount} is finer than a cent")
    return int(cents)


def from_cents(cents: int) -> Decimal:
    """The amount that is so many cents, with two decimals."""
    return Decimal(int(cents)).scaleb(-2)


def money(amount: Decimal | str | int) -> Value:
    """An amount as a database expression."""
    return Value(Decimal(amount), output_field=MoneyField())


def show_number(number: int) -> str:
    """A whole number as it is shown: `3,065`."""
    return f"{number:,}"


def show_amount(amount: Decimal | None) -> str:
    """An amount as every page and message shows it: `12,345.60`, or `--` for none."""
    return "--" if amount is None else f"{amount:,.2f}"


class MoneyField(models.Field):
    """An amount of money, stored as cents in a bigint."""

    description = _("Amount with two decimals")

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, float):
            raise ValidationError(_("An amount is never a floating-point number."))
        try:
            return Decimal(value)
        except (InvalidOperation, TypeError) as error:
            raise ValidationError(_("Enter an amount.")) from error

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, float):
            raise TypeError(f"{value}: an amount is never a float")
        return to_cents(value)

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        # SUM of a bigint comes back as numeric from PostgreSQL, as int from SQLite.
        return None if value is None else from_cents(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": AmountField, **kwargs})

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        # `update(amount=F("amount") + Decimal("1.00"))` would add one cent: refuse what was not said with money().
        for part in value.flatten() if hasattr(value, "flatten") else ():
            is_bare = isinstance(part, Value) and isinstance(part.value, Decimal)
            if is_bare and not isinstance(part._output_field_or_none, MoneyField):
                raise TypeError(f"{part.value}: wrap amounts in money()")
        return "%s"


class AmountField(forms.CharField):
    """An amount as a person types it: `1200`, `1,200.50`; more than 0, at most two decimals, at most `largest`."""

    default_error_messages = {
        "invalid": _("Enter an amount such as 1200 or 1,200.50, with at most two decimal places."),
    }
    default_validators = [MinValueValidator(CENT, _("Enter an amount greater than 0."))]

    def __init__(self, *, largest: Decimal = LARGEST_AMOUNT, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)
        message = _("Enter an amount of at most %(limit)s.") % {"limit": show_amount(largest)}
        self.validators.append(MaxValueValidator(largest, message))

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Decimal) or value in self.empty_values:
            return value or None
        text = str(value).translate(FULL_WIDTH).strip()
        if not text:
            return None
        if len(text) > 32 or not AMOUNT_PATTERN.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return Decimal(text.replace(",", ""))

    def prepare_value(self, value: Any) -> Any:
        return show_amount(value) if isinstance(value, Decimal) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True
