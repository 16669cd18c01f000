"""The trail keeps where somebody belonged when they acted, and answers a provider's people without reading everybody's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_limits_that_stay")]

    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="actor_side",
            field=models.CharField(blank=True, max_length=16, verbose_name="belonged to"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["provider_id", "-at"], name="audit_by_provider"),
        ),
    ]
