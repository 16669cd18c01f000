"""What nobody can delete must not keep pages from being shown: details that are nested too deeply, too long or with numbers too
great for who reads them, or a moment that no calendar has.

What the portal writes is an object of four levels at most, of some kB, with numbers of 64 bits, and of now. The limits lie far
beyond that, and short of what would fail:

- 20 levels below the object (tenants/details.py has the same): Python's reader of JSON goes some hundreds deep and PostgreSQL's
  some thousands, templates that show it far less.
- 8 MiB, of the 16 that a row may have to be brought back by a restore (mailboxes/backup/examining.py).
- 1e300, for the greatest number with a fraction that Python has is 1.8e308, and it reads no whole one of more than 4,300
  digits; PostgreSQL has some of 131,072.
- The years 2000 to 3000: no act was before, and a server whose clock is some centuries wrong still writes its lines; Python's
  calendar ends with the year 9999, and has none before the year 1.

NOT VALID, so that no line of before stops an upgrade, nor stays out of a restore (mailboxes/backup/rebuilding.py). Django's
constraints know no NOT VALID, so the model doesn't have it: it would ask for one that holds for each line that is there.
"""

from django.db import migrations

CREATE = """
ALTER TABLE public.tenants_auditevent ADD CONSTRAINT audit_event_can_be_read CHECK (
    jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 8388608 AND NOT jsonb_path_exists(data, '$.**{21}')
    AND NOT jsonb_path_exists(data, 'strict $.**{0 to 20} ? (@ >= 1e300 || @ <= -1e300)')
    AND at >= '2000-01-01 00:00:00+00' AND at < '3000-01-01 00:00:00+00'
) NOT VALID;
"""
DROP = "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read;"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0021_each_line_of_the_trail_stays")]

    operations = [migrations.RunSQL(CREATE, DROP)]
