"""Row locks that an action holds until its transaction ends: grants first, then customers, each in key order.

Locked customers that are behind the month are restored at once, so an action never computes with stale figures.
"""

from django.db.models import QuerySet

from budgets.actions.billing_month import restore_customers, restore_if_behind
from customers.models import Customer, CustomerQuerySet, ReviewItem
from partnercenter.lib.transactions import lock_keys, lock_rows
from partnercenter.models import Grant, Partner, User


def lock_customers(customers: CustomerQuerySet, operator: User) -> list[int]:
    """Lock the grants, then the customers that are the operator's own; return the keys of these customers.

    The caller must have locked the month.
    """
    own = customers.visible_to(operator)
    partners = list(Partner.objects.filter(pk__in=own.order_by().values("partner")))
    lock_grants(partners)
    # Leave out customers that were associated in the meantime with a partner whose grant is not locked.
    keys = lock_keys(own.filter(partner__in=partners))
    restore_customers(keys)
    return keys


def lock_grants(partners: list[Partner]) -> None:
    """Lock the grants of the resellers among the partners, so that none is given, changed or revoked."""
    lock_keys(Grant.objects.filter(partner__in=partners))


def lock_reviewed_customers(items: QuerySet[ReviewItem], operator: User, month: int) -> None:
    """Lock the customers of review items that are still the operator's own. Call this after `lock_grants`.

    The caller must have locked the `month`.
    """
    own = Customer.objects.visible_to(operator).filter(pk__in=items.values("customer"))
    lock_rows(own)
    restore_if_behind(own, month)
