"""Critical operations: review, Get Code, confirm, apply once; see section 6 (docs/rules.md).

An operation is kept as it was reviewed. A code is good for the operation it was last asked for and no other; whether
an operation was confirmed is a row whose key is the operation's, so it cannot be confirmed twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import BadHeaderError
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from partnercenter.lib.errors import InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import AcceptedCode, CodeRequest, Confirmation, Operation, User

LIFETIME = timedelta(minutes=30)
Result = TypeVar("Result")


@dataclass(frozen=True)
class CodeState:
    """What the verification page shows of an operation's code."""

    sent: bool
    wait_seconds: int


def create_operation(
    kind: str, terms: dict[str, Any], *, operator: User, replaces: Operation | None = None
) -> Operation:
    """Keep what an operator is about to confirm. `terms` is JSON; the customers are kept by the caller as rows.

    A review that is edited is replaced: it can be confirmed no more, nor can its code.
    """
    if operator.partner is None:
        raise PermissionRefused(_("Your account belongs to no partner: you cannot act on customers."))
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
    """Raises OperationFinished where the operation was completed already or has expired."""
    if Confirmation.objects.filter(pk=operation.pk).exists():
        raise OperationFinished(_("This operation has already been completed. Nothing was done twice."))
    if operation.replaced_by.exists():
        raise OperationFinished(_("This review was edited: confirm the newer one. Nothing was changed."))
    if timezone.now() >= operation.expires_at:
        raise OperationFinished(_("This operation has expired and nothing was changed. Start again from the list."))


def lock_operation(operation: Operation) -> None:
    """Make OK and edits of an operator's operations wait for each other to the transaction's end.

    Raises OperationFinished.
    """
    # The operator's row is what they queue on; a record itself cannot be locked for long.
    User.objects.select_for_update(no_key=True).get(pk=operation.operator_id)
    ensure_not_finished(operation)


def needs_code(operation: Operation) -> bool:
    """Whether a code is still to be given: the partner's switch is on now, even if only since the review."""
    return operation.partner.verification_required and _accepted(operation) is None


def _accepted(operation: Operation) -> AcceptedCode | None:
    return AcceptedCode.objects.filter(pk=operation.pk).first()


def code_state(operation: Operation) -> CodeState:
    """Whether the operator's present code is for this operation, and how long until the next may be sent."""
    device = EmailDevice.objects.filter(user=operation.operator).first()
    return CodeState(sent=_code_is_for(operation), wait_seconds=_cooldown(device) if device else 0)


def _code_is_for(operation: Operation) -> bool:
    latest = CodeRequest.objects.filter(operator=operation.operator).order_by("-pk").first()
    return latest is not None and latest.operation_id == operation.pk


def _cooldown(device: EmailDevice) -> int:
    allowed, why_not = device.generate_is_allowed()
    return 0 if allowed else ceil((why_not["next_generation_at"] - timezone.now()).total_seconds())


def send_code(operation: Operation, facts: list[tuple[str, Any]]) -> None:
    """Get Code: mail the operator a new code, good for this operation alone. `facts` tell in the mail what it confirms.

    Raises OperationFinished, or InvalidRequest where no code can be sent: too soon, too many, no address, or the mail
    failed, which uses up neither the wait nor a sending; see rule 6.4 (docs/rules.md).
    """
    ensure_not_finished(operation)
    if not operation.operator.email:
        raise InvalidRequest(_("Your account has no e-mail address. Ask your administrator to enter one."))
    with write_transaction():
        device = _email_device(operation.operator)
        if seconds := _cooldown(device):
            raise InvalidRequest(_wait(seconds))
        _refuse_too_many(operation.operator)
        try:
            device.generate_challenge({"operation": operation, "facts": facts, "minutes": code_minutes()})
        except (OSError, BadHeaderError, ImproperlyConfigured) as error:
            # Raised inside the transaction: the cooldown that django-otp set before sending is rolled back with it.
            raise InvalidRequest(
                _("The verification code could not be sent. Try again, or ask your administrator.")
            ) from error
        CodeRequest.objects.create(operation=operation, operator=operation.operator)


def code_minutes() -> int:
    """For how many minutes a code is valid."""
    return settings.OTP_EMAIL_TOKEN_VALIDITY // 60


