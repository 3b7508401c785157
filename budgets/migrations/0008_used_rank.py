"""The rank of what a budget has used, for the order of the list. The next migration fills it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0007_plainer_texts")]

    operations = [
        migrations.AddField(
            "budget",
            "used_rank",
            models.IntegerField(
                db_default=0, default=0, help_text="The rank of `used`, for the list's order."
            ),
        ),
    ]
