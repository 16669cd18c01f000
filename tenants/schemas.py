"""The schema that the connection looks at, left where a `with tenant_context(...)` block does not do."""

from typing import Any, cast

from django.db import connection


def leave_for_public() -> None:
    """From here on the connection sees no customer's tables, whatever it saw before."""
    cast(Any, connection).set_schema_to_public()  # of django-tenants' backend, which has no types
