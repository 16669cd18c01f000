"""Whose database a line of the log is about."""

import logging

from django.db import connection


class TenantFilter(logging.Filter):
    """Puts the current schema's name on every record of the log; it refuses none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.schema = getattr(connection, "schema_name", None) or "-"
        return True
