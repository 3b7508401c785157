"""`manage.py may_purchase CUSTOMER_ID`."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from budgets.actions import current_month
from budgets.standing import may_purchase
from customers.models import Customer
from partnercenter.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Whether a customer may purchase now, and why (not). The first line answers for yearly/monthly purchases and "
        "reserved instances, the second for pay-per-use. Times are those of the billing time zone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer_id")

    def handle(self, *args: Any, customer_id: str, **options: Any) -> None:
        current_month()
        customer = Customer.objects.filter(customer_id=customer_id, disassociated_on=None).first()
        if customer is None:
            raise CommandError(f"No customer is associated under the ID {customer_id}.")
        with timezone.override(settings.BILLING_TIME_ZONE):
            answer = may_purchase(customer)
        self.stdout.write(f"{'yes' if answer.yearly_monthly else 'no'}: {answer.reason}")
        self.stdout.write(f"pay-per-use: {'yes' if answer.pay_per_use else 'no'}")
