"""A column, as most migrations bring one. It may be run again, so that it can be measured more than once."""

import pkgutil

from django.db import migrations

from mailboxes import migrations as todays

LAST = max(module.name for module in pkgutil.iter_modules(todays.__path__))


class Migration(migrations.Migration):
    dependencies = [("mailboxes", LAST)]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE mailboxes_message ADD COLUMN IF NOT EXISTS label varchar(40) NOT NULL DEFAULT ''"
        )
    ]
