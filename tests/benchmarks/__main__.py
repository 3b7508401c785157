"""`python -m tests.benchmarks`: measure everything, print the table, leave it as JSON in var/benchmarks.json.

SIZES names the numbers of customers, DATABASE_URL the engine; the databases are the benchmark's own and dropped again.
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
    # As in production, but for what a client in the same process cannot have: TLS and a public name.
    os.environ |= {"DJANGO_SETTINGS_MODULE": "partnercenter.settings", "DEBUG": "0", "SECURE_SSL": "0"}
    os.environ["ALLOWED_HOSTS"] = "localhost,127.0.0.1"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.benchmarks import budgets, databases, imports, load, memory, months, pages, reports, table

    settings.ROOT_URLCONF = "tests.benchmarks.admin"
    call_command("collectstatic", interactive=False, verbosity=0)
    sizes = sorted({int(size) for size in (os.environ.get("SIZES") or SIZES).split(",")})
    rows: list[table.Row] = []
    with databases.filled(sizes) as by_size:
        for subject in (pages, budgets, imports, reports, months, load, memory):
            for row in subject.measure(by_size):
                table.tell(row)
                rows.append(row)
    kept = {"at": datetime.now(UTC).isoformat(), "database": databases.ENGINE, "sizes": sizes}
    kept["rows"] = [asdict(row) | {"value": row.value, "met": row.met} for row in rows]
    (settings.VAR / "benchmarks.json").write_text(json.dumps(kept, indent=1))
    print(table.markdown(rows))


main()
