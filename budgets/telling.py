"""What came of it: the sentence after an operation was carried out."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.freeze_terms import FreezeRequest, freeze_request_from, is_freeze
from budgets.actions.reviews import is_batch, is_undo
from budgets.actions.set_budgets import BatchResult
from partnercenter.lib.money import show_number
from partnercenter.models import BudgetType, Operation


def message_for(outcome: BatchResult, operation: Operation) -> str:
    """The success message of a confirmed operation: for one customer it names the type, for many the numbers."""
    if is_freeze(operation):
        return message_for_freeze(outcome, operation)
    if is_batch(operation):
        return _tell_many(outcome, undone=is_undo(operation))
    return message_for_one(outcome, operation.reviewed.get().budget_type)


def message_for_one(outcome: BatchResult, budget_type: str | None) -> str:
    """The success message for one customer: it names the type and what became of the account."""
    if not outcome.changed:
        said = _("The budget stands as it was.")
    elif budget_type == BudgetType.MONTHLY:
        said = _("The monthly budget is set.")
    else:
        said = _("The one-time budget is set.")
    if outcome.unfrozen:
        said += " " + _("The account is unfrozen.")
    if outcome.frozen:
        said += " " + _("The budget is used up: the account is frozen.")
    return said


def _tell_many(outcome: BatchResult, *, undone: bool) -> str:
    if not (outcome.changed or outcome.unfrozen or outcome.frozen):
        return " ".join([_("The budgets stand as they were: nothing was set."), *_passed_over(outcome)])
    text = ngettext("%(n)s budget is set.", "%(n)s budgets are set.", outcome.changed)
    if undone:
        text = ngettext("%(n)s budget is undone.", "%(n)s budgets are undone.", outcome.changed)
    said = [text % {"n": show_number(outcome.changed)}]
    figures = (
        (outcome.unfrozen, ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", outcome.unfrozen)),
        (outcome.frozen, ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", outcome.frozen)),
        (
            outcome.stay_frozen,
            ngettext("%(n)s account stays frozen.", "%(n)s accounts stay frozen.", outcome.stay_frozen),
        ),
    )
    said += [text % {"n": show_number(number)} for number, text in figures if number]
    return " ".join([*said, *_passed_over(outcome)])


def _passed_over(outcome: BatchResult) -> list[str]:
    left = ngettext(
        "%(n)s had changed and was left as it is.",
        "%(n)s had changed and were left as they are.",
        outcome.skipped,
    )
    return [left % {"n": outcome.skipped}] if outcome.skipped else []


def message_for_freeze(outcome: BatchResult, operation: Operation) -> str:
    """The success message of freezing or unfreezing: of one what it is now, of many how many, and how many not."""
    asked = freeze_request_from(operation.kind, operation.terms)
    if not is_batch(operation):
        return _tell_one_by_hand(asked)
    done = ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", outcome.customers)
    if asked.freezes_resources:
        done = ngettext(
            "%(n)s account frozen with its resources.", "%(n)s accounts frozen with their resources.", outcome.customers
        )
    elif asked.freezes:
        done = ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", outcome.customers)
    out = operation.reviewed.exclude(left_out="").count()
    left_out = ngettext("%(n)s customer was left out.", "%(n)s customers were left out.", out)
    said = [done % {"n": show_number(outcome.customers)}, *([left_out % {"n": show_number(out)}] if out else [])]
    return " ".join([*said, *_passed_over(outcome)])


def _tell_one_by_hand(asked: FreezeRequest) -> str:
    if asked.freezes_resources:
        return _("The account and its resources are frozen.")
    return _("The account is frozen.") if asked.freezes else _("The account is unfrozen.")


def message_for_associated(number: int) -> str:
    """After customers were associated: how many."""
    return ngettext("%(n)s customer associated.", "%(n)s customers associated.", number) % {"n": show_number(number)}


def message_for_disassociated(number: int) -> str:
    """After customers left: how many."""
    said = ngettext("%(n)s customer disassociated.", "%(n)s customers disassociated.", number)
    return said % {"n": show_number(number)}
