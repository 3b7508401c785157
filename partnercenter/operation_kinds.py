"""`OperationKind`, the base class of every kind of operation, and the mapping from kinds to classes.

An operation is a change that an operator reviews and then confirms. Each kind of operation (Set Budget, Freeze, ..) is
a subclass of `OperationKind`, which says what its page and mail show and what confirming does. Everything else calls
`kind_of(operation)` and never compares `operation.kind`. To add a kind, write the class and add it to `KIND_CLASSES`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from django.http import QueryDict
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from partnercenter.lib.errors import ActionError, InvalidRequest
from partnercenter.lib.types import Context
from partnercenter.models import Operation

# What is to be confirmed, as lines of (label, text).
Summary = list[tuple[str, str]]

# Dotted paths, since most of these classes live in packages that this module must not import.
KIND_CLASSES: dict[str, str] = {
    Operation.Kind.SET_BUDGET: "budgets.operations.SetBudget",
    Operation.Kind.UNDO_BATCH: "budgets.operations.UndoBatch",
    Operation.Kind.FREEZE: "budgets.operations.Freeze",
    Operation.Kind.UNFREEZE: "budgets.operations.Unfreeze",
    Operation.Kind.TURN_OFF_VERIFICATION: "partnercenter.actions.verification_switch.TurnOffVerification",
}


class OperationKind(ABC):
    """An operation with the behaviour of its kind.

    A kind must define `summary`, `ensure_unchanged` and `apply`. The rest has defaults for an operation that has no
    batch and no editable review, and is small enough to be applied within a request.
    """

    template: ClassVar[str] = "partnercenter/operation.html"
    """The page that asks for confirmation."""

    done_page: ClassVar[str] = "customers"
    """The URL name of the page shown after confirming or cancelling."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @classmethod
    def from_operation(cls, operation: Operation) -> Self:
        """Make an instance for an operation. Override this if the operation's terms may call for a subclass."""
        return cls(operation)

    # --- What every kind defines --------------------------------------------------------------------------------------

    @abstractmethod
    def summary(self) -> Summary:
        """What is to be confirmed, for the page and for the mail with the verification code. Names are masked."""

    @abstractmethod
    def ensure_unchanged(self) -> None:
        """Check that the operation can still be applied as it was reviewed.

        Raises PermissionRefused if the operator may no longer do this, Conflict if anything has changed since.
        """

    @abstractmethod
    def apply(self, *, only_unchanged: bool = False) -> str:
        """Apply the operation in the caller's transaction and return the success message.

        If customers have changed since the review, raises Conflict, or skips them if `only_unchanged` is set.
        """

    # --- What a kind may override -------------------------------------------------------------------------------------

    @property
    def cancel_path(self) -> str:
        """The URL path of the page shown after cancelling."""
        return reverse(self.done_page)

    @property
    def batch_path(self) -> str:
        """The URL path of the batch's page, to be shown after confirming; "" if this kind has no batch."""
        return ""

    @property
    def is_large(self) -> bool:
        """Whether applying the operation takes so long that a worker should do it, if one is set up."""
        return False

    def extra_context(self, query: QueryDict, month: int, error: ActionError | None) -> Context:
        """What `template` needs in addition to what the view provides for every kind."""
        return {}

    def conflict_summary(self, month: int) -> Context | None:
        """Which customers have changed since the review; None if the message of the Conflict is enough."""
        return None

    def edit(self, data: QueryDict) -> Operation:
        """Save the posted edits (customers excluded or included again, other amounts) as a new review.

        Returns the new operation, or the current one if nothing was edited. Raises InvalidRequest if this kind has
        nothing to edit.
        """
        raise InvalidRequest(_("This operation cannot be edited."))

    def save_typed_amounts(self, data: QueryDict) -> Operation | None:
        """Save amounts that were typed into the rows but not saved before OK was pressed, as a new review.

        Returns None if there are none.
        """
        return None


def kind_of(operation: Operation) -> OperationKind:
    """Return the operation with the behaviour of its kind."""
    kind: type[OperationKind] = import_string(KIND_CLASSES[operation.kind])
    return kind.from_operation(operation)
