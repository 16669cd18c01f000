"""Serves the question whether somebody ever had a role, asked before their address changes. Of the trail only few lines
are in it, so it is made within the time of one reading.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0012_domains_proven_by_dns")]

    operations = [
        migrations.AddIndex(
            "auditevent",
            models.Index(
                condition=models.Q(("action__in", ("membership.added", "membership.removed"))),
                fields=["target_id"],
                name="audit_of_roles",
            ),
        ),
    ]
