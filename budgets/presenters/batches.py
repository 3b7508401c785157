"""Batches as pages show them: the list of all, and one with its records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, OuterRef, QuerySet, Subquery

from budgets.actions.undo import IS_UNCHANGED, UNCHANGED_SINCE_BATCH
from budgets.models import AdjustmentRecord
from budgets.presenters.records import show_records
from customers.masking import mask_name
from customers.models import ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.lib.types import Context
from partnercenter.models import Channel, Confirmation, Operation
from partnercenter.operation_kinds import Summary

# The last freeze record that a batch left for the customer of an adjustment record.
FREEZE_RECORD_OF_BATCH = Subquery(
    FreezeRecord.objects.filter(customer=OuterRef("customer"), batch=OuterRef("batch")).order_by("-pk").values("pk")[:1]
)


@dataclass(frozen=True)
class BatchListing:
    """What a batch's page lists: the items, how to show a page of them, and what else the template needs.

    `undoable` is the number of customers whose budgets an undo would restore.
    """

    items: QuerySet
    show: Callable[[Iterable[Any]], list[Context]]
    context: Context = field(default_factory=dict)
    undoable: int = 0


def show_batches(confirmations: Iterable[Confirmation]) -> list[Context]:
    """Turn batches into rows, with the numbers of budgets changed and of accounts frozen and unfrozen."""
    confirmations = list(confirmations)
    keys = [each.pk for each in confirmations]
    records = AdjustmentRecord.objects.filter(batch__in=keys)
    changed = _count_by_batch(records)
    freezes = FreezeRecord.objects.filter(batch__in=keys)
    channels = _channel_by_batch(freezes) | _channel_by_batch(records)
    frozen = _count_by_batch(freezes.filter(operation=FreezeRecord.Operation.FREEZE))
    unfrozen = _count_by_batch(freezes.filter(operation=FreezeRecord.Operation.UNFREEZE))
    return [
        {
            "pk": each.pk,
            "at": each.at,
            "operator": each.operation.operator.username,
            "operation_label": each.operation.get_kind_display(),
            "channel_label": Channel(channels[each.pk]).label if each.pk in channels else "--",
            "confirmed_label": each.get_how_display(),
            "changed": changed.get(each.pk, 0),
            "frozen": frozen.get(each.pk, 0),
            "unfrozen": unfrozen.get(each.pk, 0),
        }
        for each in confirmations
    ]


def _channel_by_batch(records: QuerySet) -> dict[UUID, str]:
    return dict(records.order_by().values_list("batch").annotate(Min("channel")))


def _count_by_batch(records: QuerySet) -> dict[UUID, int]:
    return dict(records.order_by().values_list("batch").annotate(Count("pk")))


def list_budget_batch(records: QuerySet[AdjustmentRecord], *, only_changed: bool) -> BatchListing:
    """List a batch's adjustment records; if `only_changed`, only of customers whose budget changed afterwards."""
    number, unchanged = records.count(), records.filter(UNCHANGED_SINCE_BATCH).count()
    items = records.annotate(is_unchanged=IS_UNCHANGED, freeze_record=FREEZE_RECORD_OF_BATCH)
    if only_changed:
        items = items.filter(is_unchanged=False)
    context = {"moved_on": number - unchanged, "only_moved_on": only_changed}
    return BatchListing(items.select_related("customer"), show_batch_records, context, undoable=unchanged)


def list_freeze_batch(
    operation: Operation, records: QuerySet[FreezeRecord], summary: Summary, *, only_excluded: bool
) -> BatchListing:
    """List a batch's freeze records, or if `only_excluded`, the customers excluded in its review."""
    excluded = operation.reviewed.exclude(left_out=ExclusionReason.NONE)
    context = {"facts": summary, "left_out": excluded.count(), "only_left_out": only_excluded}
    if only_excluded:
        return BatchListing(excluded.select_related("customer").order_by("pk"), show_excluded, context)
    return BatchListing(records.select_related("customer"), show_freezes, context)


def show_batch_records(records: Iterable[Any]) -> list[Context]:
    """Turn adjustment records into rows with their customers. `moved_on`: the budget has changed since the batch."""
    records = list(records)
    return [
        row
        | {
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "budget_type_before_label": record.get_budget_type_before_display() or "--",
            "moved_on": not record.is_unchanged,
            "freeze_record": record.freeze_record,
        }
        for record, row in zip(records, show_records(records), strict=True)
    ]


def show_excluded(items: Iterable[ReviewItem]) -> list[Context]:
    """Turn customers excluded in a review into rows, each with the reason."""
    return [
        {
            "account_name": item.customer.account_name,
            "customer_id": item.customer.customer_id,
            "name": mask_name(item.customer.name),
            "why": item.get_left_out_display(),
        }
        for item in items
    ]


def show_freezes(records: Iterable[FreezeRecord]) -> list[Context]:
    """Turn freeze records into rows with their customers, and the account before and after."""
    return [
        {
            "pk": record.pk,
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "name": mask_name(record.customer.name),
            "before_label": record.get_kind_before_display(),
            "after_label": record.get_kind_after_display(),
            "origin_label": record.get_origin_after_display() if record.kind_after else "--",
            "retention_until": record.retention_until,
        }
        for record in records
    ]
