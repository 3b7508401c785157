"""Finding customers by name and account name, as fast among a million as among a thousand.

`search__holds=fold(text)` is the one lookup. The column is `fold(name, account_name)`, a line each. Three characters or
more are found anywhere in either: by trigram, a GIN index on PostgreSQL and FTS5 on SQLite. Fewer have no trigram and
are compared with the beginnings of both lines, in an index that the database's collation has no say in.

PostgreSQL's indexes come with a migration. SQLite loses triggers and indexes written as SQL whenever Django rebuilds
the table, so `install()` puts them back after every `migrate`, as those of the records (partnercenter.lib.append_only).
"""

import json
import unicodedata
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, models
from django.db.models import Func
from django.db.models.lookups import Contains, GreaterThanOrEqual, LessThan, StartsWith

SHORTEST_TRIGRAM = 3
LAST_CHARACTER = "\U0010ffff"
TABLE = "customers_customer"

# By name, each idempotent. The full-text table keeps no text of its own but reads that of the customers.
SQLITE = {
    "customer_search": "CREATE VIRTUAL TABLE IF NOT EXISTS customer_search USING fts5("
    f"search, content='{TABLE}', content_rowid='id', tokenize='trigram case_sensitive 1')",
    "customer_search_insert": f"CREATE TRIGGER IF NOT EXISTS customer_search_insert AFTER INSERT ON {TABLE} BEGIN"
    " INSERT INTO customer_search (rowid, search) VALUES (NEW.id, NEW.search); END",
    "customer_search_delete": f"CREATE TRIGGER IF NOT EXISTS customer_search_delete AFTER DELETE ON {TABLE} BEGIN"
    " INSERT INTO customer_search (customer_search, rowid, search) VALUES ('delete', OLD.id, OLD.search); END",
    "customer_search_update": "CREATE TRIGGER IF NOT EXISTS customer_search_update AFTER UPDATE OF id, search"
    f" ON {TABLE} BEGIN"
    " INSERT INTO customer_search (customer_search, rowid, search) VALUES ('delete', OLD.id, OLD.search);"
    " INSERT INTO customer_search (rowid, search) VALUES (NEW.id, NEW.search); END",
    "customer_begins_name": f"CREATE INDEX IF NOT EXISTS customer_begins_name ON {TABLE} (partner_id, search)",
    "customer_begins_account": f"CREATE INDEX IF NOT EXISTS customer_begins_account ON {TABLE}"
    " (partner_id, substr(search, instr(search, char(10)) + 1))",
}


def fold(*texts: str) -> str:
    """Texts as the search compares them: letter case and width put aside, in writing as in asking."""
    return "\n".join(unicodedata.normalize("NFKC", text).casefold() for text in texts)


class AccountLine(Func):
    """The account name in the search column, written as the indexes write it."""

    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "substr(%(expressions)s, instr(%(expressions)s, char(10)) + 1)"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="split_part(%(expressions)s, E'\\n', 2)", **context)


class Holds(Contains):
    """`search__holds`: name or account name holds the folded text; under three characters, begins with it."""

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        if len(self.rhs) >= SHORTEST_TRIGRAM:
            return super().as_sql(compiler, connection)
        return _either(compiler, [[StartsWith(line, self.rhs)] for line in (self.lhs, AccountLine(self.lhs))])

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        if len(self.rhs) < SHORTEST_TRIGRAM:
            return _either(compiler, [_between(line, self.rhs) for line in (self.lhs, AccountLine(self.lhs))])
        key = connection.ops.quote_name(self.lhs.alias) + ".id"
        phrase = '"' + self.rhs.replace('"', '""') + '"'
        return f"{key} IN (SELECT rowid FROM customer_search WHERE customer_search MATCH %s)", [phrase]


# The lookup keeps the name by which the backends know how to write LIKE.
models.TextField.register_lookup(Holds, "holds")


def estimated_rows(rows: models.QuerySet[Any]) -> int:
    """How many rows PostgreSQL expects, by a sample of the texts; SQLite has none and expects nothing."""
    if connections[rows.db].vendor != "postgresql":
        return 0
    plan = rows.order_by().values("pk").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0


def _between(line: Any, beginning: str) -> list[Any]:
    """Beginning with, as SQLite can look it up: its LIKE takes no index that tells letter case."""
    return [GreaterThanOrEqual(line, beginning), LessThan(line, beginning + LAST_CHARACTER)]


def _either(compiler: Any, alternatives: list[list[Any]]) -> tuple[str, list[Any]]:
    params: list[Any] = []
    written = []
    for conditions in alternatives:
        compiled = [compiler.compile(condition) for condition in conditions]
        written.append(" AND ".join(sql for sql, _params in compiled))
        params += [param for _sql, given in compiled for param in given]
    return f"({' OR '.join(written)})", params


def install_search(using: str = "default", **_: Any) -> None:
    """Put on SQLite what the search needs, and index anew if it was not there. Safe to repeat."""
    if not missing_search_parts(using):
        return
    with connections[using].cursor() as cursor:
        for statement in SQLITE.values():
            cursor.execute(statement)
        cursor.execute("INSERT INTO customer_search (customer_search) VALUES ('rebuild')")


def missing_search_parts(using: str = "default") -> list[str]:
    """What the search needs and the database, if it is SQLite and has customers, lacks."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master")
        present = {name for (name,) in cursor.fetchall()}
    return [name for name in SQLITE if TABLE in present and name not in present]


@register(Tags.database)
def check_search_is_kept(app_configs: Any = None, databases: Any = None, **_: Any) -> list[CheckMessage]:
    """`manage.py check --database default` tells where new names would not be found."""
    return [
        Error(f"{name} is missing, customers would not be found: run manage.py migrate.", id="customers.E001")
        for using in databases or []
        for name in missing_search_parts(using)
    ]
