"""The customers of a review are called review items: a new name for the class, while its table stays as it is."""

import django.db.models.deletion
import partnercenter.lib.money
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0013_export_of_records'),
        ('partnercenter', '0004_verification_switch_record'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(
                    name='ReviewedCustomer',
                ),
                migrations.CreateModel(
                    name='ReviewItem',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('adjustment_record', models.BigIntegerField(help_text='The record the budget stood on; none: no budget.', null=True)),
                        ('freeze_kind', models.CharField(blank=True, choices=[('', 'Not frozen'), ('ACCOUNT', 'Account'), ('ACCOUNT_AND_RESOURCE', 'Account and resources')], max_length=24)),
                        ('frozen_since', models.DateTimeField(null=True)),
                        ('budget_type', models.CharField(choices=[('ONE_TIME', 'One-time budget'), ('MONTHLY', 'Monthly budget')], max_length=10, null=True)),
                        ('amount', partnercenter.lib.money.MoneyField(null=True)),
                        ('account_freezing', models.CharField(choices=[('AUTOMATIC', 'Automatic'), ('MANUAL', 'Manual'), ('AUTOMATIC_WITH_RESOURCES', 'Automatic, with resources')], max_length=24, null=True)),
                        ('counted_from', models.PositiveIntegerField(null=True)),
                        ('unfreeze', models.BooleanField(default=False)),
                        ('unfreeze_on_restore', models.BooleanField(default=False)),
                        ('as_it_is', models.SmallIntegerField(default=0, help_text='What the line of a file left empty (`AsItIs`).')),
                        ('left_out', models.CharField(blank=True, choices=[('', '--'), ('BY_OPERATOR', 'left out'), ('NO_BUDGET', 'no budget to go by'), ('NOT_POSITIVE', 'would come to 0 or less'), ('TOO_LARGE', 'would come to more than a budget may be'), ('REFERRAL', 'a customer of the referral model'), ('GRANTED', 'its reseller holds the permission to set budgets'), ('MOVED_ON', 'has moved on since the batch'), ('FROZEN_SO', 'is frozen so already'), ('NOT_FROZEN', 'is not frozen'), ('OTHER_KIND', 'is frozen in the other kind'), ('USED_UP', 'the budget is used up under automatic freezing')], max_length=16)),
                        ('exhausts', models.BooleanField(default=False, help_text='The budget would be used up at once.')),
                        ('effect', models.CharField(blank=True, choices=[('', '--'), ('FROZEN', 'frozen at once'), ('UNFROZEN', 'unfrozen'), ('STAYS_FROZEN', 'stays frozen'), ('ESCALATED', 'frozen with its resources, too')], max_length=16)),
                        ('customer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='customers.customer')),
                        ('operation', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reviewed', to='partnercenter.operation')),
                    ],
                    options={
                        'db_table': 'customers_reviewedcustomer',
                    },
                ),
                migrations.AddConstraint(
                    model_name='reviewitem',
                    constraint=models.UniqueConstraint(fields=('operation', 'customer'), name='a_customer_is_reviewed_once'),
                ),
            ],
        ),
    ]
