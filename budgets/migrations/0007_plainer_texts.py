"""Help texts, choices and messages of constraints in plainer words. The schema does not change."""

import django.db.models.deletion
import partnercenter.lib.money
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0006_imported_at'),
        ('partnercenter', '0005_plainer_texts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='adjustmentrecord',
            name='used',
            field=partnercenter.lib.money.MoneyField(help_text='What was used of the new budget when it was set.'),
        ),
        migrations.AlterField(
            model_name='budget',
            name='record',
            field=models.ForeignKey(db_index=False, help_text='The newest adjustment record.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='budgets.adjustmentrecord'),
        ),
        migrations.AlterField(
            model_name='budget',
            name='runs_out_on',
            field=models.DateField(help_text="At this month's daily rate; empty where no day can be predicted.", null=True, verbose_name='runs out on'),
        ),
        migrations.AlterField(
            model_name='budget',
            name='state',
            field=models.SmallIntegerField(default=0, help_text="The same as the customer's, for use in indexes."),
        ),
        migrations.AlterField(
            model_name='expenditurereport',
            name='covers_until',
            field=models.DateTimeField(help_text='The end of the latest usage in it (ChargePeriodEnd).', null=True),
        ),
        migrations.AlterField(
            model_name='expenditurereport',
            name='partner',
            field=models.ForeignKey(help_text='The partner for whose customers it was imported; none: for all.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='partnercenter.partner'),
        ),
        migrations.AlterField(
            model_name='expenditurereport',
            name='reported_at',
            field=models.DateTimeField(help_text='The time to which its totals refer.', verbose_name='time'),
        ),
    ]
