"""The kinds of operations on customers: set budgets, import them, undo a batch, freeze and unfreeze by hand.

Each class says which actions perform its operation and what its pages, mails and messages show. Everything else asks
the class instead of testing `operation.kind`; see partnercenter.operation_kinds and budgets.actions.review_kinds.
"""

from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Self, cast
from uuid import UUID

from django.db.models import Case, Q, QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import FreezeRequest, freeze_exclusion, freeze_request_from, with_freeze_effects
from budgets.actions.manual_freeze import apply_freeze, ensure_freeze_confirmable
from budgets.actions.review_edits import (
    NO_ROWS,
    edit_review,
    review_freeze_again,
    review_items_again,
    review_terms_again,
)
from budgets.actions.review_kinds import ReviewKind
from budgets.actions.reviews import ensure_confirmable, ensure_unchanged, included_items
from budgets.actions.set_budgets import apply_budgets
from budgets.actions.terms import exclusion, with_budget_effects
from budgets.actions.undo import batch_records, ensure_undo_confirmable, review_undo
from budgets.forms.review_amounts import AMOUNT_PREFIX, InvalidAmounts, TypedAmount, ensure_in_review, typed_amounts
from budgets.models import AdjustmentRecord
from budgets.presenters import messages, summaries
from budgets.presenters.batches import BatchListing, list_budget_batch, list_freeze_batch
from budgets.presenters.records import ADJUSTMENT_FILE
from budgets.presenters.review_groups import BUDGET_GROUPS, FREEZE_GROUPS, UNFREEZE_GROUPS, ReviewGroups
from budgets.presenters.review_items import annotated_items, edit_options, show_budget_item, show_freeze_item
from budgets.presenters.reviews import budget_totals, group_condition, show_pools, show_review
from budgets.queries.conflicts import conflict_summary
from customers.files import FREEZE_FILE, RecordFile
from customers.models import ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.actions import jobs
from partnercenter.lib.errors import ActionError, InvalidRequest
from partnercenter.lib.types import Context
from partnercenter.models import Channel, Operation
from partnercenter.operation_kinds import Summary


class CustomerOperation(ReviewKind):
    """An operation on reviewed customers: the behaviour that all kinds share.

    Several customers make a batch, with a review page and a page afterwards; a single one is confirmed on a plain page.
    """

    head_template: ClassVar[str]
    items_template: ClassVar[str]
    batch_template: ClassVar[str]
    groups: ClassVar[ReviewGroups]
    record_file: ClassVar[RecordFile]
    batch_file_name: ClassVar[str]
    can_be_undone: ClassVar[bool] = False

    @property
    def template(self) -> str:  # type: ignore[override]  # a class variable for other kinds
        return "budgets/review.html" if self.is_batch else "partnercenter/operation.html"

    @property
    def batch_path(self) -> str:
        return reverse("batch", args=[self.operation.pk]) if self.is_batch else ""

    @property
    def is_large(self) -> bool:
        threshold = jobs.WORKER_THRESHOLD
        return included_items(self.operation)[: threshold + 1].count() > threshold

    def ensure_unchanged(self) -> None:
        ensure_unchanged(self.operation)

    def conflict_summary(self, month: int) -> Context | None:
        return conflict_summary(self.operation, month) if self.is_batch else None

    # --- The page of the review ---------------------------------------------------------------------------------------

    @abstractmethod
    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[Context]:
        """Turn items of the review, given by key, into rows; `typed` are amounts to show again, by customer ID."""

    def head_context(self, number: int) -> Context:
        """The context that `head_template` shows above the groups; `number` customers are included."""
        return {}

    def extra_context(self, query: QueryDict, month: int, error: ActionError | None) -> Context:
        if not self.is_batch:
            return {}
        typed = error.typed if isinstance(error, InvalidAmounts) else {}
        review = show_review(
            self.operation,
            self.groups,
            lambda keys: self.show_items(keys, month, typed),
            key=query.get("group", ""),
            page=query.get("page"),
            invalid={customer_id for customer_id, amount in typed.items() if amount.error},
        )
        context = {"review": review, "head_template": self.head_template, "items_template": self.items_template}
        if review.open is not None and any(row.get("error") for row in review.open["rows"]):
            # The row shows the error, so the page does not repeat it.
            context["error"] = ""
        return context | self.head_context(review.number)

    # --- Edits of the review ------------------------------------------------------------------------------------------

    def edit(self, data: QueryDict) -> Operation:
        if data.get("again"):
            return self.review_again()
        amounts = self.typed_amounts(data)
        exclude, include = data.getlist("leave_out"), data.getlist("take_in")
        key = data.get("leave_out_group")
        group = group_condition(self.groups, key) if key else NO_ROWS
        ensure_in_review(self.operation, {*exclude, *include})
        if not (exclude or include or amounts or group != NO_ROWS):
            return self.operation
        return edit_review(self.operation, exclude=exclude, group=group, include=include, amounts=amounts)

    def save_typed_amounts(self, data: QueryDict) -> Operation | None:
        amounts = self.typed_amounts(data)
        if not amounts:
            return None
        jobs.ensure_not_under_way(self.operation)
        return edit_review(self.operation, amounts=amounts)

    def typed_amounts(self, data: QueryDict) -> dict[str, Decimal]:
        """The amounts typed into rows, by customer ID. Raises InvalidRequest if this kind has no amounts."""
        if any(name.startswith(AMOUNT_PREFIX) for name in data):
            raise InvalidRequest(_("No amounts can be entered here. Exclude customers that are to stay unchanged."))
        return {}

    # --- The page of the batch ----------------------------------------------------------------------------------------

    @abstractmethod
    def records(self) -> QuerySet:
        """The records that the operation left, in the order in which they were written."""

    @abstractmethod
    def batch_listing(self, query: QueryDict) -> BatchListing:
        """What the page of the batch lists for this query string."""


