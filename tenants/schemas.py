"""The schema that the connection looks at, where a `with tenant_context(...)` block does not do, and how many it may."""

from typing import Any, cast

from django.db import close_old_connections, connection


def leave_for_public() -> None:
    """From here on the connection sees no customer's tables, whatever it saw before."""
    cast(Any, connection).set_schema_to_public()  # of django-tenants' backend, which has no types


def between_customers() -> None:
    """Whoever goes through many customers comes by here after each: a session that knows too many is given up
    (tenants/database). Within a transaction it stays.
    """
    if not connection.in_atomic_block:
        close_old_connections()
