"""Why an action was refused: raised by actions, turned into answers by views and commands.

Every refusal leaves the database as it was. `status` is the HTTP status a page answers with (domain 5.6),
`field` the form field the message belongs to, "" for the form as a whole.
"""


class Refusal(Exception):
    """What was asked for is wrong in itself: 422."""

    status = 422

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotAllowed(Refusal):
    """The operator may not do this, or may not any more: 403."""

    status = 403


class Changed(Refusal):
    """What the operator saw is no longer what stands: 409."""

    status = 409


class Busy(Refusal):
    """The wait for another change, such as a report being taken in, was too long (domain 8.6): 409, ask again."""

    status = 409
