"""What an operation does and says, whatever its kind: one interface, and the class of each kind.

An operation is reviewed, may ask for a verification code, is confirmed once and then applied. Pages, jobs and actions
ask `kind_of(operation)` and never look at `operation.kind`. A new kind is one class and one line in `CLASSES`.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from django.http import QueryDict
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from partnercenter.lib.errors import ActionError, InvalidRequest
from partnercenter.models import Operation

# What is to be confirmed, line by line: label and text.
Summary = list[tuple[str, str]]

# Dotted paths, because the classes know rooms that this module must not know.
CLASSES: dict[str, str] = {
    Operation.Kind.SET_BUDGET: "budgets.operations.SetBudget",
    Operation.Kind.UNDO_BATCH: "budgets.operations.UndoBatch",
    Operation.Kind.FREEZE: "budgets.operations.Freeze",
    Operation.Kind.UNFREEZE: "budgets.operations.Unfreeze",
    Operation.Kind.TURN_OFF_VERIFICATION: "partnercenter.actions.verification_switch.TurnOffVerification",
}


class OperationKind(ABC):
    """One operation, seen through its kind."""

    template: ClassVar[str] = "partnercenter/operation.html"
    done_page: ClassVar[str] = "customers"
    """The name of the page that follows, confirmed or cancelled."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """The operation seen through this class, or through a more special one."""
        return cls(operation)

    @abstractmethod
    def summary(self) -> Summary:
        """What is to be confirmed, with masked names: for the page and for the mail with the code."""

    @abstractmethod
    def ensure_unchanged(self) -> None:
        """Check that the operation can still be applied as it was reviewed.

        Raises PermissionRefused where the operator no longer may, Conflict where something has changed since.
        """

    @abstractmethod
    def apply(self, *, only_unchanged: bool = False) -> str:
        """Do what was reviewed, in the transaction of the caller; returns the message of success.

        Where customers have changed since the review Conflict is raised, or with `only_unchanged` they are skipped.
        """

    @property
    def cancel_path(self) -> str:
        """Where Cancel leads."""
        return reverse(self.done_page)

    @property
    def batch_path(self) -> str:
        """The page of the batch that confirming leaves, "" where it leaves none."""
        return ""

    @property
    def is_large(self) -> bool:
        """Whether applying it is left to a worker, where there is one."""
        return False

    def page_context(self, query: QueryDict, month: int, error: ActionError | None) -> dict[str, Any]:
        """What `template` needs beside the summary, the code and the outcome."""
        return {}

    def conflict_summary(self, month: int) -> dict[str, Any] | None:
        """Which customers have changed since the review; None where the message of the conflict says it all."""
        return None

    def edit(self, given: QueryDict) -> Operation:
        """The review that takes the place of this one: with customers left out or taken back, or other amounts.

        The same operation where nothing was edited. Raises InvalidRequest where nothing can be edited.
        """
        raise InvalidRequest(_("Nothing of this can be changed."))

    def take_typed_amounts(self, given: QueryDict) -> Operation | None:
        """The review with the amounts that stand beside the pressed OK and are not in it yet; None without any."""
        return None


def kind_of(operation: Operation) -> OperationKind:
    """The operation, seen through the class of its kind."""
    kind: type[OperationKind] = import_string(CLASSES[operation.kind])
    return kind.of(operation)
