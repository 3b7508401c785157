"""Make partners, people, customers, budgets and reports for tests, by the console's own actions where there is one."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from itertools import count
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.association import associate_customers
from budgets.actions.freeze_terms import freeze_request_from
from budgets.actions.import_report import ReportResult, import_report
from budgets.actions.manual_freeze import apply_freeze
from budgets.actions.reviews import review_budgets
from budgets.actions.set_budgets import BatchResult, apply_budgets, set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.files.expenditure_reports import ReadReport, read_report
from budgets.models import Budget
from customers.agreement import CURRENT_VERSION
from customers.files import NewCustomer
from customers.models import AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin
from customers.search import fold
from partnercenter.actions.authorship import Author
from partnercenter.actions.operations import confirm_operation
from partnercenter.actions.partners import give_grant
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import BudgetType, Channel, Grant, Operation, Partner, User

PASSWORD = "partner-center"
MILLION = Decimal("1000000.00")
_numbers = count(1)


def distributor(account_name: str = "dora-distribution") -> Partner:
    return Partner.objects.create(
        kind=Partner.Kind.DISTRIBUTOR, account_name=account_name, company=account_name.title().replace("-", " ")
    )


def reseller(of: Partner, account_name: str, *, quota: Decimal | None = MILLION, **more: Any) -> Partner:
    """A reseller with a grant of this quota of each type, or without a grant (None)."""
    company = account_name.title().replace("-", " ")
    partner = Partner.objects.create(
        kind=Partner.Kind.RESELLER, account_name=account_name, company=company, distributor=of, **more
    )
    Grant.objects.create(partner=partner)
    if quota is not None:
        give_grant(partner, monthly_quota=quota, one_time_quota=quota, operator=None)
    return partner


def user(username: str, partner: Partner | None, role: str = User.Role.OPERATOR, **more: Any) -> User:
    return User.objects.create_user(
        username,
        f"{username}@{partner.account_name if partner else 'platform'}.example",
        PASSWORD,
        partner=partner,
        role=role,
        **more,
    )


def customer(partner: Partner, customer_id: str = "", **more: Any) -> Customer:
    """A customer as association leaves it: frozen, without a budget."""
    return customers(partner, 1, customer_id=customer_id, **more)[0]


def customers(partner: Partner, number: int, *, customer_id: str = "", **more: Any) -> list[Customer]:
    """This many customers as association leaves them: frozen, without a budget."""
    newcomers = []
    for _each in range(number):
        n = next(_numbers)
        given = {"account_name": f"account_{n:05}", "name": f"Name of {n:05}", **more}
        newcomers.append(NewCustomer(customer_id=customer_id or f"id-{n:05}", partner=partner, **given))
    associate_customers(newcomers)
    ids = [newcomer.customer_id for newcomer in newcomers]
    return list(Customer.objects.filter(customer_id__in=ids, disassociated_on=None).order_by("pk"))


def bulk_customers(partner: Partner, number: int, *, prefix: str = "many") -> None:
    """Many customers written directly: not associated, so not frozen, without records, and quickly made."""
    names = [f"{prefix} {n:05}" for n in range(number)]
    Customer.objects.bulk_create(
        Customer(partner=partner, customer_id=name, account_name=name, name=name, search=fold(name, name))
        for name in names
    )


def budget(
    customers: Customer | Iterable[Customer],
    operator: User,
    amount: str,
    budget_type: BudgetType = BudgetType.ONE_TIME,
    account_freezing: AccountFreezing | None = AccountFreezing.AUTOMATIC,
    *,
    unfreeze: bool = True,
    unfreeze_on_restore: bool | None = None,
    **more: Any,
) -> BatchResult:
    """Set a budget without a review, with Unfreeze Now ticked unless `unfreeze` is False.

    The agreement is accepted where the policy needs it.
    """
    agreement = CURRENT_VERSION if account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES else ""
    return set_budgets(
        queryset_of(customers),
        BudgetTerms(budget_type, Decimal(amount), account_freezing, unfreeze_on_restore, agreement),
        operator=operator,
        unfreeze=unfreeze,
        **more,
    )


def reviewed(customers: Iterable[Customer], operator: User, amount: str, *, unfreeze: bool = True) -> Operation:
    """A review of a one-time budget with automatic freezing for these customers, waiting for its OK."""
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(amount), AccountFreezing.AUTOMATIC)
    return review_budgets(queryset_of(customers), terms, operator=operator, unfreeze=unfreeze)


def confirmed(operation: Operation, *, only_unchanged: bool = False) -> BatchResult:
    """Confirm a batch of budgets or an undo with OK, where no verification code is required."""
    return confirm_operation(operation, "", lambda: apply_budgets(operation, only_unchanged=only_unchanged))


def freeze_confirmed(operation: Operation, *, only_unchanged: bool = False) -> BatchResult:
    """Confirm a review of freezing or unfreezing with OK, where no verification code is required."""
    request = freeze_request_from(operation.terms, freezes=operation.kind == Operation.Kind.FREEZE)
    return confirm_operation(operation, "", lambda: apply_freeze(operation, request, only_unchanged=only_unchanged))


def freeze(
    customer: Customer, operator: User, kind: FreezeKind = FreezeKind.ACCOUNT, *, reason: str = "Unpaid invoice"
) -> None:
    """Freeze an account as a person does by hand, without review and permission."""
    author = Author(operator, Channel.CONSOLE, timezone.now())
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in_array=lock_keys(queryset_of(customer)))
        freeze_accounts(locked, kind, FreezeOrigin.PARTNER, author=author, reason=reason)


def unfreeze(customer: Customer, operator: User, *, reason: str = "Paid") -> None:
    """Unfreeze an account as a person does by hand, without review and permission."""
    author = Author(operator, Channel.CONSOLE, timezone.now())
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in_array=lock_keys(queryset_of(customer)))
        unfreeze_accounts(locked, author=author, reason=reason)


def queryset_of(customers: Customer | Iterable[Customer]) -> CustomerQuerySet:
    """These customers as actions take them."""
    each = [customers] if isinstance(customers, Customer) else customers
    return Customer.objects.filter(pk__in_array=[customer.pk for customer in each])


def read(*lines: tuple[str, ...]) -> ReadReport:
    """Lines of customer ID, month and total, as the console reads them from a file of a report."""
    text = "customer_id,month,list_price_total\n" + "".join(f"{','.join(line)}\n" for line in lines)
    return read_report([("plain.csv", BytesIO(text.encode()))])


def report(*lines: tuple[Customer | str, str, str], at: datetime | None = None, **more: Any) -> ReportResult:
    """Import a report; each line is a customer or a customer ID, a month such as "2026-09", and a total.

    However implausible the totals are, they are confirmed.
    """
    named = [(each.customer_id if isinstance(each, Customer) else each, *rest) for each, *rest in lines]
    content, operator = read(*named), more.pop("operator", None)
    return import_report(content, operator=operator, reported_at=at, confirm=content.content_hash, **more)


def fresh(customer: Customer) -> Customer:
    """The customer as it is now stored, with its budget."""
    return Customer.objects.select_related("budget").get(pk=customer.pk)


def stored(customer: Customer) -> Budget:
    """The budget of the customer as it is now stored."""
    return Budget.objects.get(customer=customer)


def terms(customer: Customer) -> tuple[str, Decimal, str]:
    """Type, amount and policy of the customer's budget."""
    budget = stored(customer)
    return budget.budget_type, budget.amount, budget.account_freezing


def moment(text: str) -> datetime:
    """The time in UTC of a text such as "2026-09-15 10:00"."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
