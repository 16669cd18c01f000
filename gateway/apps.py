from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Listed among the installed apps so that `manage.py gateway` is found; the room has no models."""

    name = "gateway"
