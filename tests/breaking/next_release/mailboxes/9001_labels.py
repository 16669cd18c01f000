"""As a next release may well have it: columns for which old processes need no value, an index, and words for what is there."""

import pkgutil

from django.db import migrations, models

from mailboxes import migrations as todays

LAST = max(module.name for module in pkgutil.iter_modules(todays.__path__))


def label(apps, schema_editor):
    apps.get_model("mailboxes", "Mailbox").objects.update(label="of before")


class Migration(migrations.Migration):
    dependencies = [("mailboxes", LAST)]

    operations = [
        migrations.AddField("mailbox", "label", models.CharField(max_length=40, db_default="")),
        migrations.AddField("message", "seen_at", models.DateTimeField(null=True)),
        migrations.AddIndex("message", models.Index(fields=["seen_at"], name="message_by_seen_at")),
        migrations.RunPython(label, migrations.RunPython.noop),
        # What some customers have, and nobody thought of.
        migrations.RunSQL(
            "SELECT 1 / (name <> 'Faulty')::integer FROM mailboxes_mailbox", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            "SELECT pg_sleep(8) FROM mailboxes_mailbox WHERE name = 'Slow'", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            "SELECT pg_sleep(0.05)", migrations.RunSQL.noop
        ),  # a moment in which it may be killed
    ]
