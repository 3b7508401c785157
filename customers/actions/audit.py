"""Records of what people saw, agreed to, and took away as a file."""

from collections.abc import Iterable

from customers.models import AgreementRecord, Customer, ExportRecord, RevealRecord
from partnercenter.models import Operation, Partner, User


def reveal_names(customers: Iterable[Customer], *, operator: User, page: str) -> None:
    """Record that these customers' complete names are shown to the operator; see rule 7.3 (docs/rules.md)."""
    shown = [customer.customer_id for customer in customers]
    if shown:
        RevealRecord.objects.create(operator=operator, page=page[:200], customers=shown)


def record_agreement(operation: Operation) -> None:
    """Record what was accepted for an operation as it is carried out: which wording, by whom.

    See rule 4.4 (docs/rules.md).
    """
    if version := operation.terms.get("agreement"):
        AgreementRecord.objects.create(
            partner=operation.partner,
            operator=operation.operator,
            operator_name=operation.operator.username,
            version=version,
            operation=operation.pk,
        )


def record_export(what: ExportRecord.What, *, query: str, rows: int, operator: User, partner: Partner) -> None:
    """Record that a file with so many rows is about to be sent to the operator, for this partner."""
    ExportRecord.objects.create(
        partner=partner,
        operator=operator,
        operator_name=operator.username,
        what=what,
        query=query,
        rows=rows,
    )
