"""The database refuses to empty the audit trail at one blow as well, whoever asks. Whole databases can still go."""

from django.db import migrations

CREATE = """
CREATE TRIGGER tenants_audit_is_not_emptied BEFORE TRUNCATE ON public.tenants_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION public.tenants_audit_only_grows();
"""
DROP = "DROP TRIGGER tenants_audit_is_not_emptied ON public.tenants_auditevent;"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0008_one_spelling_of_invited_addresses")]

    operations = [migrations.RunSQL(CREATE, DROP)]
