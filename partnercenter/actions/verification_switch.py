"""Turning a partner's verification code on and off."""

from django.utils.translation import gettext as _

from partnercenter.actions.authorship import operator_name
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Partner, User, VerificationSwitchRecord
from partnercenter.operation_kinds import OperationKind, Summary
from partnercenter.permissions import may_switch_verification


@write_transaction()
def switch_verification(partner: Partner, *, on: bool, operator: User | None) -> bool:
    """Turn a partner's verification code on or off, with a record (rules 6.1 and 6.6 (docs/rules.md)).

    Returns whether this changed anything. Raises PermissionRefused unless the operator belongs to the platform or is an
    administrator of the partner, and InvalidRequest if an operator who turns it on could not receive codes.
    """
    if operator is not None and not operator.is_superuser:
        if operator.partner_id != partner.pk:
            raise PermissionRefused(_not_allowed())
        ensure_may_switch(operator)
        if on and not operator.email:
            raise InvalidRequest(_("Your account has no e-mail address for codes. Ask the platform to enter one."))
    changed = Partner.objects.filter(pk=partner.pk, verification_required=not on).update(verification_required=on)
    if changed:
        VerificationSwitchRecord.objects.create(
            partner=partner,
            operator=operator,
            operator_name=operator_name(operator),
            turned_on=on,
        )
    return bool(changed)


def ensure_may_switch(operator: User) -> None:
    """Raise PermissionRefused unless the user is an administrator of a partner."""
    if not may_switch_verification(operator):
        raise PermissionRefused(_not_allowed())


def _not_allowed() -> str:
    return _("Ask an administrator of your company to switch the verification code.")


class TurnOffVerification(OperationKind):
    """Turning off the verification code, which itself needs a code (rule 6.1 (docs/rules.md))."""

    done_page = "partner_information"

    def summary(self) -> Summary:
        company = self.operation.partner.company
        return [(_("Company"), company), (_("Verification code"), _("Turn off for all operators"))]

    def ensure_unchanged(self) -> None:
        ensure_may_switch(self.operation.operator)

    def apply(self, *, only_unchanged: bool = False) -> str:
        switch_verification(self.operation.partner, on=False, operator=self.operation.operator)
        return _("The verification code is turned off.")
