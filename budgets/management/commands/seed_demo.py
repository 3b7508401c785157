"""`manage.py seed_demo`: fill an empty installation with demo data.

It has partners, people, customers with budgets, and twelve months of expenditure.
"""

from argparse import ArgumentParser
from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month, restore_budgets_to
from budgets.actions.import_report import ReportResult, import_report
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.files.expenditure_reports import read_report
from budgets.management.demo import DemoCustomer, make_customers, write_focus
from budgets.months import month_of
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Channel, Grant, Partner, User

SIGN_IN_WITH = "partner-center"
DISTRIBUTOR = "dora-distribution"
RESELLERS = {"acme-reseller": False, "borealis-reseller": True}
SOLUTION_PROVIDER = "sol-solutions"
PEOPLE = {
    "dora": (DISTRIBUTOR, User.Role.ADMINISTRATOR),
    "ann": ("acme-reseller", User.Role.ADMINISTRATOR),
    "ben": ("acme-reseller", User.Role.OPERATOR),
    "vera": ("acme-reseller", User.Role.VIEWER),
    "carl": ("borealis-reseller", User.Role.ADMINISTRATOR),
    "sol": (SOLUTION_PROVIDER, User.Role.ADMINISTRATOR),
}
SETS_BUDGETS = {"acme-reseller": "ann", "borealis-reseller": "carl", SOLUTION_PROVIDER: "sol"}
SPARE_QUOTA = Decimal("20000000.00")

# Customer IDs by the account name of their partner and the terms of their budget.
CustomersByTerms = dict[tuple[str, BudgetTerms], list[str]]


class Command(BaseCommand):
    help = "Fill an empty installation with demo data and list the demo accounts. Works only while DEBUG is on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=240, metavar="N", help="number of customers (default 240)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo accounts have a known password: seed_demo works only while DEBUG is on.")
        if options["customers"] < 1:
            raise CommandError("--customers must be at least 1.")
        if Partner.objects.filter(account_name__in=[DISTRIBUTOR, *RESELLERS, SOLUTION_PROVIDER]).exists():
            restore_this_month()
            self.stdout.write("The demo data already exists: nothing was changed.")
        else:
            result = seed(options["customers"])
            self.stdout.write(
                f"{options['customers']} customers associated, {result.lines} lines of expenditure imported, "
                f"{result.frozen} accounts frozen."
            )
        self.stdout.write(accounts_table())


@transaction.atomic
def seed(number: int) -> ReportResult:
    """Create the demo data in one transaction, with this number of customers; return the report's result."""
    partners = make_partners()
    people = make_people(partners)
    customers = make_customers(number)
    customers_by_terms = group_by_terms(customers)
    give_grants(partners, customers_by_terms, people["dora"])
    associate_customers(customer.new_customer(partners[customer.partner]) for customer in customers)
    for (partner, terms), ids in customers_by_terms.items():
        set_budgets(
            Customer.objects.filter(customer_id__in_array=ids),
            terms,
            operator=people[SETS_BUDGETS[partner]],
            channel=Channel.SYSTEM,
            unfreeze=True,
            note="Demo data",
        )
    return import_demo_report(customers)


def restore_this_month() -> None:
    """Let the month begin that the clock shows, however many months nobody has used the demo."""
    month = month_of(timezone.now())
    if current_month() <= month:
        restore_budgets_to(month)


def make_partners() -> dict[str, Partner]:
    """Create the partners and return them by account name. Each reseller has its grant, still without quotas."""
    distributor = _partner(DISTRIBUTOR, Partner.Kind.DISTRIBUTOR)
    resellers = [
        _partner(name, Partner.Kind.RESELLER, distributor=distributor, verification_required=required)
        for name, required in RESELLERS.items()
    ]
    for reseller in resellers:
        Grant.objects.create(partner=reseller)
    partners = [distributor, *resellers, _partner(SOLUTION_PROVIDER, Partner.Kind.SOLUTION_PROVIDER)]
    return {partner.account_name: partner for partner in partners}


def _partner(
    account_name: str, kind: str, *, distributor: Partner | None = None, verification_required: bool = False
) -> Partner:
    return Partner.objects.create(
        account_name=account_name,
        company=account_name.replace("-", " ").title(),
        kind=kind,
        distributor=distributor,
        verification_required=verification_required,
    )


def make_people(partners: dict[str, Partner]) -> dict[str, User]:
    """Create the demo accounts, all with the same password, and return them by username."""
    password = make_password(SIGN_IN_WITH)
    return {
        username: User.objects.create(
            username=username,
            email=f"{username}@{partner}.example",
            password=password,
            partner=partners[partner],
            role=role,
            is_staff=partners[partner].is_distributor,
        )
        for username, (partner, role) in PEOPLE.items()
    }


def group_by_terms(customers: list[DemoCustomer]) -> CustomersByTerms:
    """Group the customers that have a budget by partner and terms."""
    groups: CustomersByTerms = defaultdict(list)
    for customer in customers:
        if customer.terms is not None:
            groups[customer.partner, customer.terms].append(customer.customer_id)
    return groups


def give_grants(partners: dict[str, Partner], customers_by_terms: CustomersByTerms, distributor_staff: User) -> None:
    """Grant each reseller the quotas that its budgets need, and twenty million more of each type."""
    for name in RESELLERS:
        quotas = {f"{kind.lower()}_quota": SPARE_QUOTA for kind in BudgetType.values}
        for (partner, terms), ids in customers_by_terms.items():
            if partner == name:
                quotas[f"{terms.budget_type.lower()}_quota"] += terms.amount * len(ids)
        give_grant(
            partners[name],
            monthly_quota=quotas["monthly_quota"],
            one_time_quota=quotas["one_time_quota"],
            operator=distributor_staff,
        )


def import_demo_report(customers: list[DemoCustomer]) -> ReportResult:
    """Write the expenditure to a FOCUS file below var/demo, and import it as import_expenditure does."""
    path = settings.VAR / "demo" / "expenditure.csv.gz"
    write_focus(path, customers, current_month(), timezone.now())
    with path.open("rb") as file:
        return import_report(read_report([(path.name, file)]), operator=None)


def accounts_table() -> str:
    """The demo accounts as lines of text."""
    rows = [("Username", "Role", "Partner", "Password")]
    rows += [(username, str(role.label), partner, SIGN_IN_WITH) for username, (partner, role) in PEOPLE.items()]
    return "\n".join("  " + "".join(cell.ljust(20) for cell in row).rstrip() for row in rows)
