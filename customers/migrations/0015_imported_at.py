"""When the report behind a freeze was imported: a new name for the field, while its column stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0014_review_item'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='freezerecord',
                    name='taken_in_at',
                    field=models.DateTimeField(db_column='taken_in_at', null=True),
                ),
                migrations.RenameField(
                    model_name='freezerecord',
                    old_name='taken_in_at',
                    new_name='imported_at',
                ),
            ],
        ),
    ]
