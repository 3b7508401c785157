"""The kinds of operations on customers: setting budgets, importing them, undoing a batch, freezing and unfreezing.

Each class says what its pages, mails and messages show and which actions do the work. The tests of a kind stand in its
methods; nothing else asks of which kind an operation is.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Q, QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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
from budgets.forms.review_amounts import InvalidAmounts, TypedAmount, ensure_in_review, typed_amounts
from budgets.presenters.messages import message_for_batch, message_for_freeze, message_for_one, message_for_undo
from budgets.presenters.records import ADJUSTMENT_FILE
from budgets.presenters.reviews import (
    BUDGET_GROUPS,
    FREEZE_GROUPS,
    Groups,
    budget_notes,
    group_condition,
    items_with_figures,
    show_budget_item,
    show_edits,
    show_freeze_item,
    show_pools,
    show_review,
    totals,
)
from budgets.presenters.summaries import effects_of_many, freeze_request_lines, one_budget, retention_line
from budgets.queries.conflicts import conflict_summary
from customers.files import FREEZE_FILE, RecordFile
from customers.masking import mask_name
from customers.models import ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.actions import jobs
from partnercenter.lib.errors import ActionError, InvalidRequest
from partnercenter.lib.money import show_amount, show_number
from partnercenter.models import Channel, Operation
from partnercenter.operation_kinds import Summary


class CustomerOperation(ReviewKind):
    """An operation on customers who were reviewed: what all its kinds have in common."""

    review_template: ClassVar[str] = "budgets/review.html"
    head_template: ClassVar[str]
    items_template: ClassVar[str]
    batch_template: ClassVar[str]
    groups: ClassVar[Groups]
    record_file: ClassVar[RecordFile]
    batch_file_name: ClassVar[str]
    can_be_undone: ClassVar[bool] = False

    @property
    def template(self) -> str:  # type: ignore[override]  # one customer is confirmed on the plain page
        return self.review_template if self.is_batch else "partnercenter/operation.html"

    @property
    def batch_path(self) -> str:
        return reverse("batch", args=[self.operation.pk]) if self.is_batch else ""

    @property
    def is_large(self) -> bool:
        few = jobs.WORKER_THRESHOLD
        return included_items(self.operation)[: few + 1].count() > few

    def ensure_unchanged(self) -> None:
        ensure_unchanged(self.operation)

    def conflict_summary(self, month: int) -> dict[str, Any] | None:
        return conflict_summary(self.operation, month) if self.is_batch else None

    # --- Its review ---------------------------------------------------------------------------------------------------

    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[dict[str, Any]]:
        """Items of the review, by their keys, as rows of a page."""
        raise NotImplementedError

    def figures(self, number: int) -> dict[str, Any]:
        """What stands above the groups of a review in which this number of customers is included."""
        return {}

    def extra_context(self, query: QueryDict, month: int, error: ActionError | None) -> dict[str, Any]:
        if not self.is_batch:
            return {}
        typed = error.typed if isinstance(error, InvalidAmounts) else {}
        review = show_review(
            self.operation,
            self.groups,
            lambda keys: self.show_items(keys, month, typed),
            key=query.get("group", ""),
            page=query.get("page"),
            wrong={customer_id for customer_id, each in typed.items() if each.error},
        )
        context = {"review": review, "head_template": self.head_template, "items_template": self.items_template}
        said_in_row = review.open is not None and any(row.get("error") for row in review.open["rows"])
        return context | self.figures(review.number) | ({"error": ""} if said_in_row else {})

    def edit(self, given: QueryDict) -> Operation:
        if given.get("again"):
            return self.review_again()
        amounts = self.typed_amounts(given)
        leave_out, take_in = given.getlist("leave_out"), given.getlist("take_in")
        whole = group_condition(self.groups, key) if (key := given.get("leave_out_group")) else NO_ROWS
        ensure_in_review(self.operation, {*leave_out, *take_in})
        if not (leave_out or take_in or amounts or whole != NO_ROWS):
            return self.operation
        return edit_review(self.operation, leave_out=leave_out, group=whole, take_in=take_in, amounts=amounts)

    def save_typed_amounts(self, given: QueryDict) -> Operation | None:
        amounts = self.typed_amounts(given)
        if not amounts:
            return None
        jobs.ensure_not_under_way(self.operation)
        return edit_review(self.operation, amounts=amounts)

    def typed_amounts(self, given: QueryDict) -> dict[str, Decimal]:
        """The amounts typed into rows, by customer ID. Raises InvalidRequest where this kind sets none."""
        if any(name.startswith("amount_") for name in given):
            raise InvalidRequest(_("No amount is set by this: leave a customer out to keep it as it is."))
        return {}

    # --- Its batch ----------------------------------------------------------------------------------------------------

    def records(self) -> QuerySet[Any]:
        """The records that applying it has left, in the order in which they were written."""
        raise NotImplementedError

    def confirmed_summary(self) -> Summary:
        """What was confirmed, as its batch shows it: the summary without what depends on the day."""
        return self.summary()


class SetBudget(CustomerOperation):
    """Setting the budget of one customer or many."""

    head_template = "budgets/_review_figures.html"
    items_template = "budgets/_review_rows.html"
    batch_template = "budgets/batch.html"
    groups = BUDGET_GROUPS
    record_file = ADJUSTMENT_FILE
    batch_file_name = "budget-batch"
    can_be_undone = True

    @classmethod
    def from_operation(cls, operation: Operation) -> Self:
        """Budgets that came from a file keep its name in their terms."""
        kind: Any = ImportBudgets if "import" in operation.terms else cls
        return kind(operation)

    def with_effects(self, items: QuerySet[ReviewItem], month: int) -> QuerySet[ReviewItem]:
        return with_budget_effects(items, month, prefix="customer__")

    def exclusion(self) -> Case:
        return exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True))

    def ensure_confirmable(self, month: int) -> None:
        ensure_confirmable(self.operation, month, unfreeze=False)

    def review_again(self) -> Operation:
        return review_terms_again(self.operation)

    def apply(self, *, only_unchanged: bool = False) -> str:
        result = apply_budgets(self.operation, only_unchanged=only_unchanged)
        if self.is_batch:
            return message_for_batch(result)
        return message_for_one(result, self.operation.reviewed.get().budget_type)

    def summary(self) -> Summary:
        if self.is_batch:
            return self._summary_of_many()
        month = current_month()
        item = items_with_figures(self.operation, [self.operation.reviewed.get().pk], month).get()
        return one_budget(item, month, self.why_not_unfrozen())

    def _summary_of_many(self) -> Summary:
        lines = [(_("Customers"), str(included_items(self.operation).count()))]
        for total in totals(self.operation):
            if total["before"] or total["after"]:
                change = f"{settings.CURRENCY} {show_amount(total['before'])} > {show_amount(total['after'])}"
                lines.append((str(total["label"]), change))
        return lines + effects_of_many(self.operation)

    def lead(self, number: int) -> SafeString:
        """The first sentence of the review."""
        customers = ngettext("{n} customer is to be set.", "{n} customers are to be set.", number)
        replaced = _("The new budgets will replace the earlier budgets.")
        return format_html("{} {}", format_html(customers, n=_strong(number)), replaced)

    def figures(self, number: int) -> dict[str, Any]:
        return {"lead": self.lead(number), "totals": totals(self.operation), "pools": show_pools(self.operation)}

    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[dict[str, Any]]:
        return [
            show_budget_item(item)
            | {"notes": budget_notes(item, month, self.why_not_unfrozen())}
            | self.edits(item, typed.get(item.customer.customer_id))
            for item in items_with_figures(self.operation, keys, month)
        ]

    def edits(self, item: ReviewItem, typed: TypedAmount | None) -> dict[str, Any]:
        """What can be edited of an item."""
        return show_edits(item, typed)

    def why_not_unfrozen(self) -> str:
        """Why an account that stays frozen is not unfrozen, apart from its budget."""
        return _("Unfreezing is not ticked")

    def typed_amounts(self, given: QueryDict) -> dict[str, Decimal]:
        return typed_amounts(given, self.operation)

    def records(self) -> QuerySet[Any]:
        return batch_records(self.operation.pk, self.operation.operator).order_by("pk")


class ImportBudgets(SetBudget):
    """Setting the budgets of a file, in which each customer has its own terms."""

    channel = Channel.IMPORT

    def review_again(self) -> Operation:
        return review_items_again(self.operation)

    def why_not_unfrozen(self) -> str:
        return _("The file does not ask to unfreeze it")


class UndoBatch(SetBudget):
    """Putting customers back to what they had before a batch."""

    @classmethod
    def from_operation(cls, operation: Operation) -> Self:
        return cls(operation)

    @property
    def is_batch(self) -> bool:
        return True

    @property
    def cancel_path(self) -> str:
        """The batch, which stays as it is."""
        return reverse("batch", args=[self.operation.terms["undo"]])

    def exclusion(self) -> Case:
        # An item without type and amount takes a first budget away: nothing is missing there.
        return exclusion(NO_ROWS)

    def ensure_confirmable(self, month: int) -> None:
        ensure_undo_confirmable(self.operation, month)

    def review_again(self) -> Operation:
        batch, unfreeze = UUID(self.operation.terms["undo"]), self.operation.terms["unfreeze"]
        return review_undo(batch, operator=self.operation.operator, unfreeze=unfreeze, replaces=self.operation)

    def apply(self, *, only_unchanged: bool = False) -> str:
        return message_for_undo(apply_budgets(self.operation, only_unchanged=only_unchanged))

    def lead(self, number: int) -> SafeString:
        customers = ngettext(
            "{n} customer is to go back to what it had before the batch.",
            "{n} customers are to go back to what they had before the batch.",
            number,
        )
        return format_html(customers, n=_strong(number))

    def edits(self, item: ReviewItem, typed: TypedAmount | None) -> dict[str, Any]:
        can_take_in = item.left_out == ExclusionReason.BY_OPERATOR
        return show_edits(item, typed) | {"can_change": False, "can_take_in": can_take_in}

    def why_not_unfrozen(self) -> str:
        return _("It was not frozen by this batch") if self.operation.terms["unfreeze"] else super().why_not_unfrozen()

    def typed_amounts(self, given: QueryDict) -> dict[str, Decimal]:
        return CustomerOperation.typed_amounts(self, given)


class Freeze(CustomerOperation):
    """Freezing accounts by hand."""

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
        """What was asked for."""
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
        excluded = self.operation.reviewed.exclude(left_out="").count() if self.is_batch else None
        return message_for_freeze(result, self.request, excluded)

    def summary(self) -> Summary:
        return self.confirmed_summary() + retention_line(self.request)

    def confirmed_summary(self) -> Summary:
        """What was confirmed: the summary without what depends on the day."""
        if self.is_batch:
            who = [(_("Customers"), show_number(included_items(self.operation).count()))]
        else:
            customer = self.operation.reviewed.select_related("customer").get().customer
            who = [(_("Account Name"), customer.account_name), (_("Customer Name"), mask_name(customer.name))]
        return who + freeze_request_lines(self.request)

    def show_items(self, keys: list[int], month: int, typed: Mapping[str, TypedAmount]) -> list[dict[str, Any]]:
        return [show_freeze_item(item) for item in items_with_figures(self.operation, keys, month)]

    def records(self) -> QuerySet[Any]:
        return FreezeRecord.objects.filter(batch=self.operation.pk).order_by("pk")


class Unfreeze(Freeze):
    """Unfreezing accounts by hand."""

    freezes = False


def _strong(number: int) -> SafeString:
    return format_html("<strong>{}</strong>", show_number(number))
