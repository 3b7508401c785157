"""Help texts, choices and messages of constraints in plainer words. The schema does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0016_search_without_fts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='agreementrecord',
            name='operation',
            field=models.UUIDField(help_text='The operation for which it was accepted.'),
        ),
        migrations.AlterField(
            model_name='agreementrecord',
            name='version',
            field=models.CharField(help_text='The version of the wording that was shown.', max_length=20),
        ),
        migrations.AlterField(
            model_name='customer',
            name='retention_until',
            field=models.DateTimeField(help_text='If the resources are frozen: after this time data may be deleted.', null=True),
        ),
        migrations.AlterField(
            model_name='customer',
            name='search',
            field=models.TextField(editable=False, help_text='Name and account name in the form that is searched.'),
        ),
        migrations.AlterField(
            model_name='customer',
            name='state',
            field=models.SmallIntegerField(default=0, help_text='`AccountFlags`; updated with the budget and the freeze state.'),
        ),
        migrations.AlterField(
            model_name='exportrecord',
            name='query',
            field=models.TextField(blank=True, help_text='The query string of the exported page, or the ID of the batch.'),
        ),
        migrations.AlterField(
            model_name='freezerecord',
            name='batch',
            field=models.UUIDField(help_text='Shared by all records of one action.'),
        ),
        migrations.AlterField(
            model_name='freezerecord',
            name='retention_until',
            field=models.DateTimeField(help_text='If the resources are frozen: data is kept until then.', null=True),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='adjustment_record',
            field=models.BigIntegerField(help_text='The latest record of the budget when it was reviewed; empty if there was none.', null=True),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='as_it_is',
            field=models.SmallIntegerField(default=0, help_text='The terms that the line of a file left empty (`UnchangedTerms`).'),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='effect',
            field=models.CharField(blank=True, choices=[('', '--'), ('FROZEN', 'frozen immediately'), ('UNFROZEN', 'unfrozen'), ('STAYS_FROZEN', 'stays frozen'), ('ESCALATED', 'resources frozen as well')], max_length=16),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='exhausts',
            field=models.BooleanField(default=False, help_text='The budget would be used up immediately.'),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='left_out',
            field=models.CharField(blank=True, choices=[('', '--'), ('BY_OPERATOR', 'excluded'), ('NO_BUDGET', 'no budget to change'), ('NOT_POSITIVE', 'the new amount would be 0 or less'), ('TOO_LARGE', 'the new amount would be above the maximum'), ('REFERRAL', 'a customer of the referral model'), ('GRANTED', 'its reseller holds the permission to set budgets'), ('MOVED_ON', 'changed since the batch'), ('FROZEN_SO', 'already frozen in this way'), ('NOT_FROZEN', 'not frozen'), ('OTHER_KIND', 'frozen in the other way'), ('USED_UP', 'budget used up under automatic freezing')], max_length=16),
        ),
        migrations.AlterField(
            model_name='savedview',
            name='query',
            field=models.CharField(blank=True, help_text='The query string of the list, without a page number.', max_length=2000),
        ),
        migrations.AlterField(
            model_name='snooze',
            name='exhausted_since',
            field=models.DateTimeField(help_text='As on the budget: if it is exhausted again later, that is another decision.'),
        ),
        migrations.AlterField(
            model_name='snooze',
            name='until',
            field=models.DateTimeField(help_text='From this time on the decision is open again.'),
        ),
    ]
