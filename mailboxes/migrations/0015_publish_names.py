"""All customers' mailboxes are found by name in the directory, which used to know their addresses only."""

import json

from django.db import connection, migrations

# Two statements, for the customer's tables may lie on another server than `public`.
NAMES = "SELECT id::text, name, description FROM mailboxes_mailbox"
PUBLISH = """
UPDATE public.tenants_directoryentry AS entry SET name = found.name, description = found.description
FROM jsonb_to_recordset(%s::jsonb) AS found (id uuid, name text, description text)
WHERE entry.mailbox_id = found.id AND entry.name = ''
"""


def publish(apps, schema_editor):
    with connection.cursor() as cursor:
        cursor.execute(NAMES)
        found = [{"id": pk, "name": name, "description": said} for pk, name, said in cursor.fetchall()]
        if found:
            cursor.execute(PUBLISH, [json.dumps(found)])


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0014_when_and_why_counters_change"),
        ("tenants", "0027_figures"),
    ]

    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
