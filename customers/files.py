"""Customer files: reading customers to associate or disassociate, and writing freeze records."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO, TypeVar, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Field
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.masking import mask_name
from customers.models import Customer
from partnercenter.lib.csv_files import BadLines, CsvFile, CsvHeader, require_value
from partnercenter.models import Partner

REQUIRED_CUSTOMER_COLUMNS = ("customer_id", "account_name", "name", "partner")
OPTIONAL_CUSTOMER_COLUMNS = ("association_type", "email", "mobile", "account_manager", "tags")
CUSTOMER_COLUMNS = (*REQUIRED_CUSTOMER_COLUMNS, *OPTIONAL_CUSTOMER_COLUMNS)
DISASSOCIATION_COLUMNS = ("customer_id", "partner")
LINES_PER_CHUNK = 2_000

Parsed = TypeVar("Parsed")


RecordCell = Callable[[Any], object]
"""The value of a record in one column of a file."""


def field_cells(*names: str) -> dict[str, RecordCell]:
    """The cells of columns that are named like the record's fields."""
    return {name: attrgetter(name) for name in names}


@dataclass(frozen=True)
class RecordFile:
    """A CSV file of records: its name, and its columns in order, each with the cell of a record.

    Every file begins with the time, the operator, the customer and the operation; `cells` are the columns after these.
    Names are masked (rule 7.1 (docs/rules.md)).
    """

    name: str
    cells: Mapping[str, RecordCell]

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [*FIRST_CELLS, *self.cells]

    def as_row(self, record: Any, zone: tzinfo) -> list[object]:
        """The line of a record, with times in this zone."""
        values = (cell(record) for cell in (*FIRST_CELLS.values(), *self.cells.values()))
        return [
            timezone.localtime(value, zone).isoformat(" ", "seconds") if isinstance(value, datetime) else value
            for value in values
        ]


FIRST_CELLS: dict[str, RecordCell] = {
    "time": attrgetter("at"),
    "operator": attrgetter("operator_name"),
    "customer_id": attrgetter("customer.customer_id"),
    "account_name": attrgetter("customer.account_name"),
    "customer_name": lambda record: mask_name(record.customer.name),
    "operation": attrgetter("operation"),
}
FREEZE_FILE = RecordFile(
    "freeze-records",
    field_cells(
        "kind_before",
        "kind_after",
        "origin_before",
        "origin_after",
        "reason",
        "retention_until",
        "budget_type",
        "amount",
        "used",
        "account_freezing",
        "counted_from",
        "reported_at",
        "covers_until",
        "imported_at",
        "channel",
    ),
)


@dataclass(frozen=True)
class NewCustomer:
    """A customer to associate."""

    customer_id: str
    account_name: str
    name: str
    partner: Partner
    association_type: str = Customer.AssociationType.RESELLER
    email: str = ""
    mobile: str = ""
    account_manager: str = ""
    tags: tuple[str, ...] = ()


def read_customers(name: str, content: BinaryIO) -> Iterator[NewCustomer]:
    """Stream the customers to associate from a file.

    At its end raises BadFile if any line was bad (rule 8.4 (docs/rules.md)). A line is bad if a value is missing or not
    valid, if its ID is associated already or occurred before, or if its partner cannot have customers of its own.
    """
    reader = _CustomerReader(CsvFile(name, content, None), REQUIRED_CUSTOMER_COLUMNS, OPTIONAL_CUSTOMER_COLUMNS)
    for chunk in reader.chunks(reader.parse_customer):
        yield from reader.not_associated(chunk)


def read_disassociations(name: str, content: BinaryIO) -> list[int]:
    """Read a file of customers to disassociate, and return their primary keys.

    Each line names a customer ID and its partner. Raises BadFile if any line is bad: a value is missing, an ID occurred
    before, or the partner has no such customer.
    """
    reader = _CustomerReader(CsvFile(name, content, None), DISASSOCIATION_COLUMNS)
    return [pk for chunk in reader.chunks(reader.parse_reference) for pk in reader.pks(chunk)]


