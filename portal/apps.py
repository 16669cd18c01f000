from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The composition of the other rooms; it has no models."""

    name = "portal"

    def ready(self) -> None:
        from portal import checks, pooler  # noqa: F401  importing registers the checks
