"""Whether this is the demo, whose people and password are public."""

from django.conf import settings


def in_demo() -> bool:
    """Whether this is the demo: told so by `make run`, and on the database that `make run` keeps for itself. A word in
    the environment alone makes no demo of a database that others rely on.
    """
    return bool(settings.DEMO and settings.DATABASE_IS_EMBEDDED)
