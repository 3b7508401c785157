"""Who performed an action, when and how: the values that all records of an action share."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from partnercenter.models import Channel, User


@dataclass(frozen=True)
class Author:
    """The operator, channel, time and batch ID that every record of one action stores (section 9 (docs/rules.md))."""

    operator: User | None
    channel: Channel
    at: datetime
    batch: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def name(self) -> str:
        return operator_name(self.operator)


def operator_name(operator: User | None) -> str:
    """The operator's name in records; "system" if there is no operator (rule 1.3 (docs/rules.md))."""
    return operator.username if operator else "system"
