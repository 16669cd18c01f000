"""From now on a domain shows by DNS that an identity provider may speak for it. Those in use hold for two weeks without the
record, so that nobody is locked out by the upgrade.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone


def give_time(apps, schema_editor):
    proofs = apps.get_model("tenants", "ProvenDomain").objects
    for used in apps.get_model("tenants", "IdentityProvider").objects.filter(active=True):
        for domain in used.email_domains:
            proofs.get_or_create(
                provider_id=used.provider_id, domain=domain, defaults={"missing_since": timezone.now()}
            )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0011_consent_to_an_identity_provider")]

    operations = [
        migrations.CreateModel(
            "ProvenDomain",
            [
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("domain", models.CharField(max_length=253)),
                ("checked_at", models.DateTimeField(null=True)),
                ("missing_since", models.DateTimeField(null=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="proven_domains",
                        to="tenants.provider",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "provendomain",
            models.UniqueConstraint(fields=("provider", "domain"), name="a_domain_is_proven_once"),
        ),
        migrations.RunPython(give_time, migrations.RunPython.noop),
    ]
