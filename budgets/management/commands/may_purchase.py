"""`manage.py may_purchase CUSTOMER_ID`: print whether a customer may purchase now, and why or why not."""

from budgets.management.commands import standing
from budgets.queries.standing import may_purchase
from customers.models import Customer


class Command(standing.Command):
    help = (
        "Print whether a customer may purchase now, and why or why not. The first line is about yearly/monthly "
        "purchases and reserved instances, the second about pay-per-use. Times are in the billing time zone."
    )

    def write_answer(self, customer: Customer) -> None:
        answer = may_purchase(customer)
        self.stdout.write(f"{'yes' if answer.yearly_monthly else 'no'}: {answer.reason}")
        self.stdout.write(f"pay-per-use: {'yes' if answer.pay_per_use else 'no'}")
