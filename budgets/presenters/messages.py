"""The messages that tell a person what an action did."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.import_budgets import BudgetImport
from budgets.actions.import_report import ReportResult
from budgets.actions.set_budgets import BatchResult
from partnercenter.lib.dates import format_minute
from partnercenter.lib.money import show_number
from partnercenter.models import BudgetType


def nothing_to_change() -> str:
    """The message when a customer's budget already has the values that were to be set."""
    return _("Nothing to change: the budget is already set to these values.")


def message_for_one(result: BatchResult, budget_type: str | None) -> str:
    """The message after one customer's budget was set: which type, and what happened to the account."""
    sentences = []
    if result.changed and budget_type == BudgetType.MONTHLY:
        sentences.append(_("The monthly budget is set."))
    elif result.changed:
        sentences.append(_("The one-time budget is set."))
    elif result.unfrozen or result.frozen:
        sentences.append(_("The budget is unchanged."))
    else:
        sentences.append(nothing_to_change())
    if result.unfrozen:
        sentences.append(_("The account is unfrozen."))
    if result.frozen:
        sentences.append(_("The budget is used up: the account is frozen."))
    return " ".join(sentences)


def message_for_batch(result: BatchResult) -> str:
    """The message after many budgets were set: how many, and how many accounts were frozen and unfrozen."""
    changed = ngettext("%(n)s budget is set.", "%(n)s budgets are set.", result.changed)
    unchanged = _("Nothing to change: the budgets are already set to these values.")
    return _message_for_many(result, changed=changed, unchanged=unchanged)


def message_for_undo(result: BatchResult) -> str:
    """The message after a batch was undone: how many budgets, and how many accounts were frozen and unfrozen."""
    changed = ngettext(
        "%(n)s budget was restored to its previous values.",
        "%(n)s budgets were restored to their previous values.",
        result.changed,
    )
    unchanged = _("Nothing to change: the budgets already have their previous values.")
    return _message_for_many(result, changed=changed, unchanged=unchanged)


def _message_for_many(result: BatchResult, *, changed: str, unchanged: str) -> str:
    if not (result.changed or result.unfrozen or result.frozen):
        return " ".join([unchanged, *_skipped(result)])
    effects = (
        (result.unfrozen, ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", result.unfrozen)),
        (result.frozen, ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", result.frozen)),
        (
            result.stay_frozen,
            ngettext("%(n)s account stays frozen.", "%(n)s accounts stay frozen.", result.stay_frozen),
        ),
    )
    counts = [text % {"n": show_number(number)} for number, text in effects if number]
    return " ".join([changed % {"n": show_number(result.changed)}, *counts, *_skipped(result)])


def _skipped(result: BatchResult) -> list[str]:
    if not result.skipped:
        return []
    text = ngettext(
        "%(n)s customer had changed since the review and was skipped.",
        "%(n)s customers had changed since the review and were skipped.",
        result.skipped,
    )
    return [text % {"n": show_number(result.skipped)}]


def message_for_one_freeze(request: FreezeRequest) -> str:
    """The message after one account was frozen or unfrozen by hand."""
    if request.freezes_resources:
        return _("The account and its resources are frozen.")
    return _("The account is frozen.") if request.freezes else _("The account is unfrozen.")


def message_for_freeze(result: BatchResult, request: FreezeRequest, *, excluded: int) -> str:
    """The message after many accounts were frozen or unfrozen by hand: how many, and how many were excluded."""
    number = result.customers
    if request.freezes_resources:
        done = ngettext(
            "%(n)s account frozen with its resources.", "%(n)s accounts frozen with their resources.", number
        )
    elif request.freezes:
        done = ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", number)
    else:
        done = ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", number)
    sentences = [done % {"n": show_number(number)}]
    if excluded:
        text = ngettext("%(n)s customer was excluded.", "%(n)s customers were excluded.", excluded)
        sentences.append(text % {"n": show_number(excluded)})
    return " ".join([*sentences, *_skipped(result)])


def message_for_import(result: BudgetImport) -> str:
    """The message after a budget file was read: its errors, and whether there is a review."""
    sentences = []
    if result.bad:
        errors = ngettext(
            "%(n)s line has an error. Nothing was set.", "%(n)s lines have errors. Nothing was set.", result.bad
        )
        sentences.append(errors % {"n": show_number(result.bad)})
    if result.bad > len(result.bad_lines):
        sentences.append(_("The first %(n)s are listed.") % {"n": len(result.bad_lines)})
    if result.why_not:
        sentences.append(_("The other lines cannot be reviewed either: %(why)s") % {"why": result.why_not})
    elif result.operation is None and not result.bad:
        nothing = ngettext(
            "Nothing to change: the line of the file matches the current budget.",
            "Nothing to change: the %(n)s lines of the file match the current budgets.",
            result.lines,
        )
        sentences.append(nothing % {"n": show_number(result.lines)})
    elif unchanged := result.lines - result.bad - result.reviewed:
        text = ngettext("%(n)s line changes nothing.", "%(n)s lines change nothing.", unchanged)
        sentences.append(text % {"n": show_number(unchanged)})
    if result.operation is not None:
        ready = ngettext("The review of %(n)s line is ready.", "The review of %(n)s lines is ready.", result.reviewed)
        sentences.append(ready % {"n": show_number(result.reviewed)})
    return " ".join(sentences)


def message_for_report(result: ReportResult) -> str:
    """The message after an expenditure report was imported: how many totals changed, or why none did."""
    if result.already_imported_at:
        return _("This report was already imported at %(at)s. Nothing was changed.") % {
            "at": format_minute(result.already_imported_at)
        }
    if not result.changed:
        return _nothing_to_update(result)
    changed = ngettext(
        "The report is imported: %(n)s total changed.", "The report is imported: %(n)s totals changed.", result.changed
    )
    sentences = [changed % {"n": show_number(result.changed)}]
    if result.frozen:
        frozen = ngettext("%(n)s account is frozen.", "%(n)s accounts are frozen.", result.frozen)
        sentences.append(frozen % {"n": show_number(result.frozen)})
    return " ".join(sentences)


def _nothing_to_update(result: ReportResult) -> str:
    if not result.lines:
        return _("Nothing to update: the report has no lines.")
    not_yours = show_number(result.not_yours)
    if not result.customers:
        return ngettext(
            "Nothing to update: the only line does not concern your customers (unknown IDs: %(not_yours)s).",
            "Nothing to update: none of the %(lines)s lines concerns your customers (unknown IDs: %(not_yours)s).",
            result.lines,
        ) % {"lines": show_number(result.lines), "not_yours": not_yours}
    if result.older:
        older = ngettext(
            "Nothing to update: %(n)s total is older than the stored one.",
            "Nothing to update: %(n)s totals are older than the stored ones.",
            result.older,
        )
        sentences = [older % {"n": show_number(result.older)}]
    else:
        sentences = [_("Nothing to update: all totals equal the stored ones.")]
    if result.not_yours:
        others = ngettext(
            "%(n)s customer ID in it is not yours.", "%(n)s customer IDs in it are not yours.", result.not_yours
        )
        sentences.append(others % {"n": not_yours})
    return " ".join(sentences)


def message_for_associated(number: int) -> str:
    """The message after customers were associated: how many."""
    return ngettext("%(n)s customer associated.", "%(n)s customers associated.", number) % {"n": show_number(number)}


def message_for_disassociated(number: int) -> str:
    """The message after customers were disassociated: how many."""
    text = ngettext("%(n)s customer disassociated.", "%(n)s customers disassociated.", number)
    return text % {"n": show_number(number)}
