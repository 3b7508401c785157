"""Amounts typed into the rows of a review: `amount_<customer ID>=`."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.http import Http404

from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import LARGEST_BUDGET, AmountField, show_amount
from partnercenter.models import Operation

AMOUNT_PREFIX = "amount_"


class TypedAmount(NamedTuple):
    """What was typed as the amount of a row, and what is wrong with it; "" where nothing is."""

    text: str
    error: str


class InvalidAmounts(InvalidRequest):
    """Amounts typed into the rows of a review of which one is none; all of them come back, by customer ID."""

    def __init__(self, typed: dict[str, TypedAmount]) -> None:
        super().__init__(next(each.error for each in typed.values() if each.error), "amount")
        self.typed = typed


def typed_amounts(post: Mapping[str, str], reviewed: Operation) -> dict[str, Decimal]:
    """The amounts given as `amount_<customer ID>` that are others than were reviewed.

    What stands untouched in the row of somebody who is left out was not given.

    Raises BadAmounts where one is none, Http404 where a customer is not in it.
    """
    field = AmountField(largest=LARGEST_BUDGET)
    given = {name.removeprefix(AMOUNT_PREFIX): text for name, text in post.items() if name.startswith(AMOUNT_PREFIX)}
    ensure_in_review(reviewed, given)
    rows = reviewed.reviewed.filter(customer__customer_id__in_array=given)
    stand: dict[str, tuple[Decimal | None, str]] = {
        each: (amount, left_out)
        for each, amount, left_out in rows.values_list("customer__customer_id", "amount", "left_out")
    }
    amounts: dict[str, Decimal] = {}
    typed: dict[str, TypedAmount] = {}
    for customer_id, text in given.items():
        amount, left_out = stand[customer_id]
        if left_out and text.strip() in ("", amount_text(amount)):
            continue
        wrong = ""
        try:
            amounts[customer_id] = field.clean(text)
        except ValidationError as error:
            wrong = error.messages[0]
        typed[customer_id] = TypedAmount(str(text), wrong)
    if any(each.error for each in typed.values()):
        raise InvalidAmounts(typed)
    return {each: amount for each, amount in amounts.items() if stand[each][0] != amount}


def amount_text(amount: Decimal | None) -> str:
    """The amount of a row as its field shows it; "" where it has none."""
    return "" if amount is None else show_amount(amount)


def ensure_in_review(reviewed: Operation, named: Collection[str]) -> None:
    """Raises Http404: who is not in the review does not exist for it; see rule 5.6 (docs/rules.md)."""
    # No ID has a NUL, and PostgreSQL would not even be asked.
    if any("\0" in each for each in named):
        raise Http404
    if named and reviewed.reviewed.filter(customer__customer_id__in_array=named).count() < len(named):
        raise Http404
