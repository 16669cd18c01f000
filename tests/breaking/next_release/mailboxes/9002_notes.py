"""A table with a foreign key, which Django makes at the very end: after its own line about the migration, if it could."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "9001_labels")]

    operations = [
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=200)),
                (
                    "mailbox",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="mailboxes.mailbox"),
                ),
            ],
        ),
    ]
