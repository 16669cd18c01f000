"""The database itself refuses to change or delete what the audit trail holds, whoever asks.

TRUNCATE and DROP stay possible: only a schema's owner may use them, and tests and demos throw whole databases away.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION public.tenants_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER tenants_audit_only_grows BEFORE UPDATE OR DELETE ON public.tenants_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION public.tenants_audit_only_grows();
"""
DROP = """
DROP TRIGGER tenants_audit_only_grows ON public.tenants_auditevent;
DROP FUNCTION public.tenants_audit_only_grows();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
