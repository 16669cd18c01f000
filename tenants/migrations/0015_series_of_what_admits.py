"""From now on a session that an identity provider has opened knows what it stands on: what was taken back and given anew is
another one.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0014_say_how_to_type_in_the_form")]

    operations = [
        migrations.AddField(
            "customer",
            "consent_series",
            models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            "identityprovider",
            "series",
            models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
