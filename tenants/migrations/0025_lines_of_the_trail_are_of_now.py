"""A line of the audit trail is of now, and its number says after which acts it was written.

Whoever may write lines could write some of days to come, which would stand before each act on every page, for nobody can delete
them, and some of days gone by; and take numbers to write lines with them later, which would stand before acts that were earlier.

A day off, for clocks of machines differ, and some are set wrong by hours. Of a number that another session has taken meanwhile
nobody can say for how long it was kept, so the line gets the next one: a sound act's, too, when two come at once.
"""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION public.tenants_audit_next_number() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.at NOT BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() + interval '1 day' THEN
        RAISE EXCEPTION 'a line of the audit trail is of now: the clock of this machine or that of the database is a day off'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.id IS DISTINCT FROM currval('public.tenants_auditevent_id_seq') THEN
        RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.id <> pg_sequence_last_value('public.tenants_auditevent_id_seq') THEN
        NEW.id := nextval('public.tenants_auditevent_id_seq');
    END IF;
    RETURN NEW;
EXCEPTION WHEN object_not_in_prerequisite_state THEN  -- it has given none in this session
    RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence' USING ERRCODE = 'insufficient_privilege';
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0024_next_number_of_the_trail")]

    # Backwards it stays, as long as its trigger: nothing that was right is refused.
    operations = [migrations.RunSQL(FUNCTION, migrations.RunSQL.noop)]
