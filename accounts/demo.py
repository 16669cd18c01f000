"""Whether this is the demo, whose people and password are public."""

from django.conf import settings


def in_demo() -> bool:
    """Whether this is the demo: told so by `make run`, and on the database that `make run` keeps for itself. A word in
    the environment alone makes no demo of a database that others rely on.
    """
    return bool(settings.DEMO and settings.DATABASE_IS_EMBEDDED)


def is_beside_the_demo() -> bool:
    """Whether this is what `make run` keeps, on its own database: told so, or below names that never leave this machine.
    Commands are typed in a second terminal, in which nothing says so. Nobody signs in by this.
    """
    return in_demo() or bool(settings.DATABASE_IS_EMBEDDED and settings.BASE_DOMAIN.endswith(".localhost"))
