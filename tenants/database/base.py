"""The database as Django knows it (`ENGINE`): django-tenants' own, fit for thousands of schemas.

**Sessions are given up once they know too much.** A backend of PostgreSQL remembers each table that it has looked at until
its end: 0.2 MB for each customer. One that has seen all of 2,000 customers holds some 450 MB that nobody else can use, and
every process has several.

**So they are once they may not write.** After a failover the server of before may live on, fenced to reading: whoever stayed
with it would fail at each write, and read what is out of date, until the connection grew old.

**No session looks into a schema whose owner may do less than its role.** Web, mail, workers and commands all come by here.
"""

from functools import cached_property
from typing import Any

import psycopg
from django.conf import settings
from django.db import InternalError, OperationalError
from django.db.backends.postgresql.introspection import TableInfo
from django.db.utils import DatabaseErrorWrapper
from django_tenants.postgresql_backend import base
from django_tenants.postgresql_backend.introspection import DatabaseSchemaIntrospection
from django_tenants.utils import get_public_schema_name
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus

from tenants import unasked, whose

TABLES = """
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END,
    obj_description(c.oid, 'pg_class')
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace(quote_ident(%s))
    AND d.classid = 'pg_class'::regclass AND c.relkind IN ('f', 'm', 'p', 'r', 'v')
"""


class Introspection(DatabaseSchemaIntrospection):
    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        cursor.execute(TABLES, [self.connection.schema_name])
        return [TableInfo(*row) for row in cursor.fetchall()]


class _Errors(DatabaseErrorWrapper):
    wrapper: "DatabaseWrapper"

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        """Of a server that does not write (any more) OperationalError, by which pages, mail and jobs know an outage."""
        if isinstance(error, ReadOnlySqlTransaction):
            self.wrapper.errors_occurred = self.wrapper.may_not_write = True
            raise OperationalError(*error.args).with_traceback(traceback) from error
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **options: Any) -> None:
        self._seen: set[str] = set()
        self._entered: set[str] = {get_public_schema_name()}  # whose owner was asked for
        self.may_not_write = False
        super().__init__(*args, **options)
        self.introspection = Introspection(self)

    def _cursor(self, name: str | None = None) -> Any:
        """Raises OperationalError when the search path can't be set, which django-tenants leaves for the next statement to
        notice; outside a transaction that one would see what the session looked at before: another customer's tables.
        """
        cursor = super()._cursor(name)
        if self.search_path_set_schemas is None and not self._setting_search_path and not self._has_failed():
            raise OperationalError("The search path could not be set.")
        self._seen.add(self.schema_name)
        return cursor

    def _handle_search_path(self, cursor: Any = None) -> None:
        """Asked once in a session: who might put another schema in its place since has to be its owner. Raises LesserOwner
        before the search path leads there.
        """
        name = self.schema_name
        if name not in self._entered and not self._setting_search_path and not self._has_failed():
            with self.wrap_database_errors, self.connection.cursor() as asking:
                if whose.require_owner(asking, name):
                    self._entered.add(name)
        super()._handle_search_path(cursor)

    def connect(self) -> None:
        """Raises NotFit when the process started without a database, and this one is not fit."""
        super().connect()
        try:
            unasked.settle(unasked.DATABASE)
        except BaseException:
            # Of a task's time-out as well: nobody may find a connection here that was not judged.
            self.close()
            raise

    def _commit(self) -> None:
        """Raises InternalError for a transaction that has failed, and whose error somebody swallowed: PostgreSQL would answer
        COMMIT by a ROLLBACK and say nothing of it, and what was changed, the search path too, would be as before.
        """
        if self._has_failed():
            raise InternalError("A transaction that has failed can't be committed.")
        super()._commit()

    def _has_failed(self) -> bool:
        """Whether nothing but a rollback will do, and each statement until then fails."""
        return (
            self.connection is not None
            and self.connection.info.transaction_status == TransactionStatus.INERROR
        )

    @cached_property
    def wrap_database_errors(self) -> _Errors:
        return _Errors(self)

    def is_usable(self) -> bool:
        """Asked before the first query of a request, mail or task. Where DATABASE_URL names several hosts, the one that takes
        writes is meant, as it was when we connected.
        """
        if self.may_not_write:
            return False
        if self.settings_dict["OPTIONS"].get("target_session_attrs") not in ("read-write", "primary"):
            return bool(super().is_usable())
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("SHOW transaction_read_only")
                return bool(cursor.fetchone() == ("off",))
        except psycopg.Error:
            return False

    def close(self) -> None:
        self._seen.clear()
        self._entered = {get_public_schema_name()}
        self.may_not_write = False
        super().close()

    def close_if_unusable_or_obsolete(self) -> None:
        """What `django.db.close_old_connections` asks of each: between two requests (Django), two calls of the gateway
        (gateway/threads.py), two customers of a loop (tenants/schemas.py). Celery begins a session for each task.
        """
        if not self.in_atomic_block and len(self._seen) > settings.SCHEMAS_PER_CONNECTION:
            self.close()
        super().close_if_unusable_or_obsolete()
