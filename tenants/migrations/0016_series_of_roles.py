"""A session that an identity provider has opened ends with each change of a role, also with one that is taken back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0015_series_of_what_admits")]

    operations = [
        migrations.AddField(
            "membership",
            "series",
            models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
