"""Sessions live in the database; every request asks for one, so the statement is kept."""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from partnercenter.lib.prepared import PreparedQuery

SESSIONS = PreparedQuery(Session.objects.all(), "session_key", "")


class SessionStore(db.SessionStore):
    """Django's own, but for how a session is found."""

    def _get_session_from_db(self) -> Any:
        found = SESSIONS.fetch(self.session_key)
        if found and found[0].expire_date > timezone.now():
            return found[0]
        self._session_key = None
        return None
