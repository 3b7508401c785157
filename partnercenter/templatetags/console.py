"""How pages write what the console shows."""

from django import template
from django.utils.formats import number_format

from partnercenter.database import COUNTED
from partnercenter.money import show_amount

register = template.Library()
register.filter("amount", show_amount)


@register.filter
def counted(number: int) -> str:
    """A count that stopped where it was known to be more: `1,000+`."""
    shown = number_format(min(number, COUNTED), force_grouping=True)
    return f"{shown}+" if number > COUNTED else shown
