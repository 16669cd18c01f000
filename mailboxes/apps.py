from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailboxesConfig(AppConfig):
    """The domain, in each customer's schema."""

    name = "mailboxes"
    verbose_name = _("mailboxes")
