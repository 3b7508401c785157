"""The Django app configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PartnerCenterConfig(AppConfig):
    """Connects the project's only signal handler, which installs the record tables' triggers after each migration."""

    name = "partnercenter"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from partnercenter.lib import append_only

        post_migrate.connect(append_only.install_triggers, dispatch_uid="append_only")
