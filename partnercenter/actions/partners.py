"""Actions on partners: giving grants, and setting the status of resellers. Each writes a record."""

from decimal import Decimal

from django.utils.translation import gettext as _

from partnercenter.actions.authorship import operator_name
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import LONGEST_REASON, Grant, GrantRecord, Partner, PartnerStatusRecord, User


@write_transaction()
def give_grant(
    partner: Partner, *, monthly_quota: Decimal | None, one_time_quota: Decimal | None, operator: User | None
) -> Grant:
    """Set a reseller's quotas; without any, the grant is revoked (rules 5.1 and 5.7 (docs/rules.md)).

    Waits for actions in progress on the reseller's customers, which lock the grant. Changes no budget and no freeze.
    Writes a record unless the quotas are the same. Raises PermissionRefused unless the operator belongs to the
    reseller's distributor or to the platform.
    """
    _ensure_own_reseller(partner, operator)
    lock_keys(Grant.objects.filter(partner=partner))
    grant = Grant.objects.get(partner=partner)
    before = (grant.monthly_quota, grant.one_time_quota)
    if before != (monthly_quota, one_time_quota):
        grant.monthly_quota, grant.one_time_quota = monthly_quota, one_time_quota
        grant.save(update_fields=["monthly_quota", "one_time_quota"])
        GrantRecord.objects.create(
            partner=partner,
            operator=operator,
            operator_name=operator_name(operator),
            monthly_quota_before=before[0],
            monthly_quota_after=monthly_quota,
            one_time_quota_before=before[1],
            one_time_quota_after=one_time_quota,
        )
    return grant


@write_transaction()
def set_partner_status(partner: Partner, *, status: Partner.Status, reason: str, operator: User | None) -> bool:
    """Restrict or freeze a reseller, or lift that, with a record (rules 4.7 and 5.7 (docs/rules.md)).

    Returns whether this changed anything. Waits for actions in progress on the reseller's customers, which lock the
    grant. Writes no customer rows: what a customer may do is always computed with its reseller's status. Raises
    PermissionRefused unless the operator belongs to the reseller's distributor or to the platform, and InvalidRequest
    if the partner is not a reseller or the reason does not have 1 to 256 characters.
    """
    _ensure_own_reseller(partner, operator)
    if not partner.is_reseller:
        raise InvalidRequest(_("Only a reseller can be restricted or frozen."))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    lock_keys(Grant.objects.filter(partner=partner))
    stored = Partner.objects.filter(pk=partner.pk)
    status_before = stored.values_list("status", flat=True).get()
    if status_before == status:
        return False
    record = PartnerStatusRecord.objects.create(
        partner=partner,
        operator=operator,
        operator_name=operator_name(operator),
        status_before=status_before,
        status_after=status,
        reason=reason.strip(),
    )
    since, status_reason = (record.at, record.reason) if status else (None, "")
    stored.update(status=status, status_since=since, status_reason=status_reason)
    return True


def _ensure_own_reseller(partner: Partner, operator: User | None) -> None:
    """Raise PermissionRefused unless the operator belongs to the partner's distributor or to the platform."""
    if operator is not None and not operator.is_superuser and operator.partner_id != partner.distributor_id:
        raise PermissionRefused(_("This is not your reseller."))
