"""`python -m tests.benchmarks`: measure everything, print the table, and write it to var/benchmarks.json.

SIZES lists the numbers of customers, DATABASE_URL names the database server. The benchmark makes databases of its own
and drops them at the end.
"""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime

import django

SERVER = "postgres://postgres@127.0.0.1:5432/postgres"
SIZES = "1000,100000,1000000"


def main() -> None:
    os.environ["DATABASE_URL"] = os.environ.get("DATABASE_URL") or SERVER
    # The settings of production, without TLS and a public name, which a client in the same process cannot use.
    os.environ |= {"DJANGO_SETTINGS_MODULE": "partnercenter.settings", "DEBUG": "0", "SECURE_SSL": "0"}
    os.environ["ALLOWED_HOSTS"] = "localhost,127.0.0.1"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.benchmarks import budgets, databases, estimates, imports, load, memory, months, pages, reports, table

    settings.ROOT_URLCONF = "tests.benchmarks.admin"
    call_command("collectstatic", interactive=False, verbosity=0)
    sizes = sorted({int(size) for size in (os.environ.get("SIZES") or SIZES).split(",")})
    rows: list[table.Row] = []
    with databases.filled_databases(sizes) as by_size:
        for module in (pages, budgets, imports, reports, months, estimates, load, memory):
            for row in module.measure(by_size):
                table.print_progress(row)
                rows.append(row)
    results = {"at": datetime.now(UTC).isoformat(), "database": databases.ENGINE, "sizes": sizes}
    results["rows"] = [asdict(row) | {"value": row.value, "met": row.met} for row in rows]
    (settings.VAR / "benchmarks.json").write_text(json.dumps(results, indent=1))
    print(table.markdown_table(rows))


main()
