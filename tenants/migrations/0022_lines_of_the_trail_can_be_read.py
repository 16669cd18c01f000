"""What nobody can delete must not keep pages from being shown: details that are nested too deeply or too long for who reads
them, or a moment that no calendar has.

What the portal writes is an object with others in it, of some kB, and of now. NOT VALID, so that no line of before stops an
upgrade.
"""

from django.db import migrations

CREATE = """
ALTER TABLE public.tenants_auditevent ADD CONSTRAINT audit_event_can_be_read CHECK (
    jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 8388608 AND NOT jsonb_path_exists(data, '$.**{20}')
    AND at >= '2000-01-01 00:00:00+00' AND at < '3000-01-01 00:00:00+00'
) NOT VALID;
"""
DROP = "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read;"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0021_each_line_of_the_trail_stays")]

    operations = [migrations.RunSQL(CREATE, DROP)]
