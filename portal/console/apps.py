from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class ConsoleConfig(AppConfig):
    """The pages, their templates and styles; it has no models."""

    name = "portal.console"
    default = True


class AdministrationConfig(SimpleAdminConfig):
    """django.contrib.admin with our site, and with the models of ours that admin.py names alone.

    What libraries bring is not looked for: rights come from memberships, a person has one address, and sessions' keys,
    second factors and clients' secrets are nobody's to look at or to change past the rules.
    """

    default_site = "portal.console.administration.Administration"

    def ready(self) -> None:
        super().ready()
        from portal.console import admin  # noqa: F401  importing registers them
