-- After a restore, and for an installation that ran with one role: as the server's superuser, in the portal's database. Once
-- more does no harm. As in docs/database-roles.md.
\set ON_ERROR_STOP on
-- the customers' schemas are the application's
SET search_path = pg_catalog;
DO $$
DECLARE item record;
BEGIN
    -- Those lists are the application's to write, so they say nothing of other schemas.
    FOR item IN SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^(c|spare)_' AND (
        nspname IN (SELECT schema_name FROM public.tenants_customer)
        OR nspname IN (SELECT schema_name FROM public.tenants_spareschema))
    LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO gatehouse_app', item.name);
    END LOOP;
    FOR item IN SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname ~ '^(c|spare)_' AND (
            n.nspname IN (SELECT schema_name FROM public.tenants_customer)
            OR n.nspname IN (SELECT schema_name FROM public.tenants_spareschema))
    LOOP
        EXECUTE format('ALTER TABLE %I.%I OWNER TO gatehouse_app', item.schema, item.name);
    END LOOP;
END $$;
