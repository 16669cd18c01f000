-- The two roles and the database of docs/database-roles.md, as the server's superuser; the passwords come from the
-- environment. The compose file has PostgreSQL run this when it makes its data directory; elsewhere:
--   set -a; . /etc/gatehouse/environment; set +a
--   psql --username postgres --file docker/postgres/roles.sql
\set ON_ERROR_STOP on
-- Nothing is looked for where the application may put things (docs/database-roles.md).
SET search_path = pg_catalog;
-- By the shell, for the psql of 14 has no \getenv
\set owner_password `printf %s "$DATABASE_OWNER_PASSWORD"`
\set app_password `printf %s "$DATABASE_PASSWORD"`
-- An empty one would be none, by which nobody signs in.
SELECT '' IN (:'owner_password', :'app_password') AS is_missing \gset
\if :is_missing
DO $$ BEGIN RAISE EXCEPTION 'DATABASE_OWNER_PASSWORD or DATABASE_PASSWORD is not in the environment'; END $$;
\endif
CREATE ROLE gatehouse_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE gatehouse_app LOGIN PASSWORD :'app_password';
CREATE DATABASE gatehouse OWNER gatehouse_owner;
ALTER DATABASE gatehouse SET search_path = public;
\connect gatehouse
SET search_path = pg_catalog;
-- Of 14, where it is the superuser's, and anybody may put there what the first upgrade would run as the owner
ALTER SCHEMA public OWNER TO gatehouse_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
