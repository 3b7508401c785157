"""Reading files of customers to associate."""

import unicodedata
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from customers.actions import NewCustomer
from customers.models import Customer
from partnercenter.csv_files import BadLines, CsvFile
from partnercenter.models import Partner

NEEDED = ("customer_id", "account_name", "name", "partner")
COLUMNS = (*NEEDED, "association_type", "email", "mobile", "account_manager", "tags")
AT_ONCE = 2_000


def read_customers(name: str, content: BinaryIO) -> Iterator[NewCustomer]:
    """The customers of a file, as a stream. Raises BadFile at its end where any line was bad (domain 8.4).

    Bad are: a missing value, an ID that is associated already or stands twice, an unknown partner or one that has no
    customers of its own, an unknown association type, an e-mail address that is none, a text too long.
    """
    return iter(_Reading(CsvFile(name, content, None)))


class _Reading:
    """A file of customers as far as it has been read."""

    def __init__(self, file: CsvFile) -> None:
        self.file = file
        self.bad_lines = BadLines()
        self.seen: set[str] = set()
        selling = Partner.objects.exclude(kind=Partner.Kind.DISTRIBUTOR)
        self.partners = {partner.account_name: partner for partner in selling}

    def __iter__(self) -> Iterator[NewCustomer]:
        chunk: list[tuple[int, NewCustomer]] = []
        for newcomer in self._read():
            chunk.append((self.file.record_line, newcomer))
            if len(chunk) == AT_ONCE:
                yield from self._not_associated(chunk)
                chunk = []
        yield from self._not_associated(chunk)
        self.bad_lines.refuse()

    def _read(self) -> Iterator[NewCustomer]:
        try:
            header = _header(self.file.next_record())
        except ValueError as error:
            self.bad_lines.add(self.file, error)
            return
        while True:
            try:
                row = self.file.next_record()
                if not row:
                    return
                yield self._newcomer(dict(zip(header, (cell.strip() for cell in row), strict=True)))
            except ValueError as error:
                self.bad_lines.add(self.file, error)

    def _newcomer(self, cells: dict[str, str]) -> NewCustomer:
        for column in NEEDED:
            if not cells[column]:
                raise ValueError(_("%(column)s is absent") % {"column": column})
        partner = self.partners.get(cells["partner"])
        if partner is None:
            raise ValueError(_("%(partner)r is no reseller or solution provider") % {"partner": cells["partner"]})
        if cells["customer_id"] in self.seen:
            raise ValueError(_("%(id)s stands twice in the file") % {"id": cells["customer_id"]})
        self.seen.add(cells["customer_id"])
        optional = {name: cells[name] for name in ("email", "mobile", "account_manager") if cells.get(name)}
        newcomer = NewCustomer(
            customer_id=cells["customer_id"],
            account_name=cells["account_name"],
            name=cells["name"],
            partner=partner,
            association_type=_association_type(cells.get("association_type", "")),
            tags=tuple(tag.strip() for tag in cells.get("tags", "").split(";") if tag.strip()),
            **optional,
        )
        _refuse_malformed(newcomer)
        return newcomer

    def _not_associated(self, chunk: list[tuple[int, NewCustomer]]) -> Iterator[NewCustomer]:
        ids = [newcomer.customer_id for _line, newcomer in chunk]
        current = Customer.objects.filter(disassociated_on=None, customer_id__among=ids)
        associated = set(current.values_list("customer_id", flat=True))
        for line, newcomer in chunk:
            if newcomer.customer_id in associated:
                reason = _("%(id)s is associated already") % {"id": newcomer.customer_id}
                self.bad_lines.add(self.file, ValueError(reason), line)
            else:
                yield newcomer


def _header(cells: list[str]) -> list[str]:
    names = [name.strip() for name in cells]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ValueError(_("the header lacks columns (%(columns)s)") % {"columns": ", ".join(missing)})
    for name in COLUMNS:
        if names.count(name) > 1:
            raise ValueError(_("the header has the column %(name)s twice") % {"name": name})
    return names


def _association_type(text: str) -> str:
    kind = text.upper() or Customer.AssociationType.RESELLER
    if kind not in Customer.AssociationType.values:
        raise ValueError(_("%(text)r is no association type: RESELLER or REFERRAL") % {"text": text})
    return kind


def _refuse_malformed(newcomer: NewCustomer) -> None:
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
