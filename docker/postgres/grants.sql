-- After the first migration of `public`, as gatehouse_owner; once more does no harm. As in docs/database-roles.md.
\set ON_ERROR_STOP on
BEGIN;
-- what the application may do
SET search_path = pg_catalog;
ALTER DATABASE gatehouse SET search_path = public;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE gatehouse TO gatehouse_app;
GRANT USAGE ON SCHEMA public TO gatehouse_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gatehouse_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO gatehouse_app;
REVOKE UPDATE, DELETE ON public.tenants_auditevent FROM gatehouse_app;
REVOKE INSERT, UPDATE, DELETE ON public.django_migrations FROM gatehouse_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gatehouse_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO gatehouse_app;
COMMIT;
