"""Whoever asks which migrations a customer's schema has is asked as the role that has signed in, too: one that was taken on after
that can be left again by whatever is run there.
"""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION public.tenants_applied_migrations(schema text, wanted text[]) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found integer;
BEGIN
    -- Only where its owners may do all that who asks may do. Nobody else can put another in its place meanwhile, either.
    IF EXISTS (
        SELECT FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
        WHERE n.nspname = schema AND c.relname = 'django_migrations' AND NOT (
            pg_has_role(n.nspowner, current_user, 'MEMBER') AND pg_has_role(c.relowner, current_user, 'MEMBER')
            AND pg_has_role(n.nspowner, session_user, 'MEMBER') AND pg_has_role(c.relowner, session_user, 'MEMBER'))
    ) THEN
        RETURN NULL;
    END IF;
    -- A table and nothing else.
    IF NOT EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass(format('%I.django_migrations', schema)) AND relkind = 'r' AND NOT relrowsecurity
    ) THEN
        RETURN 0;
    END IF;
    EXECUTE format(
        'SELECT count(DISTINCT app || ''.'' || name) FROM %I.django_migrations WHERE app || ''.'' || name = ANY ($1)', schema
    ) INTO found USING wanted;
    RETURN found;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0022_lines_of_the_trail_can_be_read")]

    # Backwards it stays: nothing that was right is refused.
    operations = [migrations.RunSQL(FUNCTION, migrations.RunSQL.noop)]
