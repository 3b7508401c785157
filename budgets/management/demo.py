"""Invented demo customers and expenditure, the same every time for the same number of customers.

No real company or person is meant. A customer's number decides how far its budget is used, so the mix is the same on
every day of a month: 8 % have no budget, 8 % have used it up under Automatic and 4 % under Manual, 12 % have used
between 75 and 100 percent, and the rest less.
"""

import csv
import gzip
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Self, TextIO

from django.conf import settings

from budgets.actions.terms import BudgetTerms
from budgets.months import first_moment, next_month, previous_month
from customers.files import NewCustomer
from customers.models import AccountFreezing
from partnercenter.models import BudgetType, Partner

BRAND_STARTS = ("Alder", "Brindle", "Cor", "Dun", "Fenn", "Garrow", "Hollin", "Jor", "Kest", "Moss", "Orrin", "Quill")
BRAND_ENDS = ("wick", "moor", "vane", "marrow", "holt", "tide", "mere", "beck", "field")
TRADES = ("Analytics", "Ceramics", "Clinics", "Energy", "Foods", "Freight", "Games", "Media", "Optics", "Robotics")
LEGAL_FORMS = ("Ltd", "Inc.", "GmbH", "B.V.", "S.A.")
FIRST_NAMES = ("Alba", "Bruno", "Celia", "Doran", "Edda", "Fenno", "Greta", "Hanno", "Isla", "Joris", "Kaja", "Levin")
CHINESE_BRANDS, CHINESE_NAMES, SURNAMES = "澜禾屿岚泽栎朔汀砚葭霁溯", "安禾澜宁朗舒然晏清远", "陈林周许沈陆韩叶"
CHINESE_TRADES = ("网络科技", "智能制造", "文化传媒", "供应链", "医疗科技", "教育科技", "食品")
TAGS = ("key account", "trial", "education")

AUTOMATIC, MANUAL = AccountFreezing.AUTOMATIC, AccountFreezing.MANUAL
DEMO_TERMS = (
    BudgetTerms(BudgetType.MONTHLY, Decimal("800.00"), AUTOMATIC),
    BudgetTerms(BudgetType.ONE_TIME, Decimal("2400.00"), AUTOMATIC),
    BudgetTerms(BudgetType.MONTHLY, Decimal("1500.00"), MANUAL),
    BudgetTerms(BudgetType.MONTHLY, Decimal("5000.00"), AUTOMATIC),
    BudgetTerms(BudgetType.ONE_TIME, Decimal("9000.00"), MANUAL),
    BudgetTerms(BudgetType.ONE_TIME, Decimal("15000.00"), AUTOMATIC),
)
# Of 25 customers in turn: the lowest and highest usage in percent, and the policy if it matters; None: no budget.
USAGES: tuple[tuple[int, int, AccountFreezing | None] | None, ...] = (
    *[None] * 2,
    *[(101, 160, AUTOMATIC)] * 2,
    *[(100, 140, MANUAL)] * 1,
    *[(75, 100, None)] * 3,
    *[(2, 70, None)] * 17,
)
PARTNERS = ("acme-reseller",) * 8 + ("borealis-reseller",) * 3 + ("sol-solutions",)

