"""The user model."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import PROTECT
from django.utils.translation import gettext_lazy as _

from partnercenter.models.partners import Partner


class User(AbstractUser):
    """Someone who signs in: a partner's user, or platform staff if without a partner (rule 5.8 (docs/rules.md))."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "ADMINISTRATOR", _("Administrator")
        OPERATOR = "OPERATOR", _("Operator")
        VIEWER = "VIEWER", _("Viewer")

    partner = models.ForeignKey(
        Partner, PROTECT, verbose_name=_("partner"), null=True, blank=True, related_name="users"
    )
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.VIEWER)

    # A cache: views and templates of one request check permissions many times.
    own_permissions: set[str] | None = None
