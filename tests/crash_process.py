"""A process that runs one action and can be made to wait in the middle of it, so that a test can kill it there.

`python -m tests.crash_process confirm OPERATION` confirms an operation, `import FILE` imports a report, `steps FILE`
does so in steps of one customer, and `restore ""` restores budgets in steps of one customer. With the name of a table
as a third argument, the process prints a line and waits just before it first writes to this table, or before the write
with the number given as a fourth argument.
"""

import re
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from typing import Any

import django

WAITING = "waiting to be killed"


def wait_before_writing_to(table: str, number: int) -> Callable[..., Any]:
    """A wrapper of database queries that never lets the write with this number, from 1, to this table through."""
    numbers = count(1)
    writes = re.compile(rf'\s*(INSERT INTO|UPDATE|DELETE FROM) "?{table}"?\s')

    def wait_or_execute(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if writes.match(sql) and next(numbers) == number:
            print(WAITING, flush=True)
            time.sleep(600)
        return execute(sql, params, many, context)

    return wait_or_execute


def main(action: str, target: str, table: str = "", number: str = "1") -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from budgets.actions import billing_month, report_steps
    from partnercenter.models import Operation
    from tests import factories

    if action == "steps":
        report_steps.CUSTOMERS_PER_STEP = 1
    with connection.execute_wrapper(wait_before_writing_to(table, int(number))) if table else nullcontext():
        if action in ("import", "steps"):
            call_command("import_expenditure", target)
        elif action == "restore":
            billing_month.RESTORE_STEP = 1
            call_command("restore_budgets")
        else:
            factories.confirmed(Operation.objects.get(pk=target))


if __name__ == "__main__":
    main(*sys.argv[1:])
