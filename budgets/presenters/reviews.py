"""The page of a review: the groups with their counts, the items of the open group, totals and quotas."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.core.paginator import Paginator
from django.db.models import Count, Q, Sum
from django.http import Http404

from budgets.actions.quota import AS_REVIEWED, quota_deltas
from budgets.actions.reviews import included_items
from budgets.presenters.review_groups import ReviewGroups
from budgets.presenters.review_items import BY_NAME
from customers.models import ExclusionReason, ReviewItem
from partnercenter.lib.htmx import page_context
from partnercenter.lib.money import money
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType, Operation
from partnercenter.permissions import grant_of

ITEMS_PER_PAGE = 20

# Turns items, given by their keys, into rows of a page.
ShowItems = Callable[[list[int]], list[Context]]


@dataclass(frozen=True)
class Review:
    """A review as its page shows it: how many customers are included, all groups, and the open group if any."""

    number: int
    groups: list[Context]
    open: Context | None


def group_condition(groups: ReviewGroups, key: str) -> Q:
    """The condition that the items of a group meet. Raises Http404 for an unknown group."""
    if key not in groups:
        raise Http404
    return groups[key].condition


def show_review(
    operation: Operation,
    groups: ReviewGroups,
    show_items: ShowItems,
    *,
    key: str,
    page: str | None,
    invalid: Iterable[str],
) -> Review:
    """Show the review with the group `key` open.

    `invalid` are the IDs of customers whose typed amounts are invalid. If none of them is on the page, the group and
    page of the first one are shown instead.
    """
    # One statement for all groups: one per group would read all items and their budgets each time.
    conditions = {name: Count("pk", filter=group.condition) for name, group in groups.items()}
    counts = ReviewItem.objects.filter(operation=operation).aggregate(**conditions)
    opened = _open_group(operation, groups, show_items, key, page) if counts.get(key) else None
    if invalid and not (opened and any(row["error"] for row in opened["rows"])):
        opened = _open_group(operation, groups, show_items, *_find_first(operation, groups, invalid))
    return Review(
        number=counts["ALL"],
        groups=[
            {
                "key": name,
                "label": groups[name].label,
                "count": count,
                "query": f"?group={name}",
                "open": opened is not None and name == opened["key"],
            }
            for name, count in counts.items()
        ],
        open=opened,
    )


def _open_group(
    operation: Operation, groups: ReviewGroups, show_items: ShowItems, key: str, number: str | int | None
) -> Context:
    keys = operation.reviewed.filter(group_condition(groups, key)).order_by(*BY_NAME).values_list("pk", flat=True)
    page = Paginator(keys, ITEMS_PER_PAGE).get_page(number)
    rows = show_items(list(page.object_list))
    return page_context(page, rows) | {
        "key": key,
        "label": groups[key].label,
        "rows": rows,
        "can_exclude": groups[key].can_exclude,
    }


def _find_first(operation: Operation, groups: ReviewGroups, customer_ids: Iterable[str]) -> tuple[str, int]:
    """The group and the page on which the first of these customers is listed."""
    items = operation.reviewed
    first = items.filter(customer__customer_id__in_array=customer_ids).select_related("customer").order_by(*BY_NAME)[0]
    key = "ALL" if not first.left_out else "MOVED_ON" if first.left_out == ExclusionReason.MOVED_ON else "LEFT_OUT"
    name = first.customer.account_name
    before = Q(customer__account_name__lt=name) | Q(customer__account_name=name, pk__lt=first.pk)
    return key, items.filter(group_condition(groups, key) & before).count() // ITEMS_PER_PAGE + 1


def budget_totals(operation: Operation) -> list[Context]:
    """Add up the budgets of the included customers by type: `label`, and the amounts `before` and `after`."""
    sums = {
        f"{side}_{budget_type}": Sum(f"{path}amount", filter=Q(**{f"{path}budget_type": budget_type}), default=money(0))
        for side, path in (("before", "customer__budget__"), ("after", ""))
        for budget_type in BudgetType.values
    }
    totals = included_items(operation).aggregate(**sums)
    return [
        {"label": each.label, "before": totals[f"before_{each}"], "after": totals[f"after_{each}"]}
        for each in BudgetType
    ]


def show_pools(operation: Operation) -> list[Context]:
    """The quotas of the operator's partner, with the amounts allocated before and after; none without a grant."""
    grant = grant_of(operation.partner)
    if grant is None:
        return []
    deltas = quota_deltas(included_items(operation), *AS_REVIEWED, operation.operator).get(operation.partner.pk, {})
    pools = []
    for budget_type in BudgetType.values:
        pool = grant.pool(budget_type)
        after = pool.allocated + deltas.get(budget_type, Decimal(0))
        over = pool.granted is not None and after > pool.granted
        pools.append(
            {"label": pool.label, "granted": pool.granted, "before": pool.allocated, "after": after, "over": over}
        )
    return pools
