"""When a report was imported: a new name for the field, while its column stays as it is."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0005_unassociated_accounts'),
        ('partnercenter', '0004_verification_switch_record'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(
                    model_name='expenditurereport',
                    name='report_by_partner',
                ),
                migrations.AlterField(
                    model_name='expenditurereport',
                    name='taken_in_at',
                    field=models.DateTimeField(db_column='taken_in_at'),
                ),
                migrations.RenameField(
                    model_name='expenditurereport',
                    old_name='taken_in_at',
                    new_name='imported_at',
                ),
                migrations.AddIndex(
                    model_name='expenditurereport',
                    index=models.Index(fields=['partner', '-imported_at'], name='report_by_partner'),
                ),
            ],
        ),
    ]
