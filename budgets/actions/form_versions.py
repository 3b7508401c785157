"""Optimistic locking for forms: detects that a customer has changed since its form was opened."""

import re
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, FreezeKind
from partnercenter.lib.errors import Conflict

VERSION_PATTERN = re.compile(r"(?P<record>[0-9]{0,18})\|(?P<kind>[A-Z_]*)\|(?P<since>(2[0-9]{3}-[0-9T:.-]+\+00:00)?)")


def form_version(customer: Customer) -> str:
    """Encode the budget and the freeze state that a form shows, to be sent back with the form."""
    budget = getattr(customer, "budget", None)
    since = customer.frozen_since.isoformat() if customer.frozen_since else ""
    return f"{budget.record_id if budget else ''}|{customer.freeze_kind}|{since}"


def ensure_expected(customers: CustomerQuerySet, expected: Q | None) -> None:
    """Raise Conflict if one of the customers does not meet the condition `expected`, if one is given."""
    if expected is not None and customers.filter(expected).count() != customers.count():
        raise Conflict(
            _("Someone else changed this budget or account while you were editing. Your change was not saved.")
        )


def matches_version(version: str) -> Q:
    """The condition that a customer is still as its form showed it. Raises Conflict if the version is not valid."""
    match = VERSION_PATTERN.fullmatch(version)
    if match is None or match["kind"] not in FreezeKind.values:
        raise Conflict(_("This form is out of date: reload the page. Nothing was changed."))
    try:
        since = _equal("frozen_since", datetime.fromisoformat(match["since"]) if match["since"] else None)
    except ValueError as error:
        raise Conflict(_("This form is out of date: reload the page. Nothing was changed.")) from error
    record = _equal("budget__record", int(match["record"]) if match["record"] else None)
    return record & since & Q(freeze_kind=match["kind"])


def _equal(field: str, value: datetime | int | None) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})
