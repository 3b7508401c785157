"""What a review says of unfreezing when the month restores."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0011_freezing_by_hand'),
    ]

    operations = [
        migrations.AddField(
            model_name='reviewedcustomer',
            name='unfreeze_on_restore',
            field=models.BooleanField(default=False),
        ),
    ]
