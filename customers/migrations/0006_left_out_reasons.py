from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("customers", "0005_saved_views")]

    operations = [
        migrations.AlterField(
            model_name="reviewedcustomer",
            name="left_out",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "--"),
                    ("BY_OPERATOR", "left out"),
                    ("NO_BUDGET", "no budget to go by"),
                    ("NOT_POSITIVE", "would come to 0 or less"),
                    ("TOO_LARGE", "would come to more than a budget may be"),
                    ("REFERRAL", "a customer of the referral model"),
                    ("GRANTED", "its reseller holds the permission to set budgets"),
                ],
                max_length=16,
            ),
        ),
    ]