class BudgetOperation(CustomerOperation):
    """An operation that gives each of its customers a budget."""

    head_template = "budgets/_review_figures.html"
    items_template = "budgets/_review_rows.html"
    batch_template = "budgets/batch.html"
    groups = BUDGET_GROUPS
    record_file = ADJUSTMENT_FILE
    batch_file_name = "budget-batch"
    can_be_undone = True

    @abstractmethod
    def lead(self, number: int) -> SafeString:
        """The first sentence of a review that includes `number` customers."""

    @property
    @abstractmethod
    def why_not_unfrozen(self) -> str:
        """Why an account stays frozen although its budget would allow unfreezing it."""

    def edit_options(self, item: ReviewItem, typed: TypedAmount | None) -> Context:
        """How the operator can edit an item."""
        return edit_options(item, typed)

    def with_effects(self, items: QuerySet[ReviewItem], month: int) -> QuerySet[ReviewItem]:
        return with_budget_effects(items, month, prefix="customer__")

    def summary(self) -> Summary:
        if self.is_batch:
            return summaries.customer_count_line(self.operation) + summaries.many_budgets_lines(self.operation)
        month = current_month()
        item = annotated_items(self.operation, [self.operation.reviewed.get().pk], month).get()
        lines = summaries.one_budget_lines(item, month, self.why_not_unfrozen)
        return summaries.customer_lines(item.customer) + lines

    def head_context(self, number: int) -> Context:
        totals, pools = budget_totals(self.operation), show_pools(self.operation)
        return {"lead": self.lead(number), "totals": totals, "pools": pools}

    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[Context]:
        return [
            show_budget_item(item, month, self.why_not_unfrozen)
            | self.edit_options(item, typed.get(item.customer.customer_id))
            for item in annotated_items(self.operation, keys, month)
        ]

    def records(self) -> QuerySet[AdjustmentRecord]:
        return batch_records(self.operation.pk, self.operation.operator).order_by("pk")

    def batch_listing(self, query: QueryDict) -> BatchListing:
        """The adjustment records; with `moved_on=1`, only of customers whose budget has changed since."""
        return list_budget_batch(self.records(), only_changed=query.get("moved_on") == "1")


class SetBudget(BudgetOperation):
    """Set the budget of one customer, or of many on the same terms."""

    @classmethod
    def from_operation(cls, operation: Operation) -> Self:
        """Return an ImportBudgets for an import: it is stored as this kind, with the file's name in its terms."""
        kind = ImportBudgets if "import" in operation.terms else cls
        return cast(Self, kind(operation))

    def exclusion(self) -> Case:
        return exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True))

    def ensure_confirmable(self, month: int) -> None:
        ensure_confirmable(self.operation, month, unfreeze=False)

    def review_again(self) -> Operation:
        return review_terms_again(self.operation)

    def apply(self, *, only_unchanged: bool = False) -> str:
        result = apply_budgets(self.operation, only_unchanged=only_unchanged)
        if self.is_batch:
            return messages.message_for_batch(result)
        return messages.message_for_one(result, self.operation.reviewed.get().budget_type)

    def lead(self, number: int) -> SafeString:
        return summaries.budgets_lead(number)

    @property
    def why_not_unfrozen(self) -> str:
        return _("Unfreezing is not ticked.")

    def typed_amounts(self, data: QueryDict) -> dict[str, Decimal]:
        return typed_amounts(data, self.operation)


