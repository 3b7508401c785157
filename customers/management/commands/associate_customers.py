"""`manage.py associate_customers FILE.csv`: associate the customers of a file with their partners."""

from argparse import ArgumentParser
from pathlib import Path

from budgets.actions.association import associate_customers
from budgets.presenters.messages import message_for_associated
from customers.files import read_customers
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Associate the customers of a CSV file (customer_id,account_name,name,partner and optional columns). If a line "
        "is wrong, none is associated. Customers of the reseller model start frozen and without a budget."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: object, file: Path, **options: object) -> None:
        with file.open("rb") as content:
            number = associate_customers(read_customers(file.name, content))
        self.stdout.write(self.style.SUCCESS(message_for_associated(number)))
