"""Account manager and tags as the list filters by them; by tag an index on PostgreSQL alone."""

from django.db import migrations, models

from partnercenter.database import VendorSQL


class Migration(migrations.Migration):

    dependencies = [("customers", "0003_order")]

    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("disassociated_on__isnull", True), models.Q(("account_manager", ""), _negated=True)),
                fields=["partner", "account_manager", "account_name", "id"],
                name="customer_by_manager",
            ),
        ),
        VendorSQL(
            "postgresql",
            "CREATE INDEX customer_tags ON customers_customer USING gin (partner_id, tags gin_trgm_ops) WHERE tags <> ''",
            "DROP INDEX customer_tags",
        ),
    ]
