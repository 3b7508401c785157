"""A process that does one thing, and if told to stops in the middle of it, to be killed there.

`python -m tests.crash_process ok OPERATION`, `import FILE`; with a table's name behind it, it says so on its standard
output and waits just before it first writes to this table.
"""

import re
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import django

STOPPED = "stopped"


def stop_before(table: str) -> Callable[..., Any]:
    """Something between the code and the database that never lets a write to this table through."""
    writes = re.compile(rf'\s*(INSERT INTO|UPDATE|DELETE FROM) "?{table}"?\s')

    def stop(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if writes.match(sql):
            print(STOPPED, flush=True)
            time.sleep(600)
        return execute(sql, params, many, context)

    return stop


def main(what: str, about: str, table: str = "") -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from partnercenter.models import Operation
    from tests import factories

    with connection.execute_wrapper(stop_before(table)) if table else nullcontext():
        if what == "import":
            call_command("import_expenditure", about)
        else:
            factories.confirmed(Operation.objects.get(pk=about))


if __name__ == "__main__":
    main(*sys.argv[1:])
