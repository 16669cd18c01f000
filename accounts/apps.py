from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """People and their sign-in."""

    name = "accounts"
    verbose_name = _("people")

    def ready(self) -> None:
        from accounts.adapters import signals  # noqa: F401, PLC0415 - its receivers need the models
