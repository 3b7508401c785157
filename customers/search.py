"""Searching customers by name and account name: the lookup `search__holds=fold(text)`.

The column `search` holds `fold(name, account_name)`, one line each. A text of three characters or more is found
anywhere in a line. One or two characters have no trigram to look up, so they are found only at the start of a line.

PostgreSQL has an index for each case (customers/migrations/0002_search.py). SQLite reads all customers of the partner.
"""

import json
import unicodedata

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, QuerySet
from django.db.models.lookups import Contains, StartsWith
from django.db.models.sql.compiler import SQLCompiler

SHORTEST_TRIGRAM = 3

CompiledSQL = tuple[str, tuple[str | int, ...]]


def fold(*texts: str) -> str:
    """Join texts as lines, removing differences in letter case and character width."""
    return "\n".join(unicodedata.normalize("NFKC", text).casefold() for text in texts)


class AccountLine(Func):
    """The account name in the search column. On PostgreSQL the SQL is exactly that of its index."""

    template = "split_part(%(expressions)s, E'\\n', 2)"
    output_field = models.TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: object) -> CompiledSQL:
        template = "substr(%(expressions)s, instr(%(expressions)s, char(10)) + 1)"
        return self.as_sql(compiler, connection, template=template)


class Holds(Contains):
    """`search__holds`: a line contains the folded text, or begins with it if it has fewer than three characters."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> CompiledSQL:
        if len(self.rhs) >= SHORTEST_TRIGRAM:
            return super().as_sql(compiler, connection)
        name, name_params = compiler.compile(StartsWith(self.lhs, self.rhs))
        account, account_params = compiler.compile(StartsWith(AccountLine(self.lhs), self.rhs))
        return f"({name} OR {account})", (*name_params, *account_params)


# Registered under a second name: backends write LIKE by the class's own `lookup_name`, which stays "contains".
models.TextField.register_lookup(Holds, "holds")


def estimated_rows(rows: QuerySet) -> int:
    """How many rows PostgreSQL's planner expects; 0 on SQLite, which makes no such estimate."""
    if connections[rows.db].vendor != "postgresql":
        return 0
    plan = rows.order_by().values("pk").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0
