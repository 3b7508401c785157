"""Saving and deleting an operator's own views of the customer list."""

from django.utils.translation import gettext as _

from customers.models import SavedView
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import User

MOST_VIEWS = 50
LONGEST_QUERY = 2000


@write_transaction()
def save_view(*, operator: User, name: str, query: str, replace: bool = False) -> SavedView:
    """Save a query string of the list under a name.

    Raises Conflict if another view of this name exists and `replace` is not set, InvalidRequest if the operator has 50
    views already or the query string is too long.
    """
    if len(query) > LONGEST_QUERY:
        raise InvalidRequest(_("These filters are too long to be saved."))
    lock_keys(User.objects.filter(pk=operator.pk))
    own = SavedView.objects.filter(operator=operator)
    same = own.filter(name=name).first()
    if same and same.query != query and not replace:
        raise Conflict(_("You have a view of this name already."))
    if not same and own.count() >= MOST_VIEWS:
        raise InvalidRequest(_("You have %(most)s views already: delete one first.") % {"most": MOST_VIEWS})
    return SavedView.objects.update_or_create(operator=operator, name=name, defaults={"query": query})[0]


def delete_view(view: SavedView, *, operator: User) -> None:
    """Delete a view if it is the operator's own."""
    SavedView.objects.filter(pk=view.pk, operator=operator).delete()
