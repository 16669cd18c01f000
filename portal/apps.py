from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The composition of the other rooms; it has no models."""

    name = "portal"

    def ready(self) -> None:
        from portal.checks import databases, pooler, schemas, servers, stores, trail, variables, way  # noqa: F401  importing registers checks
        from portal.languages import translators  # noqa: F401  and a receiver
