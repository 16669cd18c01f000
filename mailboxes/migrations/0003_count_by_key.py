"""The counters by key start with what waits already; those by mailbox are right as they are."""

from django.db import migrations

COUNT = """
INSERT INTO mailboxes_keytally (key_id, messages, octets)
SELECT key_id, count(*), sum(octets) FROM mailboxes_message GROUP BY key_id
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0002_jobs_and_whole_life")]

    operations = [migrations.RunSQL(COUNT, migrations.RunSQL.noop)]
