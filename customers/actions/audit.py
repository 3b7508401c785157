"""Writing records of revealed names, accepted agreements and exported files."""

from collections.abc import Iterable

from customers.models import AgreementRecord, Customer, ExportRecord, RevealRecord
from partnercenter.models import Operation, Partner, User


def reveal_names(customers: Iterable[Customer], *, operator: User, page: str) -> None:
    """Record that a page shows the complete names of these customers. See rule 7.3 (docs/rules.md)."""
    customer_ids = [customer.customer_id for customer in customers]
    if customer_ids:
        RevealRecord.objects.create(operator=operator, page=page[:200], customers=customer_ids)


def record_agreement(operation: Operation) -> None:
    """Record the version of the agreement that was accepted for an operation, if any. See rule 4.4 (docs/rules.md)."""
    if version := operation.terms.get("agreement"):
        AgreementRecord.objects.create(
            partner=operation.partner,
            operator=operation.operator,
            operator_name=operation.operator.username,
            version=version,
            operation=operation.pk,
        )


def record_export(what: ExportRecord.What, *, query: str, rows: int, operator: User, partner: Partner) -> None:
    """Record that the operator exports a file with this number of rows. Call it before the file is sent."""
    ExportRecord.objects.create(
        partner=partner,
        operator=operator,
        operator_name=operator.username,
        what=what,
        query=query,
        rows=rows,
    )
