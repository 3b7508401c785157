"""Template filters and tags, and the Jinja2 environment.

Jinja2, which is several times faster, renders what is rendered most: the rows of the customer list, and the parts that
are on every page. Django templates include such a part with `{% include_jinja %}`.
"""

import re
from functools import cache, partial
from typing import Any

from django import template
from django.http import QueryDict
from django.template.context import Context as TemplateContext
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.formats import number_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext
from jinja2 import BaseLoader, Environment, StrictUndefined

from partnercenter.lib.money import show_amount, show_number
from partnercenter.lib.prepared import COUNT_CAP

register = template.Library()
register.filter("amount", show_amount)

# The position after one of these characters, unless it is the last character.
BREAK_OPPORTUNITY = re.compile(r"(?<=[_./@-])(?=.)")


@register.filter
def capped(number: int) -> str:
    """Format a number that was counted only up to the cap, such as `1,000+`."""
    text = number_format(min(number, COUNT_CAP), force_grouping=True)
    return f"{text}+" if number > COUNT_CAP else text


@register.filter
def breakable(name: str) -> SafeString:
    """Allow line breaks after punctuation in a name without spaces, such as an e-mail address."""
    return mark_safe(BREAK_OPPORTUNITY.sub("<wbr>", escape(name)))  # noqa: S308 - escaped before


def environment(*, loader: BaseLoader, auto_reload: bool, **_options: object) -> Environment:
    """Make the Jinja2 environment. It escapes as Django does; an undefined name is an error."""
    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=loader, auto_reload=auto_reload
    )

    @cache
    def icon(name: str) -> SafeString:
        return mark_safe(jinja.get_template(f"icons/{name}.html").render())  # noqa: S308 - our own file

    jinja.globals |= {"icon": icon, "page_query": page_query}
    jinja.filters |= {"amount": show_amount, "breakable": breakable, "capped": capped, "number": show_number}
    return jinja


def page_query(query: QueryDict, number: int) -> str:
    """The query string of another page of the same table."""
    changed = query.copy()
    changed["page"] = str(number)
    return f"?{changed.urlencode()}"


@register.simple_tag(takes_context=True)
def include_jinja(context: TemplateContext, name: str, **extra: object) -> SafeString:
    """Include a Jinja2 template with the whole context, the extra values, and the functions `_` and `url`."""
    helpers = {"_": partial(_translate, get_language()), "url": partial(_path, get_script_prefix())}
    values: dict[Any, Any] = {**context.flatten(), **helpers, **extra}
    return mark_safe(render_to_string(name, values, using="jinja2"))  # noqa: S308 - escaped by Jinja2


# Translating text and reversing a URL are slow enough to be cached, per language and script prefix.


@cache
def _translate(_language: str | None, text: str) -> str:
    return gettext(text)


@cache
def _path(_prefix: str, name: str, *args: object) -> str:
    return reverse(name, args=args)
