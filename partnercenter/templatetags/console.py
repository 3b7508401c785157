"""How pages write what the console shows."""

import re
from functools import cache, partial
from typing import Any

from django import template
from django.http import QueryDict
from django.template.context import Context
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.formats import number_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext
from jinja2 import Environment, StrictUndefined

from partnercenter.lib.money import show_amount, show_number
from partnercenter.lib.prepared import COUNT_CAP

register = template.Library()
register.filter("amount", show_amount)

# Behind such a sign, unless it is the last.
MAY_BREAK = re.compile(r"(?<=[_./@-])(?=.)")


@register.filter
def capped(number: int) -> str:
    """A count that stopped where it was known to be more: `1,000+`."""
    shown = number_format(min(number, COUNT_CAP), force_grouping=True)
    return f"{shown}+" if number > COUNT_CAP else shown


@register.filter
def breakable(name: str) -> SafeString:
    """A name without spaces that may go on in the next line after `_`, `-`, `.`, `/` or `@`, rather than anywhere."""
    return mark_safe(MAY_BREAK.sub("<wbr>", escape(name)))  # noqa: S308 - escaped before


def environment(**options: Any) -> Environment:
    """How Jinja2 draws what is asked for most: the list of customers, and what stands on every page.

    It escapes as Django does; a name that is not there is an error.
    """
    drawing = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        loader=options["loader"],
        auto_reload=options["auto_reload"],
    )
    drawing.globals |= {"icon": cache(partial(_icon, drawing)), "page_query": _page_query}
    drawing.filters |= {"amount": show_amount, "breakable": breakable, "capped": capped, "number": show_number}
    return drawing


def _icon(drawing: Environment, name: str) -> SafeString:
    return mark_safe(drawing.get_template(f"icons/{name}.html").render())  # noqa: S308 - a file of ours


def _page_query(query: QueryDict, number: int) -> str:
    changed = query.copy()
    changed["page"] = str(number)
    return f"?{changed.urlencode()}"


@register.simple_tag(takes_context=True)
def include_jinja(context: Context, name: str, **more: Any) -> SafeString:
    """Include a fragment drawn by Jinja2, with all that stands in the context, and more.

    Its `_` and `url` know by what language and prefix: asking for these each time takes longer than the answer.
    """
    helpers = {"_": partial(_translated, get_language()), "url": partial(_path, get_script_prefix())}
    everything: dict[Any, Any] = context.flatten() | helpers | more
    return mark_safe(render_to_string(name, everything, using="jinja2"))  # noqa: S308 - escaped by Jinja2


@cache
def _translated(_language: str | None, words: str) -> str:
    return gettext(words)


@cache
def _path(_prefix: str, name: str, *args: Any) -> str:
    return reverse(name, args=args)
