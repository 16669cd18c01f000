"""A line of the audit trail has the number that its sequence has just given to this session, and no other.

Whoever may write lines could else write some with the numbers to come, at each of which somebody's act would fail. The
sequence gives a number to each row right before the trigger is asked about it, whether one statement brings one row or many,
or COPY does.
"""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION public.tenants_audit_next_number() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.id IS DISTINCT FROM currval('public.tenants_auditevent_id_seq') THEN
        RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
EXCEPTION WHEN object_not_in_prerequisite_state THEN  -- it has given none in this session
    RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE OR REPLACE TRIGGER tenants_audit_next_number BEFORE INSERT ON public.tenants_auditevent
    FOR EACH ROW EXECUTE FUNCTION public.tenants_audit_next_number();
"""
DROP = """
DROP TRIGGER tenants_audit_next_number ON public.tenants_auditevent;
DROP FUNCTION public.tenants_audit_next_number();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0023_as_whom_we_have_signed_in")]

    operations = [migrations.RunSQL(CREATE, DROP)]
