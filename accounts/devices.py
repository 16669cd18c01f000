"""Devices in words: what a browser says about itself, as far as we know the kind."""

from typing import NamedTuple

from django.utils.translation import gettext as _

# In this order: each of the later names stands in what the earlier ones say too.
BROWSERS = (
    ("Edg", "Microsoft Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chromium", "Chromium"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl/", "curl"),
)

SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class Family(NamedTuple):
    """The kind of browser and system, whatever their versions; "" for what is not recognised."""

    browser: str
    system: str


def family(user_agent: str) -> Family:
    browser = next((name for sign, name in BROWSERS if sign in user_agent), "")
    return Family(browser, next((name for sign, name in SYSTEMS if sign in user_agent), ""))


def describe(user_agent: str) -> str:
    """The device in words. Only names of ours: what a stranger's browser says of itself gets into no mail."""
    browser, system = family(user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("an unknown device")
