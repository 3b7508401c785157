"""The month up to which each budget is counted, so that budgets can follow a new month in steps.

Existing budgets are counted to the current month. As a constant default, that rewrites no table on PostgreSQL. Then the
default becomes 0, so a budget that the former version of the console inserts is counted anew before it is used.
"""

from django.db import migrations, models

TABLE = "ALTER TABLE budgets_budget"
STATEMENTS = {
    "postgresql": (
        f"{TABLE} ADD COLUMN counted_to integer DEFAULT {{month}} NOT NULL CHECK (counted_to >= 0)",
        f"{TABLE} ALTER COLUMN counted_to SET DEFAULT 0",
    ),
    "sqlite": (
        f"{TABLE} ADD COLUMN counted_to integer unsigned DEFAULT 0 NOT NULL CHECK (counted_to >= 0)",
        "UPDATE budgets_budget SET counted_to = {month}",
    ),
}


class AddCountedTo(migrations.AddField):
    """Adds the column, with the current month in the rows that exist."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        month = from_state.apps.get_model("budgets", "BillingMonth").objects.values_list("month", flat=True).first()
        for statement in STATEMENTS[schema_editor.connection.vendor]:
            schema_editor.execute(statement.format(month=month or 0))


class Migration(migrations.Migration):
    dependencies = [("budgets", "0010_report_imports")]
    operations = [
        AddCountedTo(
            "budget",
            "counted_to",
            models.PositiveIntegerField(
                default=0,
                db_default=0,
                help_text="The last billing month that counts, YYYYMM; 0 if unknown. Unless it is the current month,"
                " the budget is restored before it is used.",
            ),
        ),
        migrations.AddIndex("budget", models.Index(fields=["counted_to", "customer"], name="budget_counted_to")),
    ]
