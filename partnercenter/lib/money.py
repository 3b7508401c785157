"""Exact amounts of money: the model field, the form field, and formatting (rules 2.1 and 2.2 (docs/rules.md)).

In Python, an amount is a `Decimal` with at most two decimals; in the database, an integer number of cents. In database
expressions, write `money(amount)`: a bare number would be taken as cents.
"""

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Value
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _

LARGEST_BUDGET = Decimal("2147483647.00")
LARGEST_AMOUNT = Decimal("99999999999999.99")
CENT = Decimal("0.01")

# ASCII digits only: `\d` would also match Arabic-Indic digits.
AMOUNT_PATTERN = re.compile(r"([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2})?")

# The full-width characters that a Chinese keyboard types. Unicode normalisation would go too far: it turns 1² into 12.
FULL_WIDTH = {ord(narrow) + 0xFEE0: narrow for narrow in "0123456789,."}


def to_cents(amount: Decimal | int | str) -> int:
    """Convert an amount to cents. Raises ValueError for fractions of a cent, which are never rounded silently."""
    # Decimal arithmetic would round to 28 digits.
    cents = Fraction(Decimal(amount)) * 100
    if cents.denominator != 1:
        raise ValueError(f"{amount} has fractions of a cent")
    return int(cents)


def from_cents(cents: int | Decimal) -> Decimal:
    """Convert cents to an amount with two decimals."""
    return Decimal(int(cents)).scaleb(-2)


def money(amount: Decimal | str | int) -> Value:
    """Turn an amount into a database expression."""
    return Value(Decimal(amount), output_field=MoneyField())


def show_number(number: int) -> str:
    """Format a whole number as pages show it, such as `3,065`."""
    return f"{number:,}"


def show_amount(amount: Decimal | None) -> str:
    """Format an amount as pages and messages show it, such as `12,345.60`; `--` for None."""
    return "--" if amount is None else f"{amount:,.2f}"


class MoneyField(models.Field):
    """An amount of money, stored as cents in a bigint column."""

    description = _("Amount with two decimals")

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def to_python(self, value: Decimal | int | str | float | None) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, float):
            raise ValidationError(_("An amount must not be a floating-point number."))
        try:
            return Decimal(value)
        except (InvalidOperation, TypeError) as error:
            raise ValidationError(_("Enter an amount.")) from error

    def get_prep_value(self, value: Any) -> object:
        value = super().get_prep_value(value)
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, float):
            raise TypeError(f"{value}: an amount must not be a float")
        return to_cents(value)

    def from_db_value(self, value: int | Decimal | None, *_args: object) -> Decimal | None:
        # PostgreSQL returns the SUM of a bigint column as a Decimal, SQLite as an int.
        return None if value is None else from_cents(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": AmountField, **kwargs})

    def get_placeholder(self, value: object, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> str:
        # `update(amount=F("amount") + Decimal("1.00"))` would add one cent, so amounts without money() are refused.
        for part in value.flatten() if hasattr(value, "flatten") else ():
            is_bare = isinstance(part, Value) and isinstance(part.value, Decimal)
            if is_bare and not isinstance(part._output_field_or_none, MoneyField):
                raise TypeError(f"{part.value}: wrap amounts in money()")
        return "%s"


class AmountField(forms.Field):
    """An amount as people type it, such as `1200` or `1,200.50`: above 0, at most two decimals, at most `largest`."""

    default_error_messages = {
        "invalid": _("Enter an amount such as 1200 or 1,200.50, with at most two decimal places."),
    }
    default_validators = [MinValueValidator(CENT, _("Enter an amount greater than 0."))]

    def __init__(self, *, largest: Decimal = LARGEST_AMOUNT, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)
        message = _("Enter an amount of at most %(limit)s.") % {"limit": show_amount(largest)}
        self.validators.append(MaxValueValidator(largest, message))

    def to_python(self, value: object) -> Decimal | None:
        if value in self.empty_values:
            return None
        if isinstance(value, Decimal):
            return value or None
        text = str(value).translate(FULL_WIDTH).strip()
        if not text:
            return None
        if len(text) > 32 or not AMOUNT_PATTERN.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return Decimal(text.replace(",", ""))

    def prepare_value(self, value: object) -> object:
        return show_amount(value) if isinstance(value, Decimal) else value

    def has_changed(self, initial: object, data: object) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True
