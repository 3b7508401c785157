"""How pages write what the console shows."""

from django import template

from partnercenter.money import show_amount

register = template.Library()
register.filter("amount", show_amount)
