from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The pages, their templates and styles; it has no models."""

    name = "portal.console"
    default = True
