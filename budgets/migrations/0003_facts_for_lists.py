"""The customer's state beside each order of the list that a budget has: an index cannot reach over to the customer."""

from django.db import migrations, models

FILL = """
UPDATE budgets_budget SET state = (SELECT c.state FROM customers_customer c WHERE c.id = budgets_budget.customer_id)
"""


def index(name, order):
    return migrations.AddIndex("budget", models.Index(fields=["partner", "state", order, "customer"], name=name))


class Migration(migrations.Migration):
    dependencies = [
        ("budgets", "0002_room_for_updates"),
        ("customers", "0003_facts_for_lists"),
        ("partnercenter", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex("budget", "budget_by_usage"),
        migrations.RemoveIndex("budget", "budget_by_amount"),
        migrations.RemoveIndex("budget", "budget_by_used"),
        migrations.AddField(
            "budget",
            "state",
            models.SmallIntegerField(
                default=0, help_text="The customer's own: an index cannot reach over to it."
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        index("budget_state_usage", "usage"),
        index("budget_state_amount", "amount"),
        index("budget_state_used", "used"),
    ]
