"""Keeping what becomes of each attempt to import a report, for pages and for the people who run the platform."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

from django.core.files.storage import default_storage
from django.core.mail import mail_admins
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.plausibility import ImplausibleReport
from budgets.models import ReportImport
from partnercenter.actions.authorship import operator_name
from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError, InvalidRequest, LockTimeout, ReportUnderWay
from partnercenter.models import SILENT_AFTER, Partner, User

# How long an upload that needs a confirmation is kept; see rule 8.3 (docs/rules.md).
KEPT_FOR = timedelta(hours=24)
SECONDS_BETWEEN_BEATS = 5


@contextmanager
def import_attempt(
    sources: list[str], *, operator: User | None, partner: Partner | None = None
) -> Iterator[ReportImport]:
    """A block that reads and imports a report. The attempt is kept while it runs and if the report is refused.

    `import_report` must get its key. An attempt that changed nothing because nothing was new leaves no trace, nor does
    one that waited too long for another. The same refusal again replaces the former one. The platform's people get a
    mail about a refusal that is new, unless an operator sees it.
    """
    now = timezone.now()
    # What a killed process had only read changed nothing.
    reading = ReportImport.objects.filter(state=ReportImport.State.READING, partner=partner)
    reading.filter(alive_at__lt=now - SILENT_AFTER).delete()
    attempt = ReportImport.objects.create(
        state=ReportImport.State.READING,
        partner=partner,
        operator=operator,
        operator_name=operator_name(operator),
        sources=sources,
        began_at=now,
        alive_at=now,
    )
    try:
        yield attempt
    except ImplausibleReport as error:
        attempt.comparison, attempt.content_hash = asdict(error.comparison), error.content_hash
        _refuse(attempt, ReportImport.State.NEEDS_CONFIRMATION, error.message, error.comparison.lines())
        raise
    except BadFile as error:
        attempt.problems = error.lines
        _refuse(attempt, ReportImport.State.REFUSED, error.message, error.lines)
        raise
    except (LockTimeout, ReportUnderWay):
        _discard(attempt)
        raise
    except ActionError as error:
        _refuse(attempt, ReportImport.State.REFUSED, error.message, [])
        raise
    except Exception:
        _discard(attempt)
        raise
    _discard(attempt)


def _discard(attempt: ReportImport) -> None:
    """Delete the attempt, unless its report was stored: then it is being applied, or is imported."""
    ReportImport.objects.filter(pk=attempt.pk, state=ReportImport.State.READING).delete()


def heartbeat(attempt: ReportImport, progress: Callable[[int], object]) -> Callable[[int], None]:
    """Wrap a function that is told of the bytes read, so that the attempt also gives a sign of life now and then."""
    last = time.monotonic()

    def beat(number: int) -> None:
        nonlocal last
        progress(number)
        if time.monotonic() - last > SECONDS_BETWEEN_BEATS:
            last = time.monotonic()
            ReportImport.objects.filter(pk=attempt.pk).update(alive_at=timezone.now())

    return beat


def _refuse(attempt: ReportImport, state: ReportImport.State, reason: str, details: list[str]) -> None:
    """Keep why the attempt ended, and mail it unless the last attempt ended in the same way."""
    attempt.state, attempt.reason, attempt.ended_at = state, reason, timezone.now()
    attempt.save()
    before = ReportImport.objects.filter(partner=attempt.partner).exclude(pk=attempt.pk).order_by("-began_at").first()
    if before and _refusal(before) == _refusal(attempt):
        delete_files(before)
        before.delete()
    elif attempt.operator is None:
        subject = _("Expenditure report not imported: %(files)s") % {"files": ", ".join(attempt.sources)}
        mail_admins(subject, "\n".join([reason, *details]), fail_silently=True)


def _refusal(attempt: ReportImport) -> tuple[object, ...]:
    return (attempt.state, attempt.reason, attempt.problems, attempt.sources, attempt.content_hash)


def waiting_import(key: UUID | str, operator: User) -> ReportImport:
    """The upload of the operator's own partner that waits for a confirmation. Raises InvalidRequest if it does not."""
    attempt = unconfirmed_imports().filter(pk=key, partner=operator.partner).exclude(partner=None).first()
    if attempt is None or attempt.began_at < timezone.now() - KEPT_FOR:
        raise InvalidRequest(_("This report no longer waits for a confirmation. Upload it again."))
    return attempt


def unconfirmed_imports() -> QuerySet[ReportImport]:
    """The attempts that wait for a confirmation."""
    return ReportImport.objects.filter(state=ReportImport.State.NEEDS_CONFIRMATION)


def expire_unconfirmed() -> int:
    """Refuse the uploads that nobody confirmed within 24 hours, and delete their files; return how many."""
    expired = unconfirmed_imports().filter(began_at__lt=timezone.now() - KEPT_FOR).exclude(partner=None)
    number = 0
    for attempt in expired:
        refuse_unconfirmed(attempt, _("Nobody confirmed this report within 24 hours."))
        number += 1
    return number


def refuse_unconfirmed(attempt: ReportImport, reason: str) -> None:
    """Refuse a report that waits for a confirmation, and delete its files.

    Raises InvalidRequest if it does not wait.
    """
    refused = {"state": ReportImport.State.REFUSED, "reason": reason, "ended_at": timezone.now(), "files": []}
    if not unconfirmed_imports().filter(pk=attempt.pk).update(**refused):
        raise InvalidRequest(_("This report no longer waits for a confirmation."))
    delete_files(attempt)


def delete_files(attempt: ReportImport) -> None:
    """Delete the uploaded files that were kept for a confirmation."""
    for _name, path in attempt.files:
        default_storage.delete(path)
