"""Recovery codes go with the last factor now. Those that an earlier release left behind confirmed who it is all the same, and
would come to life with the next factor, for which no new ones would be made.
"""

from django.db import migrations
from django.db.models import Exists, OuterRef

CODES, FACTORS = "recovery_codes", ("totp", "webauthn")


def remove(apps, schema_editor):
    rows = apps.get_model("mfa", "Authenticator").objects
    factor = rows.filter(user=OuterRef("user"), type__in=FACTORS)
    rows.filter(~Exists(factor), type=CODES).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_language_of_mails"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [migrations.RunPython(remove, migrations.RunPython.noop, elidable=True)]
