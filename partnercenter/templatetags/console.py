"""How pages write what the console shows."""

import re

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from partnercenter.database import COUNTED
from partnercenter.money import show_amount

register = template.Library()
register.filter("amount", show_amount)

PARTS = re.compile(r"[^_\-./@]*[_\-./@]+|[^_\-./@]+")


@register.filter
def counted(number: int) -> str:
    """A count that stopped where it was known to be more: `1,000+`."""
    shown = number_format(min(number, COUNTED), force_grouping=True)
    return f"{shown}+" if number > COUNTED else shown


@register.filter
def breakable(name: str) -> SafeString:
    """A name without spaces that may go on in the next line after `_`, `-`, `.`, `/` or `@`, rather than anywhere."""
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in PARTS.findall(name)))
