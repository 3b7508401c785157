"""Fill the rank of what budgets have used, and index it instead of the amount.

The console may keep running meanwhile: budgets are filled in steps, each a transaction of its own with the locks that
every action takes, and on PostgreSQL the indexes are built without a lock. If the migration is interrupted, it can be
run again.
"""

from django.db import migrations, models, transaction

from partnercenter.lib.transactions import MONTH_LOCK, advisory_lock

NUMBER_PER_STEP = 5_000
LAST_OF_STEP = """
SELECT MAX(customer_id) FROM (
    SELECT customer_id FROM budgets_budget WHERE customer_id > %s ORDER BY customer_id LIMIT %s
) AS step
"""
LOCK_CUSTOMERS = """
SELECT COUNT(*) FROM (
    SELECT id FROM customers_customer WHERE id > %s AND id <= %s ORDER BY id FOR NO KEY UPDATE
) AS locked
"""
RANK = "CAST(SIGN(used) * FLOOR(200 * LN(ABS(used) + 1)) AS integer)"
FILL = f"""
UPDATE budgets_budget SET used_rank = {RANK} WHERE customer_id > %s AND customer_id <= %s AND used_rank <> {RANK}
"""


def fill(apps, schema_editor):
    connection = schema_editor.connection
    after = 0
    while True:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            advisory_lock(MONTH_LOCK, shared=True)
            cursor.execute(LAST_OF_STEP, [after, NUMBER_PER_STEP])
            [last] = cursor.fetchone()
            if last is None:
                return
            if connection.vendor == "postgresql":
                cursor.execute(LOCK_CUSTOMERS, [after, last])
            cursor.execute(FILL, [after, last])
            after = last


def replace_index(schema_editor, name, column, former):
    """Create an index of the budgets by this column, and then drop the former one."""
    online = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    # An interrupted migration can leave an unfinished index.
    schema_editor.execute(f"DROP INDEX {online} IF EXISTS {name}")
    schema_editor.execute(f"CREATE INDEX {online} {name} ON budgets_budget (partner_id, state, {column}, customer_id)")
    schema_editor.execute(f"DROP INDEX {online} IF EXISTS {former}")
    if online:
        # Without statistics of the column the planner would not choose the index.
        schema_editor.execute("ANALYZE budgets_budget")


def index_rank(apps, schema_editor):
    replace_index(schema_editor, "budget_state_used_rank", "used_rank", "budget_state_used")


def index_amount(apps, schema_editor):
    replace_index(schema_editor, "budget_state_used", "used", "budget_state_used_rank")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("budgets", "0008_used_rank"), ("customers", "0017_plainer_texts")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(index_rank, index_amount)],
            [
                migrations.AddIndex(
                    "budget",
                    models.Index(fields=["partner", "state", "used_rank", "customer"], name="budget_state_used_rank"),
                ),
                migrations.RemoveIndex("budget", "budget_state_used"),
            ],
        ),
    ]
