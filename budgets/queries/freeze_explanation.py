"""Why an account was frozen, or what ended it: one freeze record as a sheet for whoever asks.

See section 9 (docs/rules.md).

Every figure stands in a record that never changes: the freeze record itself, the adjustment record of the same action,
the report that led to it. Nothing is worked out anew, so the sheet reads the same for ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from budgets.models import AdjustmentRecord, ExpenditureReport
from budgets.months import month_name
from customers.models import AccountFreezing, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.lib.money import show_amount
from partnercenter.models import Channel

ESCALATION = "ESCALATION"
TITLES: dict[tuple[str, str], Any] = {
    (FreezeRecord.Operation.FREEZE, FreezeKind.ACCOUNT): gettext_lazy("The account was frozen"),
    (FreezeRecord.Operation.FREEZE, FreezeKind.ACCOUNT_AND_RESOURCE): gettext_lazy(
        "The account and its resources were frozen"
    ),
    (ESCALATION, FreezeKind.ACCOUNT_AND_RESOURCE): gettext_lazy("The resources of the frozen account were frozen, too"),
    (FreezeRecord.Operation.UNFREEZE, FreezeKind.ACCOUNT): gettext_lazy("The account was unfrozen"),
    (FreezeRecord.Operation.UNFREEZE, FreezeKind.ACCOUNT_AND_RESOURCE): gettext_lazy(
        "The account and its resources were unfrozen"
    ),
}
RULE_BY_POLICY: dict[str | None, Any] = {
    AccountFreezing.AUTOMATIC: gettext_lazy(
        "Account freezing upon budget exhaustion was Automatic: once what is used has reached the budget, the account"
        " is frozen. It is not unfrozen as long as that is so."
    ),
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: gettext_lazy(
        "Account freezing upon budget exhaustion was Automatic, with resources: once what is used has reached the"
        " budget, the account and its resources are frozen. They are not unfrozen as long as that is so."
    ),
}


class TimelineStep(NamedTuple):
    """One moment between usage and freezing: when it was (None: the report does not say), how long after the former."""

    label: str
    at: datetime | None
    lag: str


@dataclass(frozen=True)
class FreezeExplanation:
    """A freeze record as its page shows it. `budget` and `steps` are empty where no budget had a part in it."""

    record: FreezeRecord
    title: str
    cause: str
    rule: str
    began: FreezeRecord | None
    budget: dict[str, str]
    steps: tuple[TimelineStep, ...]
    earlier: FreezeRecord | None
    later: FreezeRecord | None


def explain_freeze(record: FreezeRecord) -> FreezeExplanation:
    """The sheet of one record, whose customer and partner are read already. At most four queries."""
    records = FreezeRecord.objects.filter(customer=record.customer_id)
    # An account escalates once at most: what began it is the record before or the one before that.
    before = list(records.filter(pk__lt=record.pk).order_by("-pk")[:2])
    reports = ExpenditureReport.objects.in_bulk({key for key in (record.batch, record.report) if key})
    return FreezeExplanation(
        record,
        title=str(TITLES[_event(record), record.kind_after or record.kind_before]),
        cause=_cause(record, reports.get(record.batch)),
        rule=_rule(record),
        began=next((each for each in before if _began(each)), None) if record.kind_before else None,
        budget=_budget(record),
        steps=tuple(_steps(record, reports)),
        earlier=before[0] if before else None,
        later=records.filter(pk__gt=record.pk).order_by("pk").first(),
    )


def _event(record: FreezeRecord) -> str:
    return ESCALATION if record.kind_before and record.kind_after else record.operation


def _began(record: FreezeRecord) -> bool:
    return record.kind_before == FreezeKind.NONE


def _by_hand(record: FreezeRecord) -> bool:
    """Whether a person did just this: a reason is asked of them and of nobody else; see rule 4.4 (docs/rules.md)."""
    return bool(record.reason)


def _cause(record: FreezeRecord, report: ExpenditureReport | None) -> str:
    """What happened then that froze or unfroze, in a sentence. `report` is the one that was imported by it."""
    if _by_hand(record):
        return _("%(operator)s did it by hand.") % {"operator": record.operator_name}
    if record.operation == FreezeRecord.Operation.UNFREEZE:
        return _what_unfroze(record)
    if record.origin_after == FreezeOrigin.ASSOCIATION and _began(record):
        return _("The customer was associated with the partner.")
    if report is not None:
        return _("An expenditure report was imported, and the budget was used up.")
    if record.operator_id is None:
        return _("A new billing month began, and what was spent in it so far had used up the budget.")
    return f"{_what_was_set(record)} {_('What was used by then had used it up.')}"


def _what_unfroze(record: FreezeRecord) -> str:
    if record.operator_id is None and record.channel == Channel.SYSTEM:
        return _("The monthly budget restored, and unfreezing then had been chosen for it.")
    return f"{_what_was_set(record)} {_('Unfreezing was ticked with it.')}"


def _what_was_set(record: FreezeRecord) -> str:
    """What became of the budget in the same action."""
    facts = {"operator": record.operator_name}
    set_by_it = AdjustmentRecord.objects.filter(customer=record.customer_id, batch=record.batch).first()
    if set_by_it is None:
        return _("The budget stood as it was (%(operator)s).") % facts
    facts |= {"before": show_amount(set_by_it.amount_before), "after": show_amount(set_by_it.amount_after)}
    if set_by_it.amount_after is None:
        return _("%(operator)s took back the budget of %(before)s.") % facts
    if set_by_it.amount_before is None:
        return _("%(operator)s set a first budget of %(after)s.") % facts
    if set_by_it.amount_after == set_by_it.amount_before:
        facts |= {"policy": set_by_it.get_account_freezing_after_display(), "type": _type_after(set_by_it)}
        return _("%(operator)s set the budget of %(after)s anew: %(type)s, %(policy)s.") % facts
    return _("%(operator)s set the budget from %(before)s to %(after)s.") % facts


def _type_after(record: AdjustmentRecord) -> str:
    return str(record.get_budget_type_after_display())


def _rule(record: FreezeRecord) -> str:
    """The rule behind it in words; see section 4 (docs/rules.md) and rules 3.7, 3.8, 3.9 (docs/rules.md)."""
    if record.operation == FreezeRecord.Operation.UNFREEZE:
        return _(
            "A freeze ends by hand, by Unfreeze Now in Set Budget, or when a monthly budget restores for which that was"
            " chosen; never while a budget with automatic freezing is used up."
        )
    if _by_hand(record):
        return _("A partner may freeze the accounts of its customers; it has to state the reason.")
    if record.account_freezing in RULE_BY_POLICY:
        return str(RULE_BY_POLICY[record.account_freezing])
    return _("An account is frozen from the moment of association, and needs a budget to purchase.")


def _budget(record: FreezeRecord) -> dict[str, str]:
    if record.amount is None:
        return {}
    return {
        "type_label": record.get_budget_type_display() or "",
        "amount": show_amount(record.amount),
        "used": show_amount(record.used),
        "account_freezing_label": record.get_account_freezing_display() or "",
        "counted_from": month_name(record.counted_from) if record.counted_from else "--",
    }


def _steps(record: FreezeRecord, reports: dict[Any, ExpenditureReport]) -> list[TimelineStep]:
    """From usage to freezing, in the order in which it came; none where no report stands behind it."""
    if record.reported_at is None:
        return []
    report = _("Report: %(name)s") % {"name": _name(record, reports)}
    moments = [
        (_("Latest usage covered"), record.covers_until),
        (report, record.reported_at),
        (_("Imported"), record.imported_at),
        (_("Frozen"), record.at),
    ]
    return [
        TimelineStep(label, at, format_duration(at - former) if at and former else "--")
        for (label, at), former in zip(moments, (None, *(at for _label, at in moments)), strict=False)
    ]


def _name(record: FreezeRecord, reports: dict[Any, ExpenditureReport]) -> str:
    """The files of the partner's own report; of the platform's a partner learns no more than that.

    See rule 8.5 (docs/rules.md).
    """
    report = reports.get(record.report)
    own = report is not None and report.partner_id == record.customer.partner_id
    return ", ".join(report.sources) if report and own else _("all customers of the platform")


def format_duration(lag: timedelta) -> str:
    """How long, in the two largest units that say something: `2 days 3 h`, `1 h 5 min`."""
    if lag < timedelta(0):
        return "--"
    hours, minutes = divmod(int(lag.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    if days:
        shown = ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
        return f"{shown} {hours} h" if hours else shown
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else _("less than a minute")