class _CustomerReader:
    """Reads a file of customers in chunks, and collects its bad lines."""

    def __init__(self, file: CsvFile, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        self.file = file
        self.required, self.optional = required, optional
        self.bad_lines = BadLines()
        self.seen_ids: set[str] = set()
        partners = Partner.objects.exclude(kind=Partner.Kind.DISTRIBUTOR)
        self.partners = {partner.account_name: partner for partner in partners}

    def chunks(self, parse: Callable[[dict[str, str]], Parsed]) -> Iterator[list[tuple[int, Parsed]]]:
        """Stream the good lines in chunks, each as (line number, parsed value).

        At its end raises BadFile if any line was bad.
        """
        lines = self._lines(parse)
        while chunk := list(islice(lines, LINES_PER_CHUNK)):
            yield chunk
        self.bad_lines.raise_if_any()

    def _lines(self, parse: Callable[[dict[str, str]], Parsed]) -> Iterator[tuple[int, Parsed]]:
        try:
            pick = CsvHeader(self.file).picker(self.required, self.optional)
        except ValueError as error:
            self.bad_lines.add(self.file, error)
            return
        columns = (*self.required, *self.optional)
        while True:
            try:
                row = self.file.next_record()
                if not row:
                    return
                yield self.file.record_line, parse(dict(zip(columns, pick(row), strict=True)))
            except ValueError as error:
                self.bad_lines.add(self.file, error)

    def parse_reference(self, cells: dict[str, str]) -> tuple[str, Partner]:
        """Parse the customer ID and the partner of a line. Raises ValueError if the line is bad."""
        for column in self.required:
            require_value(column, cells[column])
        customer_id, partner = cells["customer_id"], self.partners.get(cells["partner"])
        if partner is None:
            raise ValueError(_("%(partner)r is not a reseller or solution provider") % {"partner": cells["partner"]})
        if customer_id in self.seen_ids:
            raise ValueError(_("%(id)s occurs twice in the file") % {"id": customer_id})
        self.seen_ids.add(customer_id)
        return customer_id, partner

    def parse_customer(self, cells: dict[str, str]) -> NewCustomer:
        """Parse the customer that a line describes. Raises ValueError if the line is bad."""
        customer_id, partner = self.parse_reference(cells)
        association_type = cells["association_type"].upper() or Customer.AssociationType.RESELLER
        if association_type not in Customer.AssociationType.values:
            names = {"text": cells["association_type"]}
            raise ValueError(_("%(text)r is not an association type: write RESELLER or REFERRAL") % names)
        customer = NewCustomer(
            customer_id=customer_id,
            account_name=cells["account_name"],
            name=cells["name"],
            partner=partner,
            association_type=association_type,
            email=cells["email"],
            mobile=cells["mobile"],
            account_manager=cells["account_manager"],
            tags=split_tags(cells["tags"]),
        )
        validate_new_customer(customer)
        return customer

    def not_associated(self, chunk: list[tuple[int, NewCustomer]]) -> Iterator[NewCustomer]:
        """Yield the customers of a chunk whose ID is not associated yet; the others become bad lines."""
        associated = self._associated([customer.customer_id for _line, customer in chunk])
        for line, customer in chunk:
            if customer.customer_id in associated:
                self._add_bad_line(line, already_associated_message(customer.customer_id))
            else:
                yield customer

    def pks(self, chunk: list[tuple[int, tuple[str, Partner]]]) -> Iterator[int]:
        """Yield the primary keys of a chunk's customers; customers that the partner does not have become bad lines."""
        associated = self._associated([customer_id for _line, (customer_id, _partner) in chunk])
        for line, (customer_id, partner) in chunk:
            customer = associated.get(customer_id)
            if customer and customer.partner_id == partner.pk:
                yield customer.pk
            else:
                names = {"id": customer_id, "partner": partner}
                self._add_bad_line(line, _("%(id)s is not a customer of %(partner)s") % names)

    @staticmethod
    def _associated(customer_ids: list[str]) -> dict[str, Customer]:
        current = Customer.objects.current().filter(customer_id__in_array=customer_ids).only("customer_id", "partner")
        return {customer.customer_id: customer for customer in current}

    def _add_bad_line(self, line: int, reason: str) -> None:
        self.bad_lines.add(self.file, ValueError(reason), line)


def already_associated_message(customer_id: str) -> str:
    """The error message when a customer ID is already associated."""
    return _("%(id)s is associated already") % {"id": customer_id}


def split_tags(text: str) -> tuple[str, ...]:
    """Split text into tags, which are separated by semicolons."""
    return tuple(tag.strip() for tag in text.split(";") if tag.strip())


def validate_new_customer(customer: NewCustomer) -> None:
    """Raise ValueError if a value does not fit its column, or the e-mail address is not valid."""
    for column in ("customer_id", "account_name", "name", "email", "mobile", "account_manager"):
        text, max_length = getattr(customer, column), _max_length(column)
        # Control characters, surrogates and line ends. Spaces and joiners of every script are allowed.
        if len(text) > max_length or any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
            names = {"column": column, "max": max_length}
            raise ValueError(_("%(column)s is longer than %(max)s characters or contains control characters") % names)
    if not customer.customer_id.isprintable():
        raise ValueError(_("the customer ID contains characters that cannot be printed"))
    if sum(len(tag) + 1 for tag in customer.tags) >= _max_length("tags"):
        raise ValueError(_("too many tags"))
    if customer.email:
        try:
            validate_email(customer.email)
        except ValidationError:
            raise ValueError(_("%(text)r is not an e-mail address") % {"text": customer.email}) from None


def _max_length(column: str) -> int:
    return cast(Field, Customer._meta.get_field(column)).max_length or 0
