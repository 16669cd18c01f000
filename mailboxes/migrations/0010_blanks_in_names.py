"""Blanks as wide as a letter are spaces to who reads a name, and some more characters are drawn as nothing: names that
differ in these alone become one. Mailboxes that share one already keep it: only the first holds it.
"""

from unicodedata import category, normalize

from django.db import migrations

WIDE = "\u115f\u1160\u2800\u3164\uffa0\ufffc\U00013441\U00013442\U0001d159"
# As accounts.names has them: those that were left out until now where they should be spaces, and those that were not.
NEW = f"[{WIDE}\U00013430-\U00013440\U00016fe4]"
BLANK = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\U00016fe4") | {
    chr(point)
    for start, end in ((0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0x13430, 0x13440), (0xE0000, 0xE0FFF))
    for point in range(start, end + 1)
}
LENGTH = 400


def canonical_name(name):
    """As mailboxes.services.naming had it."""
    spaced = "".join(" " if char in WIDE else char for char in name)
    visible = "".join(char for char in spaced if category(char) != "Cf" and char not in BLANK)
    folded = normalize("NFKC", normalize("NFKC", visible).casefold())
    return " ".join(folded.split())


def hold_again(apps, schema_editor):
    Mailbox = apps.get_model("mailboxes", "Mailbox")
    for mailbox in Mailbox.objects.filter(name__regex=NEW).order_by("created_at", "pk"):
        canonical = canonical_name(mailbox.name)
        others = Mailbox.objects.exclude(pk=mailbox.pk)
        if not 0 < len(canonical) <= LENGTH or others.filter(canonical_name=canonical).exists():
            canonical = f"\n{mailbox.pk}"  # what no name comes to
        Mailbox.objects.filter(pk=mailbox.pk).update(canonical_name=canonical)


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0009_more_that_nobody_sees")]

    operations = [migrations.RunPython(hold_again, migrations.RunPython.noop, elidable=True)]
