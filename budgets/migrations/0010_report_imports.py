"""What each report stated, what became of each attempt to import one, and the steps in which one is applied."""

import django.core.serializers.json
import django.db.models.deletion
import partnercenter.lib.money
import uuid
from django.conf import settings
from django.db import migrations, models


# The imports of the reports that were imported before.
FILL = """
INSERT INTO budgets_reportimport (id, report_id, state, partner_id, operator_id, operator_name, sources, content_hash,
    reported_at, began_at, alive_at, ended_at, reason, problems, confirmed_by, files,
    channel, token, steps, steps_done, changed, exhausted, frozen)
SELECT id, id, 'IMPORTED', partner_id, operator_id, operator_name, sources, '',
    reported_at, taken_in_at, taken_in_at, taken_in_at, '', '[]', '', '[]', 'IMPORT', id, 1, 1, 0, 0, 0
FROM budgets_expenditurereport
"""


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0009_index_used_rank'),
        ('partnercenter', '0005_plainer_texts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='expenditurereport',
            name='content_hash',
            field=models.CharField(blank=True, db_default='', help_text='SHA-256 of its files; empty if it was not computed.', max_length=64),
        ),
        migrations.AlterField(
            model_name='expenditurereport',
            name='summary',
            field=models.JSONField(default=dict, help_text='What it stated and changed.'),
        ),
        migrations.CreateModel(
            name='ReportSum',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.PositiveIntegerField(help_text='Billing month, YYYYMM.')),
                ('accounts', models.PositiveIntegerField(help_text='How many accounts it stated a total for.')),
                ('total', partnercenter.lib.money.MoneyField(verbose_name='expenditure')),
                ('total_before', partnercenter.lib.money.MoneyField(help_text='The stored totals of the same accounts.')),
                ('risen', models.PositiveIntegerField(help_text='How many totals are higher than the stored ones.')),
                ('fallen', models.PositiveIntegerField(help_text='How many totals are lower than the stored ones.')),
                ('partner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partnercenter.partner')),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sums', to='budgets.expenditurereport')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ReportTotal',
            fields=[
                ('pk', models.CompositePrimaryKey('report', 'step', 'account', 'month', blank=True, editable=False, primary_key=True, serialize=False)),
                ('step', models.PositiveIntegerField()),
                ('account', models.CharField(max_length=128)),
                ('month', models.PositiveIntegerField(help_text='Billing month, YYYYMM.')),
                ('total', partnercenter.lib.money.MoneyField()),
                ('report', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='budgets.expenditurereport')),
            ],
        ),
        migrations.CreateModel(
            name='ReportImport',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('WAITING', 'Waiting'), ('READING', 'Reading'), ('NEEDS_CONFIRMATION', 'Needs confirmation'), ('APPLYING', 'Being imported'), ('IMPORTED', 'Imported'), ('REFUSED', 'Refused')], max_length=20)),
                ('operator_name', models.CharField(max_length=150)),
                ('sources', models.JSONField(help_text='The names of its files.')),
                ('content_hash', models.CharField(blank=True, max_length=64)),
                ('reported_at', models.DateTimeField(null=True)),
                ('began_at', models.DateTimeField()),
                ('alive_at', models.DateTimeField(help_text='When its process last gave a sign of life.')),
                ('ended_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True, help_text='Why it was refused or needs a confirmation.')),
                ('problems', models.JSONField(default=list, help_text='The bad lines of its files.')),
                ('comparison', models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, help_text='The figures for which it needs a confirmation.', null=True)),
                ('confirmed_by', models.CharField(blank=True, max_length=150)),
                ('channel', models.CharField(choices=[('CONSOLE', 'Console'), ('IMPORT', 'Import'), ('API', 'API'), ('SYSTEM', 'System')], default='IMPORT', max_length=10)),
                ('token', models.UUIDField(default=uuid.uuid4, help_text='Of the process that applies it; a new one takes it over.')),
                ('steps', models.PositiveIntegerField(default=0, help_text='In how many steps it is applied.')),
                ('steps_done', models.PositiveIntegerField(default=0)),
                ('changed', models.PositiveIntegerField(default=0, help_text='Totals that changed so far.')),
                ('exhausted', models.PositiveIntegerField(default=0, help_text='Budgets that became used up so far.')),
                ('frozen', models.PositiveIntegerField(default=0, help_text='Accounts frozen so far.')),
                ('files', models.JSONField(default=list, help_text='Name and storage path of uploads kept for a confirmation.')),
                ('operator', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('partner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='partnercenter.partner')),
                ('report', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='report_import', to='budgets.expenditurereport')),
            ],
            options={
                'verbose_name': 'report import',
                'verbose_name_plural': 'report imports',
                'indexes': [models.Index(fields=['partner', '-began_at'], name='report_import_by_partner')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'APPLYING')), fields=('state',), name='one_report_applied_at_a_time')],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
