"""Each line of the audit trail refuses to be changed or deleted, whichever table a statement names.

A trigger for statements is not asked by one that names another table, of which somebody has made the trail a part.
"""

from django.db import migrations

CREATE = """
CREATE OR REPLACE TRIGGER tenants_audit_each_line_stays BEFORE UPDATE OR DELETE ON public.tenants_auditevent
    FOR EACH ROW EXECUTE FUNCTION public.tenants_audit_only_grows();
"""
DROP = "DROP TRIGGER tenants_audit_each_line_stays ON public.tenants_auditevent;"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0020_retired_addresses")]

    operations = [migrations.RunSQL(CREATE, DROP)]