def _email_device(user: User) -> EmailDevice:
    # Without a device yet there is no row to queue on but the operator's own.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    EmailDevice.objects.get_or_create(user=user, defaults={"name": "E-mail"})
    return EmailDevice.objects.select_for_update().filter(user=user).order_by("pk")[0]


def _refuse_too_many(user: User) -> None:
    now = timezone.now()
    for limit, span in ((settings.CODES_PER_HOUR, timedelta(hours=1)), (settings.CODES_PER_DAY, timedelta(days=1))):
        if CodeRequest.objects.filter(operator=user, at__gt=now - span).count() >= limit:
            raise InvalidRequest(_("Too many verification codes were sent to you. Try again later."))


def confirm_operation(operation: Operation, code: str, apply: Callable[[], Result]) -> Result:
    """OK: check the code where the switch is on, apply, and note that it was confirmed, in one transaction.

    Raises OperationFinished or whatever `apply` refuses, with nothing changed and the code still good; InvalidRequest
    on `verification_code` where the code is not right, which is counted; see rule 6.5 (docs/rules.md).
    """
    with write_transaction():
        lock_operation(operation)
        how, problem = _check(operation, code)
        if not problem:
            result = apply()
            Confirmation.objects.create(operation=operation, how=how)
            return result
    # Outside the transaction, or the count of wrong codes would be rolled back.
    raise InvalidRequest(problem, "verification_code")


def accept_code(operation: Operation, code: str) -> None:
    """Check the code of an operation that a job is to `confirm`: from then on it needs none. Raises what that does."""
    with write_transaction():
        lock_operation(operation)
        how, problem = _check(operation, code)
        if not problem and needs_code(operation):
            AcceptedCode.objects.create(operation=operation, how=how)
    if problem:
        raise InvalidRequest(problem, "verification_code")


def _check(operation: Operation, code: str) -> tuple[str, str]:
    """How the operation is confirmed, and "" or what is wrong with the code."""
    if accepted := _accepted(operation):
        return accepted.how, ""
    return _check_code(operation, code) if needs_code(operation) else (Confirmation.How.WITHOUT_CODE, "")


def _check_code(operation: Operation, code: str) -> tuple[str, str]:
    code = "".join(code.split())
    if not code:
        return "", _("Enter the verification code.")
    email = EmailDevice.objects.select_for_update().filter(user=operation.operator).order_by("pk").first()
    totp = TOTPDevice.objects.select_for_update().filter(user=operation.operator, confirmed=True).first()
    is_mailed = email is not None and _code_is_for(operation)
    for device in (totp, email):
        # A wrong code is counted on one of them and holds up both: else the other could be guessed without end.
        if device is not None and (held_up := _held_up(device)):
            return "", held_up
    # One device alone is asked: each counts a wrong code, and an authenticator's is none of the mailed ones.
    if totp is not None and not (is_mailed and constant_time_compare(email.token or "", code)):
        return Confirmation.How.TOTP, _problem(totp, code)
    if not is_mailed:
        return "", _("Get a verification code for this operation first.")
    return Confirmation.How.EMAIL, _problem(email, code)


def _problem(device: Any, code: str) -> str:
    spent = _spent(device)
    return "" if device.verify_token(code) else spent or _("Incorrect verification code.")


def _held_up(device: Any) -> str:
    """For how long no code is looked at after wrong ones; "" where one is."""
    allowed, why_not = device.verify_is_allowed()
    if allowed:
        return ""
    seconds = max(1, ceil((why_not["locked_until"] - timezone.now()).total_seconds()))
    return _("Too many wrong verification codes.") + " " + _wait(seconds)


def _spent(device: Any) -> str:
    """Why no code can be right any more: a mailed code was used or has expired."""
    if not isinstance(device, EmailDevice):
        return ""
    if device.token is None:
        return _("This verification code has been used. Get a new one.")
    return _("The verification code has expired. Get a new one.") if timezone.now() >= device.valid_until else ""


def _wait(seconds: int) -> str:
    return ngettext("Wait %(n)s second and try again.", "Wait %(n)s seconds and try again.", seconds) % {"n": seconds}
