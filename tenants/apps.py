from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    """Who serves whom: providers, customers, hosts, memberships, the directory, the audit trail."""

    name = "tenants"
    verbose_name = _("providers and customers")

    def ready(self) -> None:
        from tenants import answering, signals  # noqa: F401, PLC0415 - their receivers need the models
