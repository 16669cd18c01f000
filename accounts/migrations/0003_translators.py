"""The group whose members may translate the portal without being platform staff."""

from django.db import migrations


def make(apps, schema_editor):
    apps.get_model("auth", "Group").objects.get_or_create(name="translators")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_time_zone_and_theme"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
