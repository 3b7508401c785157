from django.db import migrations

# Half of each page is left free, so that a report's updates stay on the page and move no index (PostgreSQL).
TABLES = ("budgets_expenditure", "budgets_budget")


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")


class Migration(migrations.Migration):
    dependencies = [("budgets", "0001_initial")]
    operations = [migrations.RunPython(leave_room, migrations.RunPython.noop)]
