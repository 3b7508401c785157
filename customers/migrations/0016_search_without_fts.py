"""On SQLite: drop the full-text table, its triggers and its indexes. Searching reads the partner's customers instead.

PostgreSQL is left alone. Reversing does nothing: the former version makes what it misses after its own `migrate`.
"""

from django.db import migrations

from partnercenter.lib.sql import VendorSQL


class Migration(migrations.Migration):

    dependencies = [("customers", "0015_imported_at")]

    operations = [
        VendorSQL(
            "sqlite",
            "DROP TRIGGER IF EXISTS customer_search_insert;"
            " DROP TRIGGER IF EXISTS customer_search_delete;"
            " DROP TRIGGER IF EXISTS customer_search_update;"
            " DROP TABLE IF EXISTS customer_search;"
            " DROP INDEX IF EXISTS customer_begins_name;"
            " DROP INDEX IF EXISTS customer_begins_account;",
            migrations.RunSQL.noop,
        )
    ]
