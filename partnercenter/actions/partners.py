"""All that writes grants, the status of resellers and the verification switch, each with its record."""

from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import LONGEST_REASON, Grant, GrantRecord, Partner, PartnerStatusRecord, User


@write_transaction()
def give_grant(
    partner: Partner, *, monthly_quota: Decimal | None, one_time_quota: Decimal | None, operator: User | None
) -> Grant:
    """Set a reseller's quotas and leave a grant record; both None revokes; see rules 5.1, 5.7 (docs/rules.md).

    Waits for the actions under way on the reseller's customers, as they hold the grant. Budgets and freezes stay as
    they are. What stands already is not recorded again. Raises PermissionRefused where the operator is neither the
    reseller's distributor nor the platform.
    """
    _refuse_strangers(partner, operator)
    lock_keys(Grant.objects.filter(partner=partner))
    grant = Grant.objects.get(partner=partner)
    before = (grant.monthly_quota, grant.one_time_quota)
    if before != (monthly_quota, one_time_quota):
        grant.monthly_quota, grant.one_time_quota = monthly_quota, one_time_quota
        grant.save(update_fields=["monthly_quota", "one_time_quota"])
        _record(grant, before, operator)
    return grant


def _refuse_strangers(partner: Partner, operator: User | None) -> None:
    if operator is not None and not operator.is_superuser and operator.partner_id != partner.distributor_id:
        raise PermissionRefused(_("This is not your reseller."))


def _record(grant: Grant, before: tuple[Decimal | None, Decimal | None], operator: User | None) -> None:
    GrantRecord.objects.create(
        partner=grant.partner,
        at=timezone.now(),
        operator=operator,
        operator_name=operator.username if operator else "system",
        monthly_quota_before=before[0],
        monthly_quota_after=grant.monthly_quota,
        one_time_quota_before=before[1],
        one_time_quota_after=grant.one_time_quota,
    )


@write_transaction()
def set_partner_status(partner: Partner, *, status: Partner.Status, reason: str, operator: User | None) -> bool:
    """Restrict or freeze a reseller, or let it be, and leave a record; whether this changed anything.

    See rule 4.7 (docs/rules.md).

    Waits for the actions under way on the reseller's customers, as they hold the grant. No row of a customer is
    written: wherever a standing is asked, that of its reseller is part of it. Raises PermissionRefused where the
    operator is neither the reseller's distributor nor the platform, InvalidRequest for no reseller and for no reason of
    1-256 characters.
    """
    _refuse_strangers(partner, operator)
    if not partner.is_reseller:
        raise InvalidRequest(_("Only a reseller can be restricted or frozen."))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    lock_keys(Grant.objects.filter(partner=partner))
    stands = Partner.objects.filter(pk=partner.pk)
    before = stands.values_list("status", flat=True).get()
    if before == status:
        return False
    record = _record_status(partner, before, status, reason.strip(), operator)
    since, why = (record.at, record.reason) if status else (None, "")
    stands.update(status=status, status_since=since, status_reason=why)
    return True


def _record_status(
    partner: Partner, before: str, after: str, reason: str, operator: User | None
) -> PartnerStatusRecord:
    return PartnerStatusRecord.objects.create(
        partner=partner,
        at=timezone.now(),
        operator=operator,
        operator_name=operator.username if operator else "system",
        status_before=before,
        status_after=after,
        reason=reason,
    )
