"""Operations that need confirmation: creating them, mailing codes, and applying each of them once.

See section 6 (docs/rules.md). An operation is stored as it was reviewed. A verification code is valid only for the
operation for which the last one was sent. A `Confirmation` has the primary key of its operation, so an operation cannot
be confirmed twice.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import BadHeaderError
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_otp.models import Device
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from partnercenter.lib.errors import InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import AcceptedCode, CodeRequest, Confirmation, Operation, User
from partnercenter.operation_kinds import Summary

LIFETIME = timedelta(minutes=30)
Result = TypeVar("Result")


def create_operation(
    kind: str, terms: Mapping[str, object], *, operator: User, replaces: Operation | None = None
) -> Operation:
    """Store what an operator is about to confirm. `terms` must be JSON; the caller stores the customers as rows.

    The new operation replaces `replaces`, which can no longer be confirmed, nor can its code be used.
    """
    if operator.partner is None:
        raise PermissionRefused(_("Your account does not belong to a partner, so you cannot act on customers."))
    now = timezone.now()
    return Operation.objects.create(
        kind=kind,
        terms=terms,
        operator=operator,
        partner=operator.partner,
        replaces=replaces,
        created_at=now,
        expires_at=now + LIFETIME,
    )


def ensure_not_finished(operation: Operation) -> None:
    """Raise OperationFinished if the operation was completed or replaced, or has expired."""
    if Confirmation.objects.filter(pk=operation.pk).exists():
        raise OperationFinished(_("This operation has already been completed. Nothing was done twice."))
    if operation.replaced_by.exists():
        raise OperationFinished(_("This review was edited. Confirm the newer one. Nothing was changed."))
    if timezone.now() >= operation.expires_at:
        raise OperationFinished(_("This operation has expired and nothing was changed. Start again from the list."))


def lock_operation(operation: Operation) -> None:
    """Lock an operation, so that nobody else confirms or edits it until the transaction ends.

    Raises OperationFinished.
    """
    # The operator's row serves as the lock for all operations of this operator.
    User.objects.select_for_update(no_key=True).get(pk=operation.operator_id)
    ensure_not_finished(operation)


def needs_code(operation: Operation) -> bool:
    """Whether a code must still be entered, by the current setting of the partner, not that of the review."""
    return operation.partner.verification_required and _accepted_code(operation) is None


def _accepted_code(operation: Operation) -> AcceptedCode | None:
    return AcceptedCode.objects.filter(pk=operation.pk).first()


def code_minutes() -> int:
    """The number of minutes for which a code is valid."""
    return settings.OTP_EMAIL_TOKEN_VALIDITY // 60


def seconds_until_next_code(operator: User) -> int:
    """How many seconds the operator must wait before another code can be sent."""
    device = EmailDevice.objects.filter(user=operator).first()
    return _cooldown(device) if device else 0


def _cooldown(device: EmailDevice) -> int:
    is_allowed, details = device.generate_is_allowed()
    return 0 if is_allowed else _seconds_until(details["next_generation_at"])


def send_code(operation: Operation, summary: Summary) -> None:
    """Get Code: mail the operator a new code with the operation's summary (rules 6.3 and 6.4 (docs/rules.md)).

    Raises OperationFinished, or InvalidRequest if no code can be sent: too soon, too many, no e-mail address, or the
    mail failed. A mail that failed does not count.
    """
    ensure_not_finished(operation)
    operator = operation.operator
    if not operator.email:
        raise InvalidRequest(_("Your account has no e-mail address. Ask your administrator to enter one."))
    with write_transaction():
        # The device may not exist yet, so simultaneous requests wait for each other on the operator's row.
        User.objects.select_for_update(no_key=True).get(pk=operator.pk)
        EmailDevice.objects.get_or_create(user=operator, defaults={"name": "E-mail"})
        device = EmailDevice.objects.select_for_update().filter(user=operator).order_by("pk")[0]
        if seconds := _cooldown(device):
            raise InvalidRequest(_wait_message(seconds))
        _ensure_not_too_many_codes(operator)
        try:
            device.generate_challenge({"operation": operation, "facts": summary, "minutes": code_minutes()})
        except (OSError, BadHeaderError, ImproperlyConfigured) as error:
            # This rolls back the transaction, and with it the cooldown, which django-otp sets before it sends the mail.
            raise InvalidRequest(
                _("The verification code could not be sent. Try again, or ask your administrator.")
            ) from error
        CodeRequest.objects.create(operation=operation, operator=operator)


def _ensure_not_too_many_codes(operator: User) -> None:
    now = timezone.now()
    limits = ((settings.CODES_PER_HOUR, timedelta(hours=1)), (settings.CODES_PER_DAY, timedelta(days=1)))
    for limit, period in limits:
        if CodeRequest.objects.filter(operator=operator, at__gt=now - period).count() >= limit:
            raise InvalidRequest(_("Too many verification codes were sent to you. Try again later."))


def confirm_operation(operation: Operation, code: str, apply: Callable[[], Result]) -> Result:
    """OK: check the code if one is needed, apply the operation, and record the confirmation, in one transaction.

    Raises OperationFinished, or whatever `apply` raises; then nothing is changed and the code can be used again. Raises
    InvalidRequest for `verification_code` if the code is wrong, which is counted (rule 6.5 (docs/rules.md)).
    """
    with write_transaction():
        lock_operation(operation)
        how, problem = _check_code(operation, code)
        if not problem:
            result = apply()
            Confirmation.objects.create(operation=operation, how=how)
            return result
    # Raised outside the transaction, so that the count of wrong codes is committed.
    raise InvalidRequest(problem, "verification_code")


def accept_code(operation: Operation, code: str) -> None:
    """Check the code of an operation that a background job will confirm. The job then needs no code.

    Raises OperationFinished and InvalidRequest as `confirm_operation` does.
    """
    with write_transaction():
        lock_operation(operation)
        how, problem = _check_code(operation, code)
        if not problem and needs_code(operation):
            AcceptedCode.objects.create(operation=operation, how=how)
    if problem:
        raise InvalidRequest(problem, "verification_code")


def _check_code(operation: Operation, code: str) -> tuple[str, str]:
    """Return how the operation is confirmed, and what is wrong with the code ("" if nothing is)."""
    if accepted := _accepted_code(operation):
        return accepted.how, ""
    if not needs_code(operation):
        return Confirmation.How.WITHOUT_CODE, ""
    code = "".join(code.split())
    if not code:
        return "", _("Enter the verification code.")
    return _verify_code(operation, code)


def _verify_code(operation: Operation, code: str) -> tuple[str, str]:
    """Verify a code that was entered, against the operator's authenticator or the code that was mailed."""
    operator = operation.operator
    email = EmailDevice.objects.select_for_update().filter(user=operator).order_by("pk").first()
    totp = TOTPDevice.objects.select_for_update().filter(user=operator, confirmed=True).first()
    # Wrong codes are counted on one device and block both. Otherwise the other one could be guessed without limit.
    for device in (totp, email):
        if device is not None:
            is_allowed, details = device.verify_is_allowed()
            if not is_allowed:
                return "", _wait_message(max(1, _seconds_until(details["locked_until"])))
    was_mailed = email is not None and _last_code_is_for(operation)
    # Only one device verifies the code, since each device counts a wrong one.
    if totp is not None and not (was_mailed and constant_time_compare(email.token or "", code)):
        return Confirmation.How.TOTP, _verify_on(totp, code)
    if not was_mailed:
        return "", _("Get a verification code for this operation first.")
    return Confirmation.How.EMAIL, _verify_on(email, code)


def _last_code_is_for(operation: Operation) -> bool:
    latest = CodeRequest.objects.filter(operator=operation.operator).order_by("-pk").first()
    return latest is not None and latest.operation_id == operation.pk


def _verify_on(device: Device, code: str) -> str:
    """Return what is wrong with the code, or "". A wrong code is counted, a right one is used up."""
    problem = _("Incorrect verification code.")
    if isinstance(device, EmailDevice):
        if device.token is None:
            problem = _("This verification code has been used. Get a new one.")
        elif timezone.now() >= device.valid_until:
            problem = _("The verification code has expired. Get a new one.")
    return "" if device.verify_token(code) else problem


def _seconds_until(at: datetime) -> int:
    return ceil((at - timezone.now()).total_seconds())


def _wait_message(seconds: int) -> str:
    message = ngettext("Wait %(n)s second before trying again.", "Wait %(n)s seconds before trying again.", seconds)
    return message % {"n": seconds}
