"""`manage.py may_purchase CUSTOMER_ID`."""

from budgets.management.commands import standing
from budgets.queries.standing import may_purchase
from customers.models import Customer


class Command(standing.Command):
    help = (
        "Whether a customer may purchase now, and why (not). The first line answers for yearly/monthly purchases and "
        "reserved instances, the second for pay-per-use. Times are those of the billing time zone."
    )

    def tell(self, customer: Customer) -> None:
        answer = may_purchase(customer)
        self.stdout.write(f"{'yes' if answer.yearly_monthly else 'no'}: {answer.reason}")
        self.stdout.write(f"pay-per-use: {'yes' if answer.pay_per_use else 'no'}")
