"""Names that people can't tell apart become one. Mailboxes that share one already keep it: only the first holds it."""

from unicodedata import category, normalize

from django.db import migrations, models

BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(point) for start, end in ((0xFE00, 0xFE0F), (0xE0000, 0xE0FFF)) for point in range(start, end + 1)
}
LENGTH = 400


def canonical_name(name):
    """As mailboxes.services.naming had it."""
    visible = "".join(char for char in name if category(char) != "Cf" and char not in BLANK)
    folded = normalize("NFKC", normalize("NFKC", visible).casefold())
    return " ".join(folded.split())


def fill(apps, schema_editor):
    Mailbox = apps.get_model("mailboxes", "Mailbox")
    held = set()
    for mailbox in Mailbox.objects.order_by("created_at", "pk").iterator():
        canonical = canonical_name(mailbox.name)
        if canonical in held or not 0 < len(canonical) <= LENGTH:
            canonical = f"\n{mailbox.pk}"  # what no name comes to
        held.add(canonical)
        Mailbox.objects.filter(pk=mailbox.pk).update(canonical_name=canonical)


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0006_publish_unfinished_jobs")]

    operations = [
        migrations.AddField(
            "mailbox", "canonical_name", models.CharField(editable=False, max_length=400, null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "mailbox", models.UniqueConstraint("canonical_name", name="mailbox_canonical_name_unique")
        ),
    ]
