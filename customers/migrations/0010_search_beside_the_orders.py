"""The search text and the state beside every order of the list: a common word is found in the index alone."""

from django.db import migrations, models

CURRENT = models.Q(disassociated_on__isnull=True)


def by(order):
    name, fields = f"customer_by_{order}", ["partner", order, "id"]
    index = models.Index(fields=fields, include=["search", "state"], name=name, condition=CURRENT)
    return [migrations.RemoveIndex("customer", name), migrations.AddIndex("customer", index)]


class Migration(migrations.Migration):
    dependencies = [("customers", "0009_reviews_written_fast")]

    operations = [*by("account_name"), *by("name"), *by("associated_on")]
