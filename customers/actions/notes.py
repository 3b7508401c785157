"""Adding notes about customers."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerNote
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import User

LONGEST_NOTE = 2000
# The same text from the same operator within this time counts as one note: the form was sent twice.
RESEND_WINDOW = timedelta(minutes=1)


@write_transaction()
def add_note(customer: Customer, note: str, *, operator: User) -> CustomerNote:
    """Add a note, or return the existing one if it was just sent twice.

    Raises InvalidRequest unless the note has 1 to 2,000 characters.
    """
    note, now = note.strip(), timezone.now()
    if not 0 < len(note) <= LONGEST_NOTE:
        raise InvalidRequest(_("Enter a note of 1 to 2,000 characters."), "text")
    lock_keys(Customer.objects.filter(pk=customer.pk))
    newest = CustomerNote.objects.filter(customer=customer).order_by("-pk").first()
    if newest and (newest.operator_id, newest.text) == (operator.pk, note) and now - newest.at < RESEND_WINDOW:
        return newest
    return CustomerNote.objects.create(
        customer=customer, at=now, operator=operator, operator_name=operator.username, text=note
    )
