"""Fill a database: the product makes the first thousand customers, and SQL copies them as often as needed."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, models
from django.db.models import Max, Sum

from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month
from budgets.actions.import_report import import_report
from budgets.actions.set_budgets import set_budgets
from budgets.files.expenditure_reports import ReadReport
from budgets.management.commands.seed_demo import group_by_terms
from budgets.management.demo import DemoCustomer, make_customers
from budgets.models import AdjustmentRecord, Budget, Expenditure
from budgets.months import previous_month
from customers.files import NewCustomer
from customers.models import Customer, FreezeRecord
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Grant, Partner, User

THOUSAND = 1_000
QUOTA = Decimal(10**13)
COPIED: tuple[type[models.Model], ...] = (Customer, FreezeRecord, AdjustmentRecord, Budget, Expenditure)
# The fields that must differ from copy to copy, as SQL. The search text consists of the name and the account name.
VALUES_OF_COPIES = {
    "customer_id": "{column} || '-' || n.k",
    "account": "{column} || '-' || n.k",
    "account_name": "{column} || '_' || n.k",
    "name": "{column} || ' ' || n.k",
    "search": "REPLACE({column}, '\n', ' ' || n.k || '\n') || '_' || n.k",
}


def fill(size: int) -> None:
    """Make this number of customers (a multiple of 1,000) of one reseller, with records and two months' expenditure.

    Their budgets and freeze states are mixed as in the demo.
    """
    if size % THOUSAND:
        raise SystemExit(f"SIZES: {size} is not a multiple of {THOUSAND}")
    make_sample()
    steps = {model: last_key(model) for model in COPIED}
    for model in COPIED if size > THOUSAND else ():
        copy(model, steps, size // THOUSAND)
    allocate_quota()
    call_command("check_budgets", stdout=StringIO())


def make_sample() -> None:
    distributor = Partner.objects.create(kind=Partner.Kind.DISTRIBUTOR, account_name="dora", company="Dora")
    reseller = Partner.objects.create(
        kind=Partner.Kind.RESELLER, account_name="acme", company="Acme", distributor=distributor
    )
    Grant.objects.create(partner=reseller)
    give_grant(reseller, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    ann = User.objects.create(username="ann", partner=reseller, role=User.Role.ADMINISTRATOR)
    User.objects.create(username="root", is_staff=True, is_superuser=True)
    sample = make_customers(THOUSAND)
    associate_customers(
        NewCustomer(each.customer_id, each.account_name, each.name, reseller, email=each.email, mobile=each.mobile)
        for each in sample
    )
    spread_associations()
    for (_partner, terms), ids in group_by_terms(sample).items():
        set_budgets(Customer.objects.filter(customer_id__in=ids), terms, operator=ann, unfreeze=True)
    import_report(report_about(sample), operator=None)


def spread_associations() -> None:
    """Spread the times of association over more than two years."""
    customers = list(Customer.objects.order_by("pk"))
    for number, customer in enumerate(customers):
        customer.associated_on -= timedelta(hours=number * 7919 % 20_000)
    Customer.objects.bulk_update(customers, ["associated_on"])


def report_about(sample: list[DemoCustomer]) -> ReadReport:
    """A report about this month and the last one."""
    month = current_month()
    months = (previous_month(month), month)
    spent = [(f"{each_month}{each.customer_id}", each.spent * 100) for each_month in months for each in sample]
    return ReadReport(format="focus", lines=len(spent), summed=dict(spent), sources=["sample.csv"])


def last_key(model: type[models.Model]) -> int:
    return model._default_manager.aggregate(last=Max("pk"))["last"]


def copy(model: type[models.Model], steps: dict[type[models.Model], int], copies: int) -> None:
    """Insert the rows of the sample again and again. The keys of each copy follow those of the copy before."""
    table, fields = model._meta.db_table, model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(_value(field, steps) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < {copies - 1})"
            f' INSERT INTO "{table}" ({columns}) SELECT {values} FROM n CROSS JOIN "{table}" t ORDER BY 1'
        )
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


def _value(field: Any, steps: dict[type[models.Model], int]) -> str:
    column = f't."{field.column}"'
    step = steps.get(field.related_model if field.is_relation else field.model) if _is_key(field) else None
    return f"{column} + n.k * {step}" if step else VALUES_OF_COPIES.get(field.name, "{column}").format(column=column)


def _is_key(field: Any) -> bool:
    return field.is_relation or field.primary_key


def allocate_quota() -> None:
    """Store how much of the quota all budgets allocate, those of the copies included."""
    for budget_type in BudgetType.values:
        total = Budget.objects.filter(budget_type=budget_type).aggregate(total=Sum("amount"))["total"]
        Grant.objects.update(**{f"{budget_type.lower()}_allocated": total})
