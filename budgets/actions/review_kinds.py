"""What actions need to know about the kind of an operation that has items; its classes are in budgets.operations."""

from abc import abstractmethod
from typing import ClassVar

from django.db.models import Case, QuerySet

from customers.models import ReviewItem
from partnercenter.models import Channel, Operation
from partnercenter.operation_kinds import OperationKind, kind_of


class ReviewKind(OperationKind):
    """A kind of operation whose customers are reviewed one by one, each as an item."""

    channel: ClassVar[Channel] = Channel.CONSOLE
    compares_budgets: ClassVar[bool] = True
    """Whether any change of a customer's budget makes its item outdated, not only one that changes the effect."""

    @property
    def is_batch(self) -> bool:
        """Whether it is about several customers, and so has a review page of its own."""
        return self.operation.reviewed.all()[:2].count() != 1

    @abstractmethod
    def with_effects(self, items: QuerySet[ReviewItem], month: int) -> QuerySet[ReviewItem]:
        """Items with terms, with what these would do now: `exhausts_after`, `effect_after`, and for budgets more."""

    @abstractmethod
    def exclusion(self) -> Case:
        """Why an item that is included again stays excluded nevertheless; "" where it does not."""

    @abstractmethod
    def ensure_confirmable(self, month: int) -> None:
        """Raises PermissionRefused or InvalidRequest where the review could not be confirmed anyway."""

    @abstractmethod
    def review_again(self) -> Operation:
        """Replace this review by one of the same request, made with the present budgets and accounts."""


def review_kind(operation: Operation) -> ReviewKind:
    """The operation seen through its kind. Raises TypeError where this kind has no items."""
    kind = kind_of(operation)
    if not isinstance(kind, ReviewKind):
        raise TypeError(f"{operation} has no customers")
    return kind
