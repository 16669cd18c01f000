"""The two roles that docs/database-roles.md gives the database, for tests."""

import os
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "database-roles.md"
ROLES = DOCUMENT.parents[1] / "docker/postgres/roles.sql"
ROLE = f"gatehouse_app_{os.getpid()}"
OTHER = f"gatehouse_owner_{os.getpid()}"


def blocks() -> list[str]:
    """The document's SQL, for roles and the database of this test."""
    database = connection.settings_dict["NAME"]
    here = {"gatehouse_app": ROLE, "gatehouse_owner": OTHER, "DATABASE gatehouse ": f'DATABASE "{database}" '}
    text = DOCUMENT.read_text()
    for there, name in here.items():
        text = text.replace(there, name)
    return re.findall(r"```sql\n(.*?)```", text, re.DOTALL)


def statements(beginning: str) -> str:
    """The document's SQL that begins with this comment."""
    (found,) = [block for block in blocks() if block.startswith(f"-- {beginning}")]
    return found


def as_superuser(*queries: Any) -> None:
    """Only the server that the tests have started lets us be one."""
    known = connection.get_connection_params()
    try:
        server = psycopg.connect(
            host=known["host"], port=known["port"], user="postgres", dbname=known["dbname"], autocommit=True
        )
    except psycopg.OperationalError:
        pytest.skip("Only on a server of our own may tests make roles.")
    with server:
        for query in queries:
            server.execute(query)
