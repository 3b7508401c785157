"""The interface that actions use for operations with review items; implemented in budgets.operations."""

from abc import abstractmethod
from typing import ClassVar

from django.db.models import Case, QuerySet

from customers.models import ReviewItem
from partnercenter.models import Channel, Operation
from partnercenter.operation_kinds import OperationKind, kind_of


class ReviewKind(OperationKind):
    """An operation with the behaviour of its kind, whose customers are reviewed one by one, each as an item."""

    channel: ClassVar[Channel] = Channel.CONSOLE
    compares_budgets: ClassVar[bool] = True
    """Whether any change to a customer's budget makes its item outdated, even one that leaves the effect the same."""

    @property
    def is_batch(self) -> bool:
        """Whether it has several customers, and so a review page of its own."""
        return self.operation.reviewed.all()[:2].count() != 1

    @abstractmethod
    def with_effects(self, items: QuerySet[ReviewItem], month: int) -> QuerySet[ReviewItem]:
        """Annotate items with their effects if applied now: `exhausts_after`, `effect_after`, and more for budgets."""

    @abstractmethod
    def exclusion(self) -> Case:
        """Why an item stays excluded although the operator includes it again; "" if it does not."""

    @abstractmethod
    def ensure_confirmable(self, month: int) -> None:
        """Raise PermissionRefused or InvalidRequest if the review could not be confirmed anyway."""

    @abstractmethod
    def review_again(self) -> Operation:
        """Replace this review by one of the same request, based on the current budgets and accounts."""


def review_kind(operation: Operation) -> ReviewKind:
    """Return the operation with the behaviour of its kind. Raises TypeError if that kind has no items."""
    kind = kind_of(operation)
    if not isinstance(kind, ReviewKind):
        raise TypeError(f"{operation} has no customers")
    return kind