class ImportBudgets(SetBudget):
    """Set the budgets of an imported file, in which each customer has its own terms."""

    channel = Channel.IMPORT

    def review_again(self) -> Operation:
        return review_items_again(self.operation)

    @property
    def why_not_unfrozen(self) -> str:
        return _("The file does not ask to unfreeze it.")


class UndoBatch(BudgetOperation):
    """Give customers back the budgets they had before a batch."""

    @property
    def is_batch(self) -> bool:
        return True

    @property
    def cancel_path(self) -> str:
        """The URL path of the batch to be undone."""
        return reverse("batch", args=[self.operation.terms["undo"]])

    def exclusion(self) -> Case:
        # An item without type and amount removes a first budget: nothing is missing.
        return exclusion(NO_ROWS)

    def ensure_confirmable(self, month: int) -> None:
        ensure_undo_confirmable(self.operation, month)

    def review_again(self) -> Operation:
        batch, unfreeze = UUID(self.operation.terms["undo"]), self.operation.terms["unfreeze"]
        return review_undo(batch, operator=self.operation.operator, unfreeze=unfreeze, replaces=self.operation)

    def apply(self, *, only_unchanged: bool = False) -> str:
        return messages.message_for_undo(apply_budgets(self.operation, only_unchanged=only_unchanged))

    def lead(self, number: int) -> SafeString:
        return summaries.undo_lead(number)

    @property
    def why_not_unfrozen(self) -> str:
        if self.operation.terms["unfreeze"]:
            return _("It was not frozen by this batch.")
        return _("Unfreezing is not ticked.")

    def edit_options(self, item: ReviewItem, typed: TypedAmount | None) -> Context:
        can_include = item.left_out == ExclusionReason.BY_OPERATOR
        return super().edit_options(item, typed) | {"can_change": False, "can_include": can_include}


class Freeze(CustomerOperation):
    """Freeze accounts by hand."""

    freezes: ClassVar[bool] = True
    compares_budgets = False
    head_template = "budgets/_review_facts.html"
    items_template = "budgets/_freeze_review_rows.html"
    batch_template = "budgets/freeze_batch.html"
    groups = FREEZE_GROUPS
    record_file = FREEZE_FILE
    batch_file_name = "freeze-batch"

    @property
    def request(self) -> FreezeRequest:
        """What the operator requested: kind, reason and agreement."""
        return freeze_request_from(self.operation.terms, freezes=self.freezes)

    def with_effects(self, items: QuerySet[ReviewItem], month: int) -> QuerySet[ReviewItem]:
        return with_freeze_effects(items, self.request, prefix="customer__")

    def exclusion(self) -> Case:
        return freeze_exclusion(self.request, prefix="customer__")

    def ensure_confirmable(self, month: int) -> None:
        ensure_freeze_confirmable(self.operation, self.request)

    def review_again(self) -> Operation:
        return review_freeze_again(self.operation, self.request)

    def apply(self, *, only_unchanged: bool = False) -> str:
        result = apply_freeze(self.operation, self.request, only_unchanged=only_unchanged)
        if not self.is_batch:
            return messages.message_for_one_freeze(self.request)
        excluded = self.operation.reviewed.exclude(left_out=ExclusionReason.NONE).count()
        return messages.message_for_freeze(result, self.request, excluded=excluded)

    def summary(self) -> Summary:
        return self.confirmed_summary() + summaries.retention_line(self.request)

    def confirmed_summary(self) -> Summary:
        """The summary of what was confirmed, without the retention deadline, which depends on the day."""
        if self.is_batch:
            subject = summaries.customer_count_line(self.operation)
        else:
            subject = summaries.customer_lines(self.operation.reviewed.select_related("customer").get().customer)
        return subject + summaries.freeze_request_lines(self.request)

    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[Context]:
        return [show_freeze_item(item) for item in annotated_items(self.operation, keys, month)]

    def records(self) -> QuerySet[FreezeRecord]:
        return FreezeRecord.objects.filter(batch=self.operation.pk).order_by("pk")

    def batch_listing(self, query: QueryDict) -> BatchListing:
        """The freeze records; with `left_out=1`, the customers excluded in the review instead."""
        only_excluded = query.get("left_out") == "1"
        return list_freeze_batch(self.operation, self.records(), self.confirmed_summary(), only_excluded=only_excluded)


class Unfreeze(Freeze):
    """Unfreeze accounts by hand."""

    freezes = False
    groups = UNFREEZE_GROUPS
