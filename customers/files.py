"""Reading files of customers to associate, and of those to disassociate."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.masking import mask_name
from customers.models import Customer, FreezeRecord
from partnercenter.lib.csv_files import BadLines, CsvFile
from partnercenter.models import Partner

NEEDED_COLUMNS = ("customer_id", "account_name", "name", "partner")
CUSTOMER_COLUMNS = (*NEEDED_COLUMNS, "association_type", "email", "mobile", "account_manager", "tags")
LEAVING_COLUMNS = ("customer_id", "partner")
LINES_AT_ONCE = 2_000

Meant = TypeVar("Meant")


@dataclass(frozen=True)
class RecordFile:
    """How records become a file: its name, its columns, and what makes a row of a record in a time zone."""

    name: str
    columns: Sequence[str]
    as_row: Callable[..., list[Any]]


@dataclass(frozen=True)
class NewCustomer:
    """A customer to associate. `tags` are plain words."""

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
    """The customers of a file to associate, as a stream.

    Raises BadFile at its end where any line was bad; see rule 8.4 (docs/rules.md).

    Bad are: a missing value, an ID that is associated already or stands twice, an unknown partner or one that has no
    customers of its own, an unknown association type, an e-mail address that is none, a text too long.
    """
    reading = _Reading(CsvFile(name, content, None), NEEDED_COLUMNS, CUSTOMER_COLUMNS)
    for chunk in reading.chunks(reading.newcomer):
        yield from reading.not_associated(chunk)


def read_leaving(name: str, content: BinaryIO) -> list[int]:
    """The keys of the customers of a file to disassociate, each named by its ID and its partner.

    Raises BadFile where any line is bad: a missing value, an ID that stands twice, a partner that has no such customer.
    """
    reading = _Reading(CsvFile(name, content, None), LEAVING_COLUMNS, LEAVING_COLUMNS)
    return [key for chunk in reading.chunks(reading.named) for key in reading.keys(chunk)]


class _Reading:
    """A file of customers as far as it has been read."""

    def __init__(self, file: CsvFile, needed: Sequence[str], columns: Sequence[str]) -> None:
        self.file = file
        self.needed, self.columns = needed, columns
        self.bad_lines = BadLines()
        self.seen: set[str] = set()
        selling = Partner.objects.exclude(kind=Partner.Kind.DISTRIBUTOR)
        self.partners = {partner.account_name: partner for partner in selling}

    def chunks(self, understand: Callable[[dict[str, str]], Meant]) -> Iterator[list[tuple[int, Meant]]]:
        """What its good lines mean, with their numbers, so many at once; then BadFile where any was bad."""
        meant = self._read(understand)
        while chunk := list(islice(meant, LINES_AT_ONCE)):
            yield chunk
        self.bad_lines.refuse()

    def _read(self, understand: Callable[[dict[str, str]], Meant]) -> Iterator[tuple[int, Meant]]:
        try:
            header = _header(self.file.next_record(), self.needed, self.columns)
        except ValueError as error:
            self.bad_lines.add(self.file, error)
            return
        while True:
            try:
                row = self.file.next_record()
                if not row:
                    return
                cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
                yield self.file.record_line, understand(cells)
            except ValueError as error:
                self.bad_lines.add(self.file, error)

    def named(self, cells: dict[str, str]) -> tuple[str, Partner]:
        """Whom a line is about: ID and partner."""
        for column in self.needed:
            if not cells[column]:
                raise ValueError(_("%(column)s is absent") % {"column": column})
        partner = self.partners.get(cells["partner"])
        if partner is None:
            raise ValueError(_("%(partner)r is no reseller or solution provider") % {"partner": cells["partner"]})
        if cells["customer_id"] in self.seen:
            raise ValueError(_("%(id)s stands twice in the file") % {"id": cells["customer_id"]})
        self.seen.add(cells["customer_id"])
        return cells["customer_id"], partner

    def newcomer(self, cells: dict[str, str]) -> NewCustomer:
        """The customer that a line describes."""
        customer_id, partner = self.named(cells)
        optional = {name: cells[name] for name in ("email", "mobile", "account_manager") if cells.get(name)}
        newcomer = NewCustomer(
            customer_id=customer_id,
            account_name=cells["account_name"],
            name=cells["name"],
            partner=partner,
            association_type=_association_type(cells.get("association_type", "")),
            tags=split_tags(cells.get("tags", "")),
            **optional,
        )
        validate_newcomer(newcomer)
        return newcomer

    def not_associated(self, chunk: list[tuple[int, NewCustomer]]) -> Iterator[NewCustomer]:
        """Those whose ID nobody has yet."""
        associated = _associated([newcomer.customer_id for _line, newcomer in chunk])
        for line, newcomer in chunk:
            if newcomer.customer_id in associated:
                self._refuse(line, already_associated_message(newcomer.customer_id))
            else:
                yield newcomer

    def keys(self, chunk: list[tuple[int, tuple[str, Partner]]]) -> Iterator[int]:
        """The keys of those who are customers of the partner named with them."""
        associated = _associated([customer_id for _line, (customer_id, _partner) in chunk])
        for line, (customer_id, partner) in chunk:
            customer = associated.get(customer_id)
            if customer and customer.partner_id == partner.pk:
                yield customer.pk
            else:
                names = {"id": customer_id, "partner": partner}
                self._refuse(line, _("%(id)s is no customer of %(partner)s") % names)

    def _refuse(self, line: int, reason: str) -> None:
        self.bad_lines.add(self.file, ValueError(reason), line)


def _associated(ids: list[str]) -> dict[str, Customer]:
    current = Customer.objects.current().filter(customer_id__in_array=ids).only("customer_id", "partner")
    return {customer.customer_id: customer for customer in current}


def already_associated_message(customer_id: str) -> str:
    """Why nobody can be associated under this ID again."""
    return _("%(id)s is associated already") % {"id": customer_id}


def split_tags(text: str) -> tuple[str, ...]:
    """The words of a text that separates them by semicolons."""
    return tuple(tag.strip() for tag in text.split(";") if tag.strip())


def _header(cells: list[str], needed: Sequence[str], columns: Sequence[str]) -> list[str]:
    names = [name.strip() for name in cells]
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(_("the header lacks columns (%(columns)s)") % {"columns": ", ".join(missing)})
    for name in columns:
        if names.count(name) > 1:
            raise ValueError(_("the header has the column %(name)s twice") % {"name": name})
    return names


def _association_type(text: str) -> str:
    kind = text.upper() or Customer.AssociationType.RESELLER
    if kind not in Customer.AssociationType.values:
        raise ValueError(_("%(text)r is no association type: RESELLER or REFERRAL") % {"text": text})
    return kind


def validate_newcomer(newcomer: NewCustomer) -> None:
    """ValueError where a value does not fit its column, or an address is none."""
    for column in ("customer_id", "account_name", "name", "email", "mobile", "account_manager"):
        text, longest = getattr(newcomer, column), _longest(column)
        if len(text) > longest or not _is_text(text):
            raise ValueError(
                _("%(column)s is longer than %(longest)s characters or not printable")
                % {"column": column, "longest": longest}
            )
    if not newcomer.customer_id.isprintable():
        raise ValueError(_("the customer ID is not printable"))
    if sum(len(tag) + 1 for tag in newcomer.tags) >= _longest("tags"):
        raise ValueError(_("too many tags"))
    if newcomer.email:
        try:
            validate_email(newcomer.email)
        except ValidationError:
            raise ValueError(_("%(text)r is no e-mail address") % {"text": newcomer.email}) from None


def _is_text(text: str) -> bool:
    """No control characters, line ends or halves of one; every space and joiner of any script is text."""
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _longest(column: str) -> int:
    field: Any = Customer._meta.get_field(column)
    return field.max_length


FREEZE_COLUMNS = (
    "time",
    "operator",
    "customer_id",
    "account_name",
    "customer_name",
    "operation",
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
)


MOMENTS = {"retention_until", "reported_at", "covers_until", "imported_at"}


def freeze_record_as_row(record: FreezeRecord, zone: tzinfo) -> list[Any]:
    """A freeze record as a row of `FREEZE_COLUMNS`, its customer's name masked; see rule 7.1 (docs/rules.md)."""
    customer = record.customer
    return [
        timezone.localtime(record.at, zone).isoformat(" ", "seconds"),
        record.operator_name,
        customer.customer_id,
        customer.account_name,
        mask_name(customer.name),
        *(_cell(record, name, zone) for name in FREEZE_COLUMNS[5:]),
    ]


def _cell(record: FreezeRecord, name: str, zone: tzinfo) -> Any:
    value = getattr(record, name)
    return timezone.localtime(value, zone).isoformat(" ", "seconds") if value and name in MOMENTS else value


FREEZE_FILE = RecordFile("freeze-records", FREEZE_COLUMNS, freeze_record_as_row)
