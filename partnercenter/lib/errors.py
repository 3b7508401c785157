"""The errors that actions raise to refuse a request; views, commands and jobs turn them into responses.

A refused action has changed nothing. No two of the errors derived from `ActionError` here are subclasses of each other,
so `except` catches exactly one reason. An error that a view does not catch is shown by the middleware as a page with
the error's message and HTTP status.
"""

from typing import ClassVar


class ActionError(Exception):
    """Base class: an action was refused and nothing was changed.

    `status` is the HTTP status of the response. `field` names the form field to which the message belongs, "" for the
    form as a whole.
    """

    status: ClassVar[int] = 422

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidRequest(ActionError):
    """The request itself is wrong: 422."""


class PermissionRefused(ActionError):
    """The operator may not do this, or no longer may: 403."""

    status = 403


class Conflict(ActionError):
    """What the operator saw has changed since: 409."""

    status = 409


class LockTimeout(ActionError):
    """Another change, such as the import of a report, held the locks for too long: 409, try again."""

    status = 409


class ReportUnderWay(ActionError):
    """Another expenditure report is being imported, and reports are imported one at a time: 409, try again."""

    status = 409


class OperationFinished(ActionError):
    """The operation was completed or replaced before, or has expired: 409."""

    status = 409


class StorageFailed(ActionError):
    """A file could not be stored, because the disk is full or cannot be written: 507."""

    status = 507