SERVICES = ("Elastic Compute", "Object Storage", "Managed Database", "Content Delivery")
PERIOD = ("BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
CHARGE = ("ListCost", "ServiceName", "SubAccountId", "SubAccountName")
UNKNOWN = ("990000000017", "990000000025", "/subscriptions/00000000-0000-4000-8000-000000000099")
WHOLE, DECIMALS = 10**10, -10


class Dice(Random):
    """Pseudorandom numbers that are always the same for a seed; not to be used for secrets."""


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """An invented customer. `spent` is the expenditure of the current month in units of 10^-10."""

    number: int
    customer_id: str
    account_name: str
    name: str
    email: str
    mobile: str
    tags: tuple[str, ...]
    partner: str
    terms: BudgetTerms | None
    spent: int

    @classmethod
    def make(cls, n: int) -> Self:
        """Make the n-th customer."""
        dice = Dice(f"customer {n}")
        slug, name = _names(dice, n)
        terms, spent = None, 0
        if usage := USAGES[n % len(USAGES)]:
            lowest, highest, policy = usage
            terms = dice.choice([terms for terms in DEMO_TERMS if policy in (None, terms.account_freezing)])
            spent = int(terms.amount) * dice.randrange(lowest * WHOLE // 100, highest * WHOLE // 100)
        return cls(
            number=n,
            customer_id=_customer_id(dice, n),
            account_name=f"{slug}_{n:04}",
            name=name,
            email=f"billing@{slug.replace('_', '-')}.example",
            mobile=f"+1-202-555-01{n % 100:02}",
            tags=tuple(dice.sample(TAGS, 1)) if n % 5 == 0 else (),
            partner=PARTNERS[n % len(PARTNERS)],
            terms=terms,
            spent=spent,
        )

    def new_customer(self, partner: Partner) -> NewCustomer:
        """Return the customer in the form that is needed to associate it with the partner."""
        return NewCustomer(
            customer_id=self.customer_id,
            account_name=self.account_name,
            name=self.name,
            partner=partner,
            email=self.email,
            mobile=self.mobile,
            tags=self.tags,
        )


def make_customers(number: int) -> list[DemoCustomer]:
    """Make this number of customers, the same ones every time."""
    return [DemoCustomer.make(n) for n in range(number)]


def _names(dice: Dice, n: int) -> tuple[str, str]:
    """The start of an account name, and the name of a company or person; every third name is Chinese."""
    brand, trade = dice.choice(BRAND_STARTS) + dice.choice(BRAND_ENDS), dice.choice(TRADES)
    is_person = dice.random() < 0.2
    if n % 3 == 0:
        company = "".join(dice.sample(CHINESE_BRANDS, 3)) + dice.choice(CHINESE_TRADES) + "有限公司"
        person = dice.choice(SURNAMES) + "".join(dice.sample(CHINESE_NAMES, 2))
    else:
        company = f"{brand} {trade} {dice.choice(LEGAL_FORMS)}"
        person = f"{dice.choice(FIRST_NAMES)} {brand}"
    return f"{brand}_{trade}".lower(), person if is_person else company


def _customer_id(dice: Dice, n: int) -> str:
    """An ID such as clouds use: mostly long numbers, some Azure subscriptions and Oracle tenancies."""
    if n % 20 == 7:
        return f"/subscriptions/{uuid.UUID(int=dice.getrandbits(128), version=4)}"
    if n % 20 == 13:
        return "ocid1.tenancy.oc1..aaaaaaaa" + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz234567", k=52))
    # The factor and 10 are coprime, so no number repeats.
    return f"{(n + 1) * 618_033_988_751 % 10**12:012}"


def write_focus(path: Path, customers: Iterable[DemoCustomer], month: int, now: datetime) -> None:
    """Write twelve months of expenditure up to `month` as a gzipped FOCUS file, line by line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="") as file:
        charges = _ChargeWriter(file, month, now)
        for customer in customers:
            charges.write_customer(customer)
        charges.write_unassociated()


class _ChargeWriter:
    """Writes the lines of the file. The earlier months cost about as much as the current one."""

    def __init__(self, file: TextIO, month: int, now: datetime) -> None:
        self.writer = csv.writer(file)
        self.writer.writerow([*PERIOD, *CHARGE])
        self.months: dict[int, tuple[str, ...]] = {}
        while len(self.months) < 12:
            self.months[month] = _period_cells(month, now)
            month = previous_month(month)

    def write_customer(self, customer: DemoCustomer) -> None:
        """Write a few lines per month that add up to what the customer spent."""
        dice, spent = Dice(f"charges {customer.number}"), customer.spent
        for month in self.months if spent else ():
            cuts = sorted(dice.randrange(spent) for _ in range(dice.randint(1, 3)))
            for service, start, end in zip(SERVICES, [0, *cuts], [*cuts, spent], strict=False):
                self._write(month, end - start, service, customer.customer_id, customer.account_name)
            spent = customer.spent * dice.randint(50, 120) // 100

    def write_unassociated(self) -> None:
        """Write lines without a sub-account, and lines of sub-accounts that no customer is associated with."""
        for month in self.months:
            dice = Dice(f"unknown {month}")
            self._write(month, dice.randrange(90 * WHOLE, 120 * WHOLE), "Support", "", "")
            self._write(month, dice.randrange(10 * WHOLE, 20 * WHOLE), "Tax", "", "")
            for customer_id in UNKNOWN:
                self._write(month, dice.randrange(WHOLE, 400 * WHOLE), SERVICES[0], customer_id, "not associated")

    def _write(self, month: int, units: int, *charge: str) -> None:
        self.writer.writerow([*self.months[month], Decimal(units).scaleb(DECIMALS), *charge])


def _period_cells(month: int, now: datetime) -> tuple[str, ...]:
    """The cells that all lines of a month share. In the current month, usage is known up to the last full hour."""
    starts, ends = first_moment(month), first_moment(next_month(month))
    last_hour = now.replace(minute=0, second=0, microsecond=0)
    # In a time zone with an offset of half an hour, the month begins in the middle of an hour of `now`.
    used_until = min(max(starts, last_hour), ends)
    return (settings.CURRENCY, *(each.isoformat() for each in (starts, ends, starts, used_until)))
