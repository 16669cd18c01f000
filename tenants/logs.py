"""Every log line names the schema that it speaks of."""

import logging

from django.db import connection


class TenantFilter(logging.Filter):
    """Puts the current schema's name on the record; it refuses none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.schema = getattr(connection, "schema_name", None) or "-"
        return True
