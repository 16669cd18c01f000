"""What nobody can delete must not keep pages from being shown: details that are nested too deeply, too long, of too many parts or
with numbers too great for who reads them, or a moment that no calendar has.

What the portal writes is an object of four levels at most, of some kB, with numbers of 64 bits, and of now. The limits lie
beyond that, and short of what would fail; tenants/details.py has the same for what is there already:

- 20 levels below the object: Python's reader of JSON goes some hundreds deep and PostgreSQL's some thousands, templates that
  show it far less.
- 256 KiB and 5,000 of the signs that begin a part: a page has 50 lines, and with lists of a million parts in one of them it
  took minutes and most of a server's memory. The longest of ours are a change of somebody's limit from 1,000 customers to 1,000
  others (88 kB, 2,000 parts) and the certificate of a mailbox that has had as many passwords (68 kB). tenants/audit.py refuses
  an act that would have more to tell.
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
    jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 262144 AND length(data::text) - length(translate(data::text, ',[{', '')) <= 5000
    AND NOT jsonb_path_exists(data, '$.**{21}')
    AND NOT jsonb_path_exists(data, 'strict $.**{0 to 20} ? (@ >= 1e300 || @ <= -1e300)')
    AND at >= '2000-01-01 00:00:00+00' AND at < '3000-01-01 00:00:00+00'
) NOT VALID;
"""
DROP = "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read;"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0021_each_line_of_the_trail_stays")]

    operations = [migrations.RunSQL(CREATE, DROP)]
