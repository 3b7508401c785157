"""Why an action was refused: raised by actions, turned into answers by views, commands and jobs.

Every refusal leaves the database as it was. The classes are siblings: each is caught by its own name, and what a view
does not answer itself reaches the middleware, which shows the message with the status.
"""

from typing import ClassVar


class ActionError(Exception):
    """An action was refused and nothing was changed.

    `status` is the HTTP status that a page answers with. `field` names the form field that the message belongs to, ""
    for the form as a whole.
    """

    status: ClassVar[int] = 422

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidRequest(ActionError):
    """What was asked for is wrong in itself: 422."""


class PermissionRefused(ActionError):
    """The operator may not do this, or no longer may: 403."""

    status = 403


class Conflict(ActionError):
    """What the operator saw has changed since: 409."""

    status = 409


class LockTimeout(ActionError):
    """The wait for another change, such as the import of a report, was too long: 409, try again."""

    status = 409


class OperationFinished(ActionError):
    """The operation was completed, replaced or has expired: 409."""

    status = 409
