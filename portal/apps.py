from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The composition of the other rooms; it has no models."""

    name = "portal"

    def ready(self) -> None:
        from portal import checks, pooler, trail  # noqa: F401  importing registers checks and receiver
        from portal.languages import translators  # noqa: F401  importing registers checks and receiver
