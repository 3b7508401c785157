"""Freezing by hand and with resources, notes, decisions put off; who is a referral is told from the others by state."""

from datetime import timedelta

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def fill(apps, schema_editor):
    """What stands already: nobody kept the deadline, so it is told by what the vendor says, fifteen days."""
    customers = apps.get_model("customers", "Customer").objects
    deadline = models.F("frozen_since") + timedelta(days=15)
    customers.filter(freeze_kind="ACCOUNT_AND_RESOURCE").update(retention_until=deadline)
    customers.filter(association_type="REFERRAL").update(state=16)


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0010_search_beside_the_orders'),
        ('partnercenter', '0003_partner_status'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AgreementRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('operator_name', models.CharField(max_length=150, verbose_name='operator')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('version', models.CharField(help_text='Of the wording, as it was shown.', max_length=20)),
                ('operation', models.UUIDField(help_text='The operation it was accepted for.')),
            ],
            options={
                'verbose_name': 'agreement record',
                'verbose_name_plural': 'agreement records',
            },
        ),
        migrations.CreateModel(
            name='CustomerNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('operator_name', models.CharField(max_length=150, verbose_name='operator')),
                ('text', models.TextField(max_length=2000, verbose_name='note')),
            ],
        ),
        migrations.CreateModel(
            name='Snooze',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('operator_name', models.CharField(max_length=150, verbose_name='operator')),
                ('until', models.DateTimeField(help_text='The first moment at which it is to be decided again.')),
                ('reason', models.CharField(max_length=256, verbose_name='reason')),
                ('exhausted_since', models.DateTimeField(help_text="The budget's own: another using up is another decision.")),
            ],
        ),
        migrations.AddField(
            model_name='customer',
            name='retention_until',
            field=models.DateTimeField(help_text='With its resources frozen: after this moment data may be deleted.', null=True),
        ),
        migrations.AddField(
            model_name='freezerecord',
            name='retention_until',
            field=models.DateTimeField(help_text='With the resources frozen: what data is kept until.', null=True),
        ),
        migrations.AlterField(
            model_name='reviewedcustomer',
            name='effect',
            field=models.CharField(blank=True, choices=[('', '--'), ('FROZEN', 'frozen at once'), ('UNFROZEN', 'unfrozen'), ('STAYS_FROZEN', 'stays frozen'), ('ESCALATED', 'frozen with its resources, too')], max_length=16),
        ),
        migrations.AlterField(
            model_name='reviewedcustomer',
            name='left_out',
            field=models.CharField(blank=True, choices=[('', '--'), ('BY_OPERATOR', 'left out'), ('NO_BUDGET', 'no budget to go by'), ('NOT_POSITIVE', 'would come to 0 or less'), ('TOO_LARGE', 'would come to more than a budget may be'), ('REFERRAL', 'a customer of the referral model'), ('GRANTED', 'its reseller holds the permission to set budgets'), ('MOVED_ON', 'has moved on since the batch'), ('FROZEN_SO', 'is frozen so already'), ('NOT_FROZEN', 'is not frozen'), ('OTHER_KIND', 'is frozen in the other kind'), ('USED_UP', 'the budget is used up under automatic freezing')], max_length=16),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True), ('retention_until__isnull', False)), fields=['partner', 'retention_until', 'id'], name='customer_by_retention'),
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('freeze_kind', 'ACCOUNT_AND_RESOURCE'), ('retention_until__isnull', False)), models.Q(models.Q(('freeze_kind', 'ACCOUNT_AND_RESOURCE'), _negated=True), ('retention_until__isnull', True)), _connector='OR'), name='frozen_resources_have_a_deadline'),
        ),
        migrations.AddField(
            model_name='agreementrecord',
            name='operator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='agreementrecord',
            name='partner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partnercenter.partner'),
        ),
        migrations.AddField(
            model_name='customernote',
            name='customer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='customernote',
            name='operator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='snooze',
            name='customer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='snoozes', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='snooze',
            name='operator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='customernote',
            index=models.Index(fields=['customer', '-id'], name='note_by_customer'),
        ),
        migrations.AddIndex(
            model_name='snooze',
            index=models.Index(fields=['customer', '-id'], name='snooze_by_customer'),
        ),
    ]
