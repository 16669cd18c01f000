"""So that one query asks all customers' schemas which migrations were applied in them (tenants.upgrading.schemas)."""

from django.db import migrations

CREATE = """
CREATE FUNCTION public.tenants_applied_migrations(schema text, wanted text[]) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found integer;
BEGIN
    -- A table and nothing else: a view would have whoever asks, the tables' owner too, do what it says.
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
    dependencies = [("tenants", "0016_series_of_roles")]

    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION public.tenants_applied_migrations(text, text[])"),
    ]
