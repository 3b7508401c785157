"""How pages write what the console shows."""

import re
from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from jinja2 import Environment, StrictUndefined

from partnercenter.database import COUNTED
from partnercenter.money import show_amount

register = template.Library()
register.filter("amount", show_amount)

# Behind such a sign, unless it is the last.
MAY_BREAK = re.compile(r"(?<=[_./@-])(?=.)")


@register.filter
def counted(number: int) -> str:
    """A count that stopped where it was known to be more: `1,000+`."""
    shown = number_format(min(number, COUNTED), force_grouping=True)
    return f"{shown}+" if number > COUNTED else shown


@register.filter
def breakable(name: str) -> SafeString:
    """A name without spaces that may go on in the next line after `_`, `-`, `.`, `/` or `@`, rather than anywhere."""
    return mark_safe(MAY_BREAK.sub("<wbr>", escape(name)))  # noqa: S308 - escaped before


def environment(**options: Any) -> Environment:
    """How Jinja2 draws what is repeated so often that it would be most of a page: the rows of the list.

    It escapes as Django does; a name that is not there is an error.
    """
    drawing = Environment(autoescape=True, undefined=StrictUndefined, loader=options["loader"], trim_blocks=True)
    drawing.globals |= {"_": gettext, "url": reverse}
    drawing.filters["breakable"] = breakable
    return drawing


@register.simple_tag(takes_context=True)
def drawn(context: Context, name: str) -> SafeString:
    """Include a fragment drawn by Jinja2, with all that stands in the context."""
    everything: dict[Any, Any] = context.flatten()
    return mark_safe(render_to_string(name, everything, using="jinja2"))  # noqa: S308 - escaped by Jinja2
