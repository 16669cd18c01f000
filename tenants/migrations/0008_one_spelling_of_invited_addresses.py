"""As accounts.0007, for those who have not come yet. Where somebody is invited twice by this, both links stay good."""

from unicodedata import category, normalize

import idna
from django.db import migrations


def one_spelling(address):
    seen = "".join(char for char in address if category(char) != "Cf").strip()
    local, at, domain = normalize("NFC", seen.lower()).rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def respell(apps, schema_editor):
    invitations = apps.get_model("tenants", "Invitation").objects
    for pk, address in invitations.filter(accepted_at=None).values_list("pk", "email"):
        if not address.isascii():
            invitations.filter(pk=pk).update(email=one_spelling(address))


class Migration(migrations.Migration):
    dependencies = [("tenants", "0007_clearer_labels")]

    operations = [migrations.RunPython(respell, migrations.RunPython.noop)]
