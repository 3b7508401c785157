"""What is said after something was done."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.import_budgets import BudgetImport
from budgets.actions.set_budgets import BatchResult
from partnercenter.lib.money import show_number
from partnercenter.models import BudgetType


def message_for_import(told: BudgetImport) -> str:
    """What a file of budgets came to, in sentences; its bad lines are listed beside them."""
    said = []
    if told.bad:
        bad = ngettext("Nothing was set: %(n)s bad line.", "Nothing was set: %(n)s bad lines.", told.bad)
        said.append(bad % {"n": show_number(told.bad)})
    if told.bad > len(told.bad_lines):
        said.append(_("The first %(n)s are listed.") % {"n": len(told.bad_lines)})
    if told.why_not:
        said.append(_("Nor can the others be reviewed: %(why)s") % {"why": told.why_not})
    elif told.operation is None and not told.bad:
        nothing = ngettext(
            "The file was read and changes nothing: %(n)s line.",
            "The file was read and changes nothing: %(n)s lines.",
            told.lines,
        )
        said.append(nothing % {"n": show_number(told.lines)})
    elif same := told.lines - told.bad - told.reviewed:
        said.append(
            ngettext("%(n)s line changes nothing.", "%(n)s lines change nothing.", same) % {"n": show_number(same)}
        )
    if told.operation is not None:
        ready = ngettext("The review of %(n)s line is ready.", "The review of %(n)s lines is ready.", told.reviewed)
        said.append(ready % {"n": show_number(told.reviewed)})
    return " ".join(said)


def message_for_one(result: BatchResult, budget_type: str | None) -> str:
    """The success message for one customer: it names the type and what became of the account."""
    if not result.changed:
        said = _("The budget stands as it was.")
    elif budget_type == BudgetType.MONTHLY:
        said = _("The monthly budget is set.")
    else:
        said = _("The one-time budget is set.")
    if result.unfrozen:
        said += " " + _("The account is unfrozen.")
    if result.frozen:
        said += " " + _("The budget is used up: the account is frozen.")
    return said


def message_for_batch(result: BatchResult) -> str:
    """After the budgets of many were set: how many, and how many accounts were frozen and unfrozen."""
    changed = ngettext("%(n)s budget is set.", "%(n)s budgets are set.", result.changed)
    return _message_for_many(result, changed)


def message_for_undo(result: BatchResult) -> str:
    """After a batch was undone."""
    changed = ngettext("%(n)s budget is undone.", "%(n)s budgets are undone.", result.changed)
    return _message_for_many(result, changed)


def _message_for_many(result: BatchResult, changed: str) -> str:
    if not (result.changed or result.unfrozen or result.frozen):
        return " ".join([_("The budgets stand as they were: nothing was set."), *_skipped(result)])
    figures = (
        (result.unfrozen, ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", result.unfrozen)),
        (result.frozen, ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", result.frozen)),
        (
            result.stay_frozen,
            ngettext("%(n)s account stays frozen.", "%(n)s accounts stay frozen.", result.stay_frozen),
        ),
    )
    counted = [text % {"n": show_number(number)} for number, text in figures if number]
    return " ".join([changed % {"n": show_number(result.changed)}, *counted, *_skipped(result)])


def _skipped(result: BatchResult) -> list[str]:
    if not result.skipped:
        return []
    text = ngettext(
        "%(n)s had changed and was left as it is.", "%(n)s had changed and were left as they are.", result.skipped
    )
    return [text % {"n": result.skipped}]


def message_for_freeze(result: BatchResult, asked: FreezeRequest, excluded: int | None) -> str:
    """After freezing or unfreezing: of many how many, and how many were `excluded`; None: it was one customer."""
    if excluded is None:
        return _message_for_one_freeze(asked)
    done = ngettext("%(n)s account unfrozen.", "%(n)s accounts unfrozen.", result.customers)
    if asked.freezes_resources:
        done = ngettext(
            "%(n)s account frozen with its resources.", "%(n)s accounts frozen with their resources.", result.customers
        )
    elif asked.freezes:
        done = ngettext("%(n)s account frozen.", "%(n)s accounts frozen.", result.customers)
    left_out = ngettext("%(n)s customer was left out.", "%(n)s customers were left out.", excluded)
    lines = [done % {"n": show_number(result.customers)}, *([left_out % {"n": show_number(excluded)}] * bool(excluded))]
    return " ".join([*lines, *_skipped(result)])


def _message_for_one_freeze(asked: FreezeRequest) -> str:
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
