"""Each order of the list by an index over the current customers alone, and whether there is a budget."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0002_search'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='customer',
            name='customer_by_account_name',
        ),
        migrations.RemoveIndex(
            model_name='customer',
            name='customer_by_name',
        ),
        migrations.RemoveIndex(
            model_name='customer',
            name='customer_by_associated_on',
        ),
        migrations.RemoveIndex(
            model_name='customer',
            name='customer_frozen',
        ),
        migrations.AddField(
            model_name='customer',
            name='has_budget',
            field=models.BooleanField(default=False, help_text='Changes together with the budget.'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True)), fields=['partner', 'account_name', 'id'], name='customer_by_account_name'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True)), fields=['partner', 'name', 'id'], name='customer_by_name'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True)), fields=['partner', 'associated_on', 'id'], name='customer_by_associated_on'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True), models.Q(('freeze_kind', ''), _negated=True)), fields=['partner', 'account_name', 'id'], name='customer_frozen'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('disassociated_on__isnull', True), ('has_budget', False)), fields=['partner', 'id'], name='customer_without_budget'),
        ),
    ]
