"""Amounts typed into the rows of a review, posted as `amount_<customer ID>`."""

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
    """The text typed as the amount of a row, and its error ("" if it is valid)."""

    text: str
    error: str


class InvalidAmounts(InvalidRequest):
    """At least one amount typed into a review is invalid. `typed` holds all typed amounts, by customer ID."""

    def __init__(self, typed: dict[str, TypedAmount]) -> None:
        super().__init__(next(amount.error for amount in typed.values() if amount.error), "amount")
        self.typed = typed


def typed_amounts(post: Mapping[str, str], operation: Operation) -> dict[str, Decimal]:
    """The posted amounts that differ from the reviewed ones, by customer ID.

    An untouched field of an excluded customer does not count. Raises InvalidAmounts if one is invalid, and Http404 if a
    customer is not in the review.
    """
    field = AmountField(largest=LARGEST_BUDGET)
    texts = {name.removeprefix(AMOUNT_PREFIX): text for name, text in post.items() if name.startswith(AMOUNT_PREFIX)}
    ensure_in_review(operation, texts)
    items = operation.reviewed.filter(customer__customer_id__in_array=texts)
    reviewed: dict[str, tuple[Decimal | None, str]] = {
        customer_id: (amount, left_out)
        for customer_id, amount, left_out in items.values_list("customer__customer_id", "amount", "left_out")
    }
    amounts: dict[str, Decimal] = {}
    typed: dict[str, TypedAmount] = {}
    for customer_id, text in texts.items():
        amount, left_out = reviewed[customer_id]
        if left_out and text.strip() in ("", amount_text(amount)):
            continue
        error = ""
        try:
            amounts[customer_id] = field.clean(text)
        except ValidationError as invalid:
            error = invalid.messages[0]
        typed[customer_id] = TypedAmount(str(text), error)
    if any(amount.error for amount in typed.values()):
        raise InvalidAmounts(typed)
    return {customer_id: amount for customer_id, amount in amounts.items() if reviewed[customer_id][0] != amount}


def amount_text(amount: Decimal | None) -> str:
    """The reviewed amount as the field of a row shows it; "" if there is none."""
    return "" if amount is None else show_amount(amount)


def ensure_in_review(operation: Operation, customer_ids: Collection[str]) -> None:
    """Raise Http404 unless all these customers are in the review; see rule 5.6 (docs/rules.md)."""
    # No ID contains a NUL character, which PostgreSQL does not accept as a parameter.
    if any("\0" in customer_id for customer_id in customer_ids):
        raise Http404
    if not customer_ids:
        return
    if operation.reviewed.filter(customer__customer_id__in_array=customer_ids).count() < len(customer_ids):
        raise Http404
