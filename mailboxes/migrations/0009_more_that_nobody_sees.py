"""More characters are invisible than 0007 knew: names that differ in these alone become one. Mailboxes that share one
already keep it: only the first holds it.
"""

from unicodedata import category, normalize

from django.db import migrations

# As accounts.names has them, without those that 0007 left out already.
NEW = "[\u2065\ufff0-\ufff8\ufffc\U0001d159]"
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\uffa0\ufffc\U0001d159") | {
    chr(point)
    for start, end in ((0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
    for point in range(start, end + 1)
}
LENGTH = 400


def canonical_name(name):
    """As mailboxes.services.naming had it."""
    visible = "".join(char for char in name if category(char) != "Cf" and char not in BLANK)
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
    dependencies = [("mailboxes", "0008_which_damage")]

    operations = [migrations.RunPython(hold_again, migrations.RunPython.noop, elidable=True)]
