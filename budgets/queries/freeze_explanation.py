"""Why an account was frozen, or what ended the freeze: explaining a freeze record from records alone.

See section 9 (docs/rules.md). Every figure comes from a record that never changes: the freeze record itself, the
adjustment record of the same action, or the report that caused it. So the page always reads the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from budgets.models import AdjustmentRecord, ExpenditureReport
from budgets.months import month_name
from customers.models import AccountFreezing, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.lib.money import show_amount
from partnercenter.models import Channel

ESCALATION = "ESCALATION"
TITLES: dict[tuple[str, str], str | Promise] = {
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
RULE_BY_POLICY: dict[str | None, str | Promise] = {
    AccountFreezing.AUTOMATIC: gettext_lazy(
        "Account freezing upon budget exhaustion was Automatic: the account is frozen as soon as the budget is used"
        " up, and cannot be unfrozen while it is used up."
    ),
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: gettext_lazy(
        "Account freezing upon budget exhaustion was Automatic, with resources: the account and its resources are"
        " frozen as soon as the budget is used up, and cannot be unfrozen while it is used up."
    ),
}


class TimelineStep(NamedTuple):
    """A step from usage to freezing: when it happened (None: unknown), and how long after the previous step."""

    label: str
    at: datetime | None
    lag: str


@dataclass(frozen=True)
class FreezeExplanation:
    """A freeze record as its page shows it. `budget` and `steps` are empty if the budget was not the cause."""

    record: FreezeRecord
    title: str
    cause: str
    rule: str
    began: FreezeRecord | None
    budget: dict[str, str]
    steps: list[TimelineStep]
    earlier: FreezeRecord | None
    later: FreezeRecord | None


def explain_freeze(record: FreezeRecord) -> FreezeExplanation:
    """Explain a record whose customer and partner are loaded. At most four queries."""
    records = FreezeRecord.objects.filter(customer=record.customer_id)
    # An account escalates at most once: the freeze began with the previous record or the one before that.
    before = list(records.filter(pk__lt=record.pk).order_by("-pk")[:2])
    reports = ExpenditureReport.objects.in_bulk({key for key in (record.batch, record.report) if key})
    event = ESCALATION if record.kind_before and record.kind_after else record.operation
    return FreezeExplanation(
        record,
        title=str(TITLES[event, record.kind_after or record.kind_before]),
        cause=_cause(record, by_report=record.batch in reports),
        rule=_rule(record),
        began=next((each for each in before if _is_first(each)), None) if record.kind_before else None,
        budget=_budget(record),
        steps=_steps(record, reports),
        earlier=before[0] if before else None,
        later=records.filter(pk__gt=record.pk).order_by("pk").first(),
    )


def _is_first(record: FreezeRecord) -> bool:
    """Whether a freeze began with this record, rather than escalating or ending."""
    return record.kind_before == FreezeKind.NONE


def _is_manual(record: FreezeRecord) -> bool:
    """Whether a person froze or unfroze by hand; only then is there a reason (rule 4.4 (docs/rules.md))."""
    return bool(record.reason)


def _cause(record: FreezeRecord, *, by_report: bool) -> str:
    """Say what caused the freeze or its end. `by_report`: the import of a report did."""
    if _is_manual(record):
        return _("%(operator)s did this by hand.") % {"operator": record.operator_name}
    if record.operation == FreezeRecord.Operation.UNFREEZE:
        by_restore = record.operator_id is None and record.channel == Channel.SYSTEM
        restored = _("The monthly budget restored, and was set to unfreeze the account then.")
        return restored if by_restore else " ".join((_budget_change(record), _("Unfreezing was ticked as well.")))
    if record.origin_after == FreezeOrigin.ASSOCIATION and _is_first(record):
        return _("The customer was associated with the partner.")
    if by_report:
        return _("An expenditure report was imported, and the budget was used up.")
    if record.operator_id is None:
        return _("A new billing month began, and its expenditure so far had already used up the budget.")
    return " ".join((_budget_change(record), _("The expenditure so far had already used it up.")))


def _budget_change(record: FreezeRecord) -> str:
    """Say in a sentence what the same action did to the budget."""
    values = {"operator": record.operator_name}
    change = AdjustmentRecord.objects.filter(customer=record.customer_id, batch=record.batch).first()
    if change is None:
        return _("%(operator)s left the budget unchanged.") % values
    values |= {"before": show_amount(change.amount_before), "after": show_amount(change.amount_after)}
    if change.amount_after is None:
        return _("%(operator)s removed the budget of %(before)s.") % values
    if change.amount_before is None:
        return _("%(operator)s set a first budget of %(after)s.") % values
    if change.amount_after == change.amount_before:
        values |= {
            "type": str(change.get_budget_type_after_display()),
            "policy": str(change.get_account_freezing_after_display()),
        }
        return _("%(operator)s changed the budget of %(after)s: it is now %(type)s, %(policy)s.") % values
    return _("%(operator)s set the budget from %(before)s to %(after)s.") % values


def _rule(record: FreezeRecord) -> str:
    """The rule that applied, in words; see section 4 (docs/rules.md) and rules 3.7, 3.8, 3.9 (docs/rules.md)."""
    if record.operation == FreezeRecord.Operation.UNFREEZE:
        return _(
            "A freeze ends by hand, by Unfreeze Now in Set Budget, or when a monthly budget restores that was set to"
            " unfreeze the account then; never while a budget with automatic freezing is used up."
        )
    if _is_manual(record):
        return _("A partner may freeze the accounts of its customers; it has to state the reason.")
    if record.account_freezing in RULE_BY_POLICY:
        return str(RULE_BY_POLICY[record.account_freezing])
    return _("An account is frozen from the moment of association, and needs a budget to purchase.")


def _budget(record: FreezeRecord) -> dict[str, str]:
    """The budget that was the cause, as it was then; empty if none was."""
    if record.amount is None:
        return {}
    return {
        "type_label": record.get_budget_type_display() or "",
        "amount": show_amount(record.amount),
        "used": show_amount(record.used),
        "account_freezing_label": record.get_account_freezing_display() or "",
        "counted_from": month_name(record.counted_from) if record.counted_from else "--",
    }


def _steps(record: FreezeRecord, reports: Mapping[UUID, ExpenditureReport]) -> list[TimelineStep]:
    """The steps from usage to freezing, in order of time; none if no report was involved.

    A partner sees only the file names of its own reports, not of the platform's; see rule 8.5 (docs/rules.md).
    """
    if record.reported_at is None:
        return []
    report = reports.get(record.report) if record.report else None
    is_own = report is not None and report.partner_id == record.customer.partner_id
    files = ", ".join(report.sources) if report and is_own else _("all customers of the platform")
    moments = [
        (_("Latest usage covered"), record.covers_until),
        (_("Report: %(name)s") % {"name": files}, record.reported_at),
        (_("Imported"), record.imported_at),
        (_("Frozen"), record.at),
    ]
    previous = [None, *(at for _label, at in moments)]
    return [
        TimelineStep(label, at, format_duration(at - before) if at and before else "--")
        for (label, at), before in zip(moments, previous, strict=False)
    ]


def format_duration(duration: timedelta) -> str:
    """Format a duration in its two largest units: `2 days 3 h`, `1 h 5 min`; `--` if it is negative."""
    if duration < timedelta(0):
        return "--"
    hours, minutes = divmod(int(duration.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    if days:
        text = ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
        return f"{text} {hours} h" if hours else text
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else _("less than a minute")
