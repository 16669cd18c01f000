"""The release before serves on while this one's migrations run: none may take away or demand what its processes don't know of."""

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements
from django_tenants.utils import app_labels, schema_context

ROOMS = ("accounts", "tenants", "mailboxes")
# The last that were written before there was a rule.
BEFORE = {
    "accounts": "0009_no_codes_without_a_factor",
    "tenants": "0015_series_of_what_admits",
    "mailboxes": "0010_blanks_in_names",
}
# Migrations that do one of these things, and why the release before survives it: `"tenants.0042_gone": "…"`.
SURVIVED: dict[str, str] = {}


def dangers(sql: str) -> set[str]:
    errors, _, _ = analyse_sql_statements(PostgresqlAnalyser, [line for line in sql.splitlines() if line])
    return {error.code for error in errors}


def test_the_release_before_survives_every_migration(db):
    wrong = {}
    for app, name in MigrationLoader(None).disk_migrations:
        if app not in ROOMS or name <= BEFORE[app] or f"{app}.{name}" in SURVIVED:
            continue
        schema = "c_acme" if app in app_labels(settings.TENANT_APPS) else "public"
        with schema_context(schema):  # elsewhere it would have nothing to do
            sql = call_command("sqlmigrate", app, name, stdout=StringIO())
        if found := dangers(sql):
            wrong[f"{app}.{name}"] = found
    assert not wrong, "CONTRIBUTING.md, “Change the database”, has the way in two releases."


@pytest.mark.parametrize(
    ("operation", "danger"),
    [
        (migrations.RemoveField("mailbox", "description"), "DROP_COLUMN"),
        (migrations.RenameField("mailbox", "description", "about"), "RENAME_COLUMN"),
        (migrations.AlterModelTable("mailbox", "boxes"), "RENAME_TABLE"),
        (migrations.DeleteModel("SignInRefusal"), "DROP_TABLE"),
        (migrations.AddField("mailbox", "label", models.CharField(max_length=9, default="")), "NOT_NULL"),
        (migrations.AlterField("mailbox", "description", models.IntegerField()), "ALTER_COLUMN"),
        (
            migrations.AddConstraint(
                "mailbox", models.UniqueConstraint(fields=["description"], name="one_of_each")
            ),
            "ADD_UNIQUE",
        ),
        (migrations.AddField("mailbox", "label", models.CharField(max_length=9, db_default="")), None),
        (migrations.AddField("mailbox", "seen_at", models.DateTimeField(null=True)), None),
        (migrations.AddIndex("mailbox", models.Index(fields=["status"], name="by_status")), None),
        (migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))]), None),
    ],
)
def test_what_the_release_before_would_not_survive_is_known(db, operation, danger):
    migration = migrations.Migration("next", "mailboxes")
    migration.operations = [operation]
    state = MigrationLoader(None).project_state()
    with schema_context("c_acme"), connection.schema_editor(collect_sql=True) as editor:
        migration.apply(state, editor, collect_sql=True)
    assert dangers("\n".join(editor.collected_sql)) == ({danger} if danger else set())
