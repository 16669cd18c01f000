"""Texts of Django and allauth that people read here, where the libraries' own catalogs fail them.

Django asks the portal's catalogs first, so these carry them too. A catalog holds only texts that stand in the code,
hence this list.
"""

from typing import Any

from django.utils.translation import gettext_noop, ngettext_lazy

BORROWED: list[Any] = [
    # Not in Arabic, so that an English sentence stood on an Arabic page.
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
    ),
    # German „Du“.
    gettext_noop("You must type the same password each time."),
    # Spanish «tú».
    gettext_noop("Enter a valid JSON."),
    # Cut so that German and Spanish lack an article.
    gettext_noop("The password is too similar to the %(verbose_name)s."),
    # Arabic says two where three to ten are meant.
    ngettext_lazy("%(size)d byte", "%(size)d bytes", "size"),
]
