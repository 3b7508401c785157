"""The notice on all pages while the month cannot begin by itself, or while budgets are being restored."""

from django.utils.translation import gettext as _

from budgets.actions.billing_month import MonthState, month_in_waiting
from budgets.models import Budget
from budgets.months import month_name, next_month


def month_notice(state: MonthState | None) -> str:
    """What people should know about the current month, as sentences; "" usually. See rule 3.14 (docs/rules.md)."""
    if state is None:
        return ""
    if waiting := month_in_waiting(state.month):
        return _waiting_notice(state.month, waiting)
    return _progress_notice(state.month) if state.is_being_restored else ""


def _waiting_notice(month: int, waiting: int) -> str:
    values = {"month": month_name(month), "clock": month_name(waiting)}
    if waiting == next_month(month):
        notice = _(
            "The console's clock shows %(clock)s, but the clock of the database does not. The console works in "
            "%(month)s until they agree, and you can set budgets. If this does not end within a minute, tell the "
            "platform: it corrects the clocks, or runs restore_budgets --to %(clock)s."
        )
    else:
        notice = _(
            "The console's clock shows %(clock)s, more than one month after %(month)s. To be safe, monthly budgets "
            "were not restored: the console works in %(month)s, and you can set budgets. Tell the platform: if the "
            "clock is right, it runs restore_budgets --to %(clock)s."
        )
    return notice % values


def _progress_notice(month: int) -> str:
    """How many of the budgets have followed the month, in percent, cut off."""
    restored, budgets = Budget.objects.filter(counted_to=month).count(), Budget.objects.count()
    return _("The new month is being restored: %(percent)s%%. Lists and counts may still show figures from before.") % {
        "percent": restored * 100 // max(budgets, 1)
    }
