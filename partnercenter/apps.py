"""The application of the console."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PartnerCenterConfig(AppConfig):
    """Registers the one signal of the house: after every migration the records get their triggers back."""

    name = "partnercenter"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from partnercenter.lib import append_only

        post_migrate.connect(append_only.install_triggers, dispatch_uid="append_only")
