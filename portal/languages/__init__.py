"""The portal's languages: English, which the code is written in, and each that has a catalog."""

from pathlib import Path

from django.utils.translation import get_language_info, to_language


def languages_in(locale: Path) -> list[tuple[str, str]]:
    """For `LANGUAGES`: code and own name of each, English first. Raises KeyError for a folder that names no language.

    Each has the name that its speakers call it by, or who has picked a wrong one never finds back.
    """
    catalogs = locale.glob("*/LC_MESSAGES/django.po")
    codes = {to_language(path.parent.parent.name) for path in catalogs} - {"en"}
    return [
        ("en", _own_name("en")),
        *sorted(((code, _own_name(code)) for code in codes), key=lambda each: each[1]),
    ]


def _own_name(code: str) -> str:
    name = str(get_language_info(code)["name_local"])
    return name[:1].upper() + name[1:]
