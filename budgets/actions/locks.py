"""What an action on customers holds to its end: grants, then customers, in key order."""

from django.db.models import QuerySet

from customers.models import Customer, CustomerQuerySet, ReviewItem
from partnercenter.lib.transactions import lock_keys, lock_rows
from partnercenter.models import Grant, Partner, User


def lock_to_review(customers: CustomerQuerySet, operator: User) -> list[int]:
    """Lock the operator's own of these customers and give their keys: what is reviewed then cannot differ at once."""
    mine = customers.visible_to(operator)
    partners = list(Partner.objects.filter(pk__in=mine.order_by().values("partner")))
    lock_grants(partners)
    # Not whoever came in meanwhile with a partner whose grant nobody has looked at.
    return lock_keys(mine.filter(partner__in=partners))


def lock_grants(partners: list[Partner]) -> None:
    """Lock the grants of the resellers among the partners: giving and revoking wait."""
    lock_keys(Grant.objects.filter(partner__in=partners))


def lock_reviewed(rows: QuerySet[ReviewItem], operator: User) -> None:
    """Lock the customers of reviewed rows that are still the operator's. After the grants."""
    lock_rows(Customer.objects.visible_to(operator).filter(pk__in=rows.values("customer")))
