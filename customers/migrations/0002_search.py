"""Search by trigram and by beginning on PostgreSQL. On SQLite `customers.search.install_search` does it after migrating."""

from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations

from partnercenter.lib.sql import VendorSQL


class Migration(migrations.Migration):

    dependencies = [("customers", "0001_initial")]

    operations = [
        TrigramExtension(),
        BtreeGinExtension(),
        VendorSQL(
            "postgresql",
            "CREATE INDEX customer_search ON customers_customer USING gin (partner_id, search gin_trgm_ops)",
            "DROP INDEX customer_search",
        ),
        VendorSQL(
            "postgresql",
            "CREATE INDEX customer_begins_name ON customers_customer (partner_id, search text_pattern_ops)",
            "DROP INDEX customer_begins_name",
        ),
        VendorSQL(
            "postgresql",
            "CREATE INDEX customer_begins_account ON customers_customer"
            " (partner_id, split_part(search, E'\\n', 2) text_pattern_ops)",
            "DROP INDEX customer_begins_account",
        ),
        VendorSQL(
            "postgresql",
            "CREATE INDEX customer_tags ON customers_customer USING gin (partner_id, tags gin_trgm_ops) WHERE tags <> ''",
            "DROP INDEX customer_tags",
        ),
    ]
