"""Names, e-mail addresses and mobile numbers as they are shown to whoever did not ask for more.

See section 7 (docs/rules.md).
"""

from math import ceil

import regex
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

STARS = "****"
GRAPHEME = regex.compile(r"\X")
SHOWN_SECONDS = 5 * 60
SHOWN_UNTIL = "names_shown_until"


def mask_name(name: str) -> str:
    """First and last character with four asterisks between: `T****0`; of two or fewer only the first.

    A character is what a reader sees as one: a letter with its accents, an emoji with its parts.
    """
    letters = name.strip()
    characters = letters if letters.isascii() else GRAPHEME.findall(letters)
    if not characters:
        return ""
    return characters[0] + STARS + (characters[-1] if len(characters) > 2 else "")


def mask_email(address: str) -> str:
    """`o****@acme.example`: the first character and the domain."""
    local, at, domain = address.partition("@")
    return regex.match(r"\X?", local)[0] + STARS + at + domain if address else ""


def mask_mobile(number: str) -> str:
    """`138****21`: the first three and the last two digits; of five or fewer only the first."""
    return number[:3] + STARS + number[-2:] if len(number) > 5 else number[:1] + STARS if number else ""


def set_reveal(session: SessionBase, *, shown: bool) -> None:
    """The eye: show complete names in this session for five minutes, or mask them again.

    See rule 7.3 (docs/rules.md).
    """
    session[SHOWN_UNTIL] = timezone.now().timestamp() + SHOWN_SECONDS if shown else 0


def reveal_seconds_left(session: SessionBase) -> int:
    """For how many seconds more complete names are shown in this session; 0 where they are masked."""
    return max(0, ceil(session.get(SHOWN_UNTIL, 0) - timezone.now().timestamp()))
