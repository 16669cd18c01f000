"""From now on a customer agrees to its provider's identity provider, which could act as any of its people.

Where people have signed in by it who have no password here, the customer counts as having agreed: they could not come
in to say so.
"""

from django.db import migrations, models


def agree_where_nobody_could(apps, schema_editor):
    connected = apps.get_model("socialaccount", "SocialAccount").objects.values("user")
    lost = {"memberships__user__password__startswith": "!", "memberships__user__in": connected}
    customers = apps.get_model("tenants", "Customer").objects
    agreed = customers.filter(**lost).values_list("pk", flat=True)
    customers.filter(pk__in=list(agreed)).update(identity_provider_consent=True)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0010_open_jobs_of_all"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        migrations.AddField(
            "customer",
            "identity_provider_consent",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            "auditevent",
            "vouched_by",
            models.CharField(blank=True, db_default="", max_length=200, verbose_name="vouched for by"),
        ),
        migrations.RunPython(agree_where_nobody_could, migrations.RunPython.noop),
    ]
