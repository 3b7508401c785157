"""What the list's filters ask, in one number on which its indexes begin."""

from django.db import migrations, models

from partnercenter.lib.sql import VendorSQL

CURRENT = models.Q(disassociated_on__isnull=True)
FILL = """
UPDATE customers_customer SET state = CASE WHEN freeze_kind <> '' THEN 8 ELSE 0 END + COALESCE((
    SELECT CASE b.budget_type WHEN 'MONTHLY' THEN 1 ELSE 2 END + CASE WHEN b.level = 100 THEN 4 ELSE 0 END
    FROM budgets_budget b WHERE b.customer_id = customers_customer.id
), 0)
"""


def index(name, *fields, **more):
    fields = ["partner", "state", *fields]
    return migrations.AddIndex("customer", models.Index(fields=fields, name=name, condition=CURRENT, **more))


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_search"),
        ("budgets", "0002_room_for_updates"),
        ("partnercenter", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex("customer", "customer_frozen"),
        migrations.RemoveIndex("customer", "customer_without_budget"),
        migrations.RemoveField("customer", "has_budget"),
        migrations.AddField(
            "customer",
            "state",
            models.SmallIntegerField(default=0, help_text="Changes with the budget and the freeze state."),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        index("customer_state_account_name", "account_name", "id"),
        index("customer_state_name", "name", "id"),
        index("customer_state_associated_on", "associated_on", "id"),
        index("customer_state", "id", include=["search"]),
        # Whether a text is common or rare decides how it is looked for.
        VendorSQL(
            "postgresql",
            "ALTER TABLE customers_customer ALTER COLUMN search SET STATISTICS 1000",
            "ALTER TABLE customers_customer ALTER COLUMN search SET STATISTICS -1",
        ),
    ]
