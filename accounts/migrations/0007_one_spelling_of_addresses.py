"""Addresses used to be kept as they were typed, so one person could be two. Those that can't be brought into the one
spelling, since somebody else has it, stay as they are and are named in the log: nobody signs in with them any more, and
staff decide whose account it is.
"""

import logging
from unicodedata import category, normalize

import idna
from django.db import migrations

log = logging.getLogger(__name__)


def one_spelling(address):
    seen = "".join(char for char in address if category(char) != "Cf").strip()
    local, at, domain = normalize("NFC", seen.lower()).rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def respell(apps, schema_editor):
    people = apps.get_model("accounts", "User").objects
    for pk, address in people.values_list("pk", "email").order_by("pk"):
        spelled = address if address.isascii() else one_spelling(address)
        if spelled == address:
            continue
        if people.filter(email=spelled).exists():
            log.warning("person %s keeps the address %a: %s is another person's", pk, address, spelled)
        else:
            people.filter(pk=pk).update(email=spelled)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_mails_to_be_sent")]

    operations = [migrations.RunPython(respell, migrations.RunPython.noop)]
