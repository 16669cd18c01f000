"""Short names. A customer's one is its host's first label and names its schema, so the rules are those of both."""

import re
from unicodedata import normalize

from django.conf import settings

from tenants.errors import InvalidSlug

MAX_LENGTH = 40
SHAPE = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{MAX_LENGTH - 2}}}[a-z0-9])", re.ASCII)

# Names that a browser, a mail server or a person would take for a part of the service itself.
RESERVED = frozenset(
    [
        "admin",
        "administrator",
        "api",
        "app",
        "assets",
        "auth",
        "autoconfig",
        "autodiscover",
        "blog",
        "cdn",
        "console",
        "dashboard",
        "docs",
        "ftp",
        "gateway",
        "health",
        "help",
        "host",
        "imap",
        "localhost",
        "login",
        "mail",
        "mta-sts",
        "mx",
        "new",  # the page on which customers are created
        "ns",
        "ns1",
        "ns2",
        "pop",
        "pop3",
        "portal",
        "postmaster",
        "public",
        "root",
        "security",
        "sftp",
        "smtp",
        "ssl",
        "sso",
        "staff",
        "static",
        "status",
        "support",
        "system",
        "tls",
        "webmail",
        "www",
    ]
)


def check(slug: str) -> str:
    """The slug as it is. Raises InvalidSlug unless it may name a provider or customer."""
    # Labels such as "xn--..." are encoded international names and would be shown as something else.
    is_gateway = f"{slug}.{settings.BASE_DOMAIN}" == settings.MAIL_DOMAIN
    if not SHAPE.fullmatch(slug) or slug in RESERVED or slug[2:4] == "--" or is_gateway:
        raise InvalidSlug(slug=slug, most=MAX_LENGTH)
    return slug


def propose(name: str) -> str:
    """One for a customer of this name, as whoever types one would begin: by its letters and digits, without marks. It may be
    taken, or no short name at all; "" if the name has no such letters.
    """
    plain = normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    return "-".join(words)[:MAX_LENGTH].strip("-")


def schema_name(slug: str) -> str:
    """The schema of the customer with this slug; no two slugs share one, as slugs have no underscores."""
    return "c_" + slug.replace("-", "_")
