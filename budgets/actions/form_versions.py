"""The state in which a person saw a customer: what a form carries of it, and whether it stands still."""

import re
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, FreezeKind
from partnercenter.lib.errors import Conflict

VERSION_PATTERN = re.compile(r"(?P<record>[0-9]{0,18})\|(?P<kind>[A-Z_]*)\|(?P<since>(2[0-9]{3}-[0-9T:.-]+\+00:00)?)")


def form_version(customer: Customer) -> str:
    """What a form carries of the budget and the freeze state it showed."""
    budget = getattr(customer, "budget", None)
    since = customer.frozen_since.isoformat() if customer.frozen_since else ""
    return f"{budget.record_id if budget else ''}|{customer.freeze_kind}|{since}"


def ensure_expected(customers: CustomerQuerySet, expected: Q | None) -> None:
    """Raises Conflict where one of the customers is not, or no longer, as it was seen."""
    if expected is not None and customers.filter(expected).count() != customers.count():
        raise Conflict(_("This budget or the state of the account was changed meanwhile. Nothing was changed."))


def matches_version(version: str) -> Q:
    """The condition a customer still meets if nothing changed since a form showed this version. Raises Conflict."""
    match = VERSION_PATTERN.fullmatch(version)
    if match is None or match["kind"] not in FreezeKind.values:
        raise Conflict(_("The form is outdated. Nothing was changed."))
    try:
        since = _same("frozen_since", datetime.fromisoformat(match["since"]) if match["since"] else None)
    except ValueError as error:
        raise Conflict(_("The form is outdated. Nothing was changed.")) from error
    record = int(match["record"]) if match["record"] else None
    return _same("budget__record", record) & since & Q(freeze_kind=match["kind"])


def _same(field: str, value: Any) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})
