"""Applying a checked report in steps of a few thousand customers, so that nobody waits for the whole of it.

Each step is one transaction: it compares its totals with those stored by then, and writes totals, used amounts, freezes
and their records. A report that was interrupted is completed by whoever comes next; see rule 8.6 (docs/rules.md).
"""

import uuid
from collections.abc import Callable
from typing import cast

from django.db import connection
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month, restore_if_behind
from budgets.actions.report_totals import (
    USED_AFTER,
    compare_step,
    drop_staged,
    fetch_rows,
    report_key,
    run_sql,
)
from budgets.actions.usage import freeze_exhausted, update_run_out, update_used
from budgets.models import ExpenditureReport, ReportImport
from customers.models import Customer
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import LockTimeout, ReportUnderWay
from partnercenter.lib.sql import db_datetime
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, write_transaction
from partnercenter.models import SILENT_AFTER, Channel

CUSTOMERS_PER_STEP = 5_000
# A step that waits too long for somebody else's change is tried again this often.
MOST_TIMEOUTS = 5

LOCK_CUSTOMERS = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer
    WHERE id IN (SELECT customer_id FROM to_write WHERE delta <> 0 OR new_day = 1)
    ORDER BY id FOR NO KEY UPDATE
) AS locked
"""
# Only one report is imported at a time, so no stored total appears or disappears in between. An update is enough then,
# and cheaper than an upsert.
REPLACE_TOTALS = """
UPDATE budgets_expenditure SET customer_id = w.customer_id, total = w.total, reported_at = %s, report_id = %s
FROM to_write w WHERE w.expenditure_id = budgets_expenditure.id
"""
INSERT_TOTALS = """
INSERT INTO budgets_expenditure (account, month, customer_id, total, reported_at, report_id)
SELECT account, month, customer_id, total, %s, %s FROM to_write WHERE expenditure_id IS NULL
"""
# The same total on a later day of the month: the daily rate changed, and with it the day on which the budget runs out.
SAME_TOTAL_LATER = "customer_id IN (SELECT customer_id FROM to_write WHERE delta = 0 AND new_day = 1)"


def apply_steps(report_import: ReportImport, *, finish: Callable[[ReportImport], object] | None = None) -> ReportImport:
    """Apply the remaining steps of a report, each in a transaction; return the import as it is at the end.

    `finish` is called in the transaction of the last step. Raises ReportUnderWay if another process has taken over, and
    LockTimeout if a step waits too long again and again; then whoever comes next completes the report.
    """
    token, timeouts = report_import.token, 0
    while report_import.state == ReportImport.State.APPLYING:
        try:
            report_import = _apply_next(report_import.pk, token, finish)
            timeouts = 0
        except LockTimeout:
            timeouts += 1
            if timeouts == MOST_TIMEOUTS:
                raise
    return report_import


@write_transaction()
def _apply_next(key: uuid.UUID, token: uuid.UUID, finish: Callable[[ReportImport], object] | None) -> ReportImport:
    month = lock_month()
    advisory_lock(REPORT_LOCK)
    report_import = _locked(key, token)
    if connection.vendor == "postgresql" and report_import.steps_done + 1 < report_import.steps:
        # A step that is lost in a crash is applied again, so only the last one waits for the disk.
        run_sql("SET LOCAL synchronous_commit = off")
    compare_step(cast(ExpenditureReport, report_import.report), report_import.steps_done, month)
    apply_compared(report_import, month)
    if report_import.state == ReportImport.State.IMPORTED and finish:
        finish(report_import)
    return report_import


def _locked(key: uuid.UUID, token: uuid.UUID) -> ReportImport:
    """Lock the import that is being applied by the process with this token. Raises ReportUnderWay if it is not."""
    applying = ReportImport.objects.select_for_update(of=("self",)).select_related("report__operator")
    found = applying.filter(pk=key, token=token, state=ReportImport.State.APPLYING).first()
    if found is None:
        raise ReportUnderWay(_("Another process has taken over this report."))
    return found


def apply_compared(report_import: ReportImport, month: int) -> None:
    """Write the compared totals and what follows from them, and note what changed; they are one step of the import.

    The caller has locked the `month` and the import of reports. Customers are locked in key order. After the last step
    the report is imported.
    """
    # An import that is being applied has a report.
    report, now = cast(ExpenditureReport, report_import.report), timezone.now()
    author = Author(report.operator, Channel(report_import.channel), now, report.pk)
    report_import.changed += fetch_rows("SELECT COALESCE(SUM(differs), 0) FROM to_write")[0][0]
    if connection.vendor == "postgresql":
        fetch_rows(LOCK_CUSTOMERS)
    changing = RawSQL("SELECT customer_id FROM to_write WHERE delta <> 0 OR new_day = 1", [])
    restore_if_behind(Customer.objects.filter(pk__in=changing), month)
    for write in (REPLACE_TOTALS, INSERT_TOTALS):
        run_sql(write, [db_datetime(report.reported_at), report_key(report)])
    report_import.exhausted += update_used(USED_AFTER, [month], month=month, at=now).exhausted
    update_run_out(month, SAME_TOTAL_LATER)
    changed = Customer.objects.filter(pk__in=RawSQL("SELECT customer_id FROM to_write WHERE delta <> 0", []))
    report_import.frozen += freeze_exhausted(changed, author=author)
    drop_staged()
    report_import.steps_done += 1
    report_import.alive_at = now
    if report_import.steps_done >= report_import.steps:
        end_import(report_import)
    report_import.save()


def end_import(report_import: ReportImport) -> None:
    """Note that every step of the report is applied. The caller saves the import."""
    report_import.state, report_import.ended_at = ReportImport.State.IMPORTED, timezone.now()
    report = cast(ExpenditureReport, report_import.report)
    effects = {name: getattr(report_import, name) for name in ("changed", "exhausted", "frozen")}
    report.summary = report.summary | effects
    report.save(update_fields=["summary"])


def complete_interrupted_report() -> ReportImport | None:
    """Complete the report whose process gives no sign of life; return its import, or None if there is none.

    Raises ReportUnderWay if a report is being applied and its process does give signs of life.
    """
    under_way = ReportImport.objects.filter(state=ReportImport.State.APPLYING).first()
    if under_way is None:
        return None
    if not under_way.is_interrupted:
        raise report_under_way(under_way)
    token, now = uuid.uuid4(), timezone.now()
    # Of several that find it, one takes it over.
    silent = ReportImport.objects.filter(pk=under_way.pk, token=under_way.token, alive_at__lt=now - SILENT_AFTER)
    if not silent.update(token=token, alive_at=now):
        raise report_under_way(under_way)
    under_way.token = token
    return apply_steps(under_way)


def report_under_way(report_import: ReportImport) -> ReportUnderWay:
    """The error for somebody whose report must wait for this one."""
    return ReportUnderWay(
        _("Another report is being imported (%(percent)s%%). Send it again in a minute.")
        % {"percent": report_import.percent}
    )
