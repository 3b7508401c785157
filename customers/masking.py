"""Masking names, e-mail addresses and mobile numbers, and revealing them for five minutes.

See section 7 (docs/rules.md).
"""

from math import ceil

import regex
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

STARS = "****"
GRAPHEME = regex.compile(r"\X")
REVEAL_SECONDS = 5 * 60
REVEALED_UNTIL = "names_shown_until"


def mask_name(name: str) -> str:
    """Mask a name as its first and last character: `T****0`; if it has two or fewer, as its first.

    A letter with its accents, or an emoji with its parts, is one character.
    """
    name = name.strip()
    characters = name if name.isascii() else GRAPHEME.findall(name)
    if not characters:
        return ""
    return characters[0] + STARS + (characters[-1] if len(characters) > 2 else "")


def mask_email(address: str) -> str:
    """Mask an e-mail address as its first character and its domain: `o****@acme.example`."""
    local, at, domain = address.partition("@")
    return regex.match(r"\X?", local)[0] + STARS + at + domain if address else ""


def mask_mobile(number: str) -> str:
    """Mask a number as its first three and last two digits: `138****21`; if it has five or fewer, as its first."""
    return number[:3] + STARS + number[-2:] if len(number) > 5 else number[:1] + STARS if number else ""


def set_reveal(session: SessionBase, *, shown: bool) -> None:
    """Reveal complete names in this session for five minutes, or mask them again. See rule 7.3 (docs/rules.md)."""
    session[REVEALED_UNTIL] = timezone.now().timestamp() + REVEAL_SECONDS if shown else 0


def reveal_seconds_left(session: SessionBase) -> int:
    """How many more seconds this session reveals complete names; 0 if they are masked."""
    return max(0, ceil(session.get(REVEALED_UNTIL, 0) - timezone.now().timestamp()))
