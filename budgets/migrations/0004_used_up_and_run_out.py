"""Since when a budget is used up, and the day on which it will be; each the first column of an order."""

from django.db import migrations, models


# Nobody kept it: the newest total that is known, or if there is none, the record the budget stands on.
FILL = """
UPDATE budgets_budget SET exhausted_since = COALESCE(
    (SELECT MAX(e.reported_at) FROM budgets_expenditure e WHERE e.customer_id = budgets_budget.customer_id),
    (SELECT r.at FROM budgets_adjustmentrecord r WHERE r.id = budgets_budget.record_id)
) WHERE level = 100
"""


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0003_facts_for_lists'),
        ('customers', '0011_freezing_by_hand'),
        ('partnercenter', '0003_partner_status'),
    ]

    operations = [
        migrations.AddField(
            model_name='budget',
            name='exhausted_since',
            field=models.DateTimeField(help_text='Since when it is used up, without a break.', null=True),
        ),
        migrations.AddField(
            model_name='budget',
            name='runs_out_on',
            field=models.DateField(help_text='At the rate of this month; none where there is too little to go by.', null=True, verbose_name='runs out on'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(condition=models.Q(('runs_out_on__isnull', False)), fields=['partner', 'state', 'runs_out_on', 'customer'], name='budget_state_runs_out_on'),
        ),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(condition=models.Q(('exhausted_since__isnull', False)), fields=['partner', 'exhausted_since', 'customer'], name='budget_exhausted_since'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('exhausted_since__isnull', False), ('level', 100)), models.Q(models.Q(('level', 100), _negated=True), ('exhausted_since__isnull', True)), _connector='OR'), name='exhausted_has_its_time'),
        ),
    ]
