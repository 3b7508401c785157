"""Who acts, when and through which channel: what all records of one action have in common."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from partnercenter.models import Channel, User

SYSTEM = "system"


@dataclass(frozen=True)
class Author:
    """Who does something, when and by what way: what every record of one action has in common.

    See section 9 (docs/rules.md).
    """

    operator: User | None
    channel: Channel
    at: datetime
    batch: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def name(self) -> str:
        return self.operator.username if self.operator else SYSTEM
