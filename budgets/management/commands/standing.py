"""`manage.py standing CUSTOMER_ID`: print what a customer may do now, and why not."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from budgets.actions.billing_month import current_month, restore_customer
from budgets.queries.standing import standing_of
from customers.models import Customer
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Print what a customer may do now: a line for each action, with the answer and what forbids it, then all "
        "reasons. Times are in the billing time zone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer_id")

    def handle(self, *args: object, customer_id: str, **options: object) -> None:
        month = current_month()
        customers = Customer.objects.current().select_related("partner", "budget")
        customer = customers.filter(customer_id=customer_id).first()
        if customer is None:
            raise CommandError(f"No customer with the ID {customer_id} is associated.")
        restore_customer(customer, month)
        with timezone.override(settings.BILLING_TIME_ZONE):
            self.write_answer(customer)

    def write_answer(self, customer: Customer) -> None:
        standing = standing_of(customer)
        for row in standing.rows:
            self.stdout.write(f"{row.action.label}: {row.answer.label}{f' ({row.why})' if row.why else ''}")
        for reason in standing.reasons:
            self.stdout.write(f"- {reason}")
