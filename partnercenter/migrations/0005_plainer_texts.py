"""Help texts, choices and messages of constraints in plainer words. The schema does not change."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('partnercenter', '0004_verification_switch_record'),
    ]

    operations = [
        migrations.AlterField(
            model_name='job',
            name='alive_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='When its worker last reported progress.'),
        ),
        migrations.AlterField(
            model_name='job',
            name='files',
            field=models.JSONField(default=list, help_text='The name and the storage path of each uploaded file.'),
        ),
        migrations.AlterField(
            model_name='job',
            name='link',
            field=models.CharField(blank=True, help_text='The address of the page with its result.', max_length=200),
        ),
        migrations.AlterField(
            model_name='job',
            name='problems',
            field=models.JSONField(default=list, help_text='The bad lines of its files.'),
        ),
        migrations.AlterField(
            model_name='job',
            name='status',
            field=models.PositiveSmallIntegerField(default=200, help_text='The HTTP status for the page that started it.'),
        ),
        migrations.AlterField(
            model_name='job',
            name='task',
            field=models.CharField(help_text='The dotted path of the task function.', max_length=100),
        ),
        migrations.AlterField(
            model_name='operation',
            name='replaces',
            field=models.ForeignKey(help_text='The review that was edited to make this one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='partnercenter.operation'),
        ),
        migrations.AlterConstraint(
            model_name='partner',
            name='only_a_reseller_has_a_distributor',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('distributor__isnull', False), ('kind', 'RESELLER')), models.Q(models.Q(('kind', 'RESELLER'), _negated=True), ('distributor__isnull', True)), _connector='OR'), name='only_a_reseller_has_a_distributor', violation_error_message='A reseller must have a distributor. No other partner can have one.'),
        ),
    ]
