"""`manage.py disassociate_customers FILE.csv`: end the association of the customers of a file."""

from argparse import ArgumentParser
from pathlib import Path

from budgets.actions.association import disassociate_customers
from budgets.presenters.messages import message_for_disassociated
from customers.files import read_disassociations
from customers.models import Customer
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "End the association of the customers of a CSV file (customer_id,partner). If a line is wrong, none is "
        "disassociated. Their budgets are removed and no longer count towards quotas; their records stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: object, file: Path, **options: object) -> None:
        with file.open("rb") as content:
            leaving = Customer.objects.filter(pk__in_array=read_disassociations(file.name, content))
        number = disassociate_customers(leaving)
        self.stdout.write(self.style.SUCCESS(message_for_disassociated(number)))
