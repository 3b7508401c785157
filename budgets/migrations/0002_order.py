"""A budget knows its customer's partner, so that an index orders the budgets of one partner."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    """Tell every budget its partner, and every customer that it has a budget."""
    budgets = apps.get_model("budgets", "Budget").objects.using(schema_editor.connection.alias)
    customers = apps.get_model("customers", "Customer").objects.using(schema_editor.connection.alias)
    owner = customers.filter(pk=OuterRef("customer")).values("partner")
    budgets.update(partner=Subquery(owner))
    customers.filter(budget__isnull=False).update(has_budget=True)


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0001_initial'),
        ('customers', '0003_order'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='budget',
            name='budget_by_month',
        ),
        migrations.RemoveIndex(
            model_name='budget',
            name='budget_by_usage',
        ),
        migrations.RemoveIndex(
            model_name='budget',
            name='budget_exhausted',
        ),
        migrations.AddField(
            model_name='budget',
            name='partner',
            field=models.ForeignKey(db_constraint=False, db_index=False, default=0, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partnercenter.partner'),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='budget',
            name='record',
            field=models.ForeignKey(db_index=False, help_text='The record it stands on.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='budgets.adjustmentrecord'),
        ),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(fields=['partner', 'usage', 'customer'], name='budget_by_usage'),
        ),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(fields=['partner', 'amount', 'customer'], name='budget_by_amount'),
        ),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(fields=['partner', 'used', 'customer'], name='budget_by_used'),
        ),
    ]
