"""Demo data: partners, their people, customers with budgets, and twelve months of expenditure."""

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
from budgets.actions.billing_month import current_month
from budgets.actions.import_report import ReportResult, import_report
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.files.expenditure_reports import read_report
from budgets.management.demo import DemoCustomer, make_customers, write_focus
from customers.files import NewCustomer
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

Groups = dict[tuple[str, BudgetTerms], list[str]]


class Command(BaseCommand):
    help = "Fill an empty installation with demo data and tell the demo accounts. Refused unless DEBUG is on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=240, metavar="N", help="how many (default 240)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo accounts have a known password: seed_demo is refused unless DEBUG is on.")
        if options["customers"] < 1:
            raise CommandError("--customers must be at least 1.")
        if Partner.objects.filter(account_name__in=[DISTRIBUTOR, *RESELLERS, SOLUTION_PROVIDER]).exists():
            self.stdout.write("The demo data is there already: nothing was changed.")
        else:
            taken = seed(options["customers"])
            self.stdout.write(
                f"{options['customers']} customers associated, {taken.lines} lines of expenditure imported, "
                f"{taken.frozen} accounts frozen."
            )
        self.stdout.write(accounts_table())


@transaction.atomic
def seed(number: int) -> ReportResult:
    """Make the partners, their people and so many customers, all or nothing; give what the report did."""
    partners = make_partners()
    people = make_people(partners)
    customers = make_customers(number)
    groups = group_by_terms(customers)
    give_grants(partners, groups, people["dora"])
    associate_customers(_newcomer(customer, partners[customer.partner]) for customer in customers)
    for (partner, terms), ids in groups.items():
        set_budgets(
            Customer.objects.filter(customer_id__in_array=ids),
            terms,
            operator=people[SETS_BUDGETS[partner]],
            channel=Channel.SYSTEM,
            unfreeze=True,
            note="Demo data",
        )
    return import_demo_report(customers)


def make_partners() -> dict[str, Partner]:
    """The demo's partners by account name; each reseller with its grant, not given yet."""
    distributor = _partner(DISTRIBUTOR, Partner.Kind.DISTRIBUTOR)
    resellers = [
        _partner(name, Partner.Kind.RESELLER, distributor=distributor, verification_required=required)
        for name, required in RESELLERS.items()
    ]
    for reseller in resellers:
        Grant.objects.create(partner=reseller)
    partners = [distributor, *resellers, _partner(SOLUTION_PROVIDER, Partner.Kind.SOLUTION_PROVIDER)]
    return {partner.account_name: partner for partner in partners}


def _partner(account_name: str, kind: str, **more: Any) -> Partner:
    company = account_name.replace("-", " ").title()
    return Partner.objects.create(account_name=account_name, company=company, kind=kind, **more)


def make_people(partners: dict[str, Partner]) -> dict[str, User]:
    """The demo accounts by username, all with the same password."""
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


def group_by_terms(customers: list[DemoCustomer]) -> Groups:
    """The customer IDs by partner and terms; those without a budget are left out."""
    groups: Groups = defaultdict(list)
    for customer in customers:
        if customer.terms is not None:
            groups[customer.partner, customer.terms].append(customer.customer_id)
    return groups


def give_grants(partners: dict[str, Partner], groups: Groups, distributor_staff: User) -> None:
    """Grant each reseller what its budgets need and twenty million more of each type."""
    for name in RESELLERS:
        quotas = {f"{kind.lower()}_quota": SPARE_QUOTA for kind in BudgetType.values}
        for (partner, terms), ids in groups.items():
            if partner == name:
                quotas[f"{terms.budget_type.lower()}_quota"] += terms.amount * len(ids)
        give_grant(
            partners[name],
            monthly_quota=quotas["monthly_quota"],
            one_time_quota=quotas["one_time_quota"],
            operator=distributor_staff,
        )


def _newcomer(customer: DemoCustomer, partner: Partner) -> NewCustomer:
    return NewCustomer(
        customer_id=customer.customer_id,
        account_name=customer.account_name,
        name=customer.name,
        partner=partner,
        email=customer.email,
        mobile=customer.mobile,
        tags=customer.tags,
    )


def import_demo_report(customers: list[DemoCustomer]) -> ReportResult:
    """Write the expenditure as a FOCUS file below var/demo and take it in as import_expenditure does."""
    path = settings.VAR / "demo" / "expenditure.csv.gz"
    write_focus(path, customers, current_month(), timezone.now())
    with path.open("rb") as file:
        return import_report(read_report([(path.name, file)]), operator=None)


def accounts_table() -> str:
    """The demo accounts as lines of text."""
    rows = [("Username", "Role", "Partner", "Password")]
    rows += [(username, str(role.label), partner, SIGN_IN_WITH) for username, (partner, role) in PEOPLE.items()]
    return "\n".join("  " + "".join(cell.ljust(20) for cell in row).rstrip() for row in rows)
