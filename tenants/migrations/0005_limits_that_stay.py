"""Whether somebody is limited to some customers is written down, and no longer read off a list that may become empty."""

from django.db import migrations, models


def fill(apps, schema_editor):
    for name in ("Membership", "Invitation"):
        apps.get_model("tenants", name).objects.filter(customers__isnull=False).update(limited=True)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_people_and_identity_providers")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="limited",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="invitation",
            name="limited",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="membership",
            name="customers",
            field=models.ManyToManyField(
                blank=True,
                related_name="limited_memberships",
                to="tenants.customer",
                verbose_name="only these customers",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
