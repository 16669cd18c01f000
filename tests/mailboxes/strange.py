"""What somebody has done to Acme's schema or to what all share, and what a backup says of it."""

from tests.breaking.kit import short_or_long


def _without(table, kind):
    """Of constraints those of this kind are gone."""
    return (
        f"DO $$ BEGIN EXECUTE (SELECT string_agg('ALTER TABLE {table} DROP CONSTRAINT ' || conname, ';') FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype = '{kind}'); END $$"
    )


# Each with what is said of it.
BROKEN = {
    "no table": ("DROP TABLE mailboxes_message CASCADE", "the table mailboxes_message is missing"),
    "no column": (
        "ALTER TABLE mailboxes_message RENAME COLUMN octets TO o",
        "the table mailboxes_message lacks the column octets",
    ),
    "hidden rows": (
        "ALTER TABLE mailboxes_message ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "row level security hides rows of mailboxes_message",
    ),
    "a view": (
        "ALTER TABLE mailboxes_message RENAME TO m; CREATE VIEW mailboxes_message AS SELECT * FROM m",
        "mailboxes_message is a view and no plain table",
    ),
    "a view that does something": (  # what ends a backup, if it is run
        "ALTER TABLE mailboxes_message RENAME TO m; CREATE FUNCTION does() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'it was run' USING ERRCODE = '57014'; END $$; "
        "CREATE VIEW mailboxes_message AS SELECT *, does() FROM m WHERE does() = 1",
        "mailboxes_message is a view and no plain table",
    ),
    "partitions": (
        "ALTER TABLE mailboxes_message RENAME TO m; "
        "CREATE TABLE mailboxes_message (LIKE m) PARTITION BY LIST (id); "
        "CREATE TABLE part PARTITION OF mailboxes_message DEFAULT",
        "mailboxes_message is a partitioned table and no plain table",
    ),
    "a list of migrations that is none": (
        "ALTER TABLE django_migrations RENAME COLUMN app TO a",
        'its list of migrations can\'t be read: column "app" does not exist',
    ),
    "an index that fails": (
        "CREATE TABLE armed (); CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT FROM c_acme.armed) THEN RAISE EXCEPTION 'it fails'; END IF; RETURN 1; END $$; "
        "CREATE INDEX ON mailboxes_message (fails(1)); INSERT INTO armed DEFAULT VALUES",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "statistics that fail": (
        "CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it fails'; END $$; "
        "CREATE STATISTICS ON (fails(1)), octets FROM mailboxes_message",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "an operator of its own": (
        "CREATE FUNCTION alike(bigint, bigint) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'; "
        "CREATE OPERATOR === (FUNCTION = alike, LEFTARG = bigint, RIGHTARG = bigint); "
        "CREATE INDEX ON mailboxes_message (id) WHERE octets OPERATOR(c_acme.===) 1::bigint",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "a name": (
        "ALTER SCHEMA c_acme RENAME TO \"c_Acme\"; UPDATE tenants_customer SET schema_name = 'c_Acme' WHERE slug = 'acme'",
        "the name of its schema is none of a customer's",
    ),
}
NOT_OURS = {
    "a table": ('CREATE TABLE "M2" ()', ["c_acme.M2"]),
    "a view": ("CREATE VIEW seen AS SELECT 1 AS one", ["c_acme.seen"]),
    "a materialized view": ("CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one", ["c_acme.seen"]),
    "a column": ("ALTER TABLE mailboxes_mailbox ADD strange text", ["c_acme.mailboxes_mailbox.strange"]),
    "a child elsewhere": (
        "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.m () INHERITS (c_acme.mailboxes_message)",
        ["elsewhere.m"],
    ),
}
# As deep as PostgreSQL puts it together and not as it reads it.
DEEP = """
CREATE FUNCTION pg_temp.deep() RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_set((repeat('[', 1800) || '0' || repeat(']', 1800))::jsonb, array_fill('0'::text, ARRAY[1800]),
    (repeat('[', 16000) || repeat(']', 16000))::jsonb)
$$
"""
WRONG = {
    "a name": (
        "UPDATE tenants_customer SET name = '' WHERE slug = 'acme'",
        "acme: it is without a proper name",
    ),
    "networks": (
        "UPDATE tenants_customer SET allowed_networks = '[\"x\"]' WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "a migration that is gone": (
        "DELETE FROM django_migrations WHERE app = 'mailboxes' AND name LIKE '0001%'",
        "c_acme: its list of migrations has mailboxes.0002_jobs_and_whole_life and lacks mailboxes.0001_initial, which comes before",
    ),
    "a migration of later": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('mailboxes', '9999_later', now())",
        "c_acme: its list of migrations is of a later release, with mailboxes.9999_later: bring it back by one that is no older",
    ),
    "another type": (
        "ALTER TABLE mailboxes_mailbox ALTER name TYPE text",
        "c_acme.mailboxes_mailbox.name is of the type text, not character varying(",
    ),
    "a row that is too long": (
        "UPDATE mailboxes_mailboxkey SET public_key = convert_to(repeat('x', 17 * 1024 * 1024), 'UTF8')",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "values that are too long together": (
        "UPDATE mailboxes_mailboxkey SET public_key = convert_to(repeat('x', 9 * 1024 * 1024), 'UTF8'), "
        "sealed_as = jsonb_build_array(repeat('x', 9 * 1024 * 1024))",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "JSON that is longer than it looks": (
        "UPDATE mailboxes_mailboxkey SET sealed_as = (SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 200))",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "JSON that nobody reads again": (
        DEEP + "; UPDATE mailboxes_mailboxkey SET sealed_as = pg_temp.deep()",
        "c_acme.mailboxes_mailboxkey has a row that can't be read: stack depth limit exceeded",
    ),
    "networks in networks": (
        "UPDATE tenants_customer SET allowed_networks = (repeat('[', 3000) || repeat(']', 3000))::jsonb WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "networks by a great number": (
        "UPDATE tenants_customer SET allowed_networks = '[1e9999]' WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "a line of the trail that is too long": (
        "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read; "  # as of before there was one
        "INSERT INTO public.tenants_auditevent (at, action, data, actor_email, target_type, target_id, target_name, origin, actor_side) "
        "VALUES (now(), 'x', jsonb_build_object('x', repeat('x', 17 * 1024 * 1024)), '', '', '', '', '', '')",
        "public.tenants_auditevent has a row that is too long for a restore",
    ),
    "no migration": ("DELETE FROM django_migrations", "c_acme: its list of migrations is empty"),
    "a list without end": (
        "INSERT INTO django_migrations (app, name, applied) SELECT 'auth', '0001_initial', now() FROM generate_series(1, 10000)",
        "c_acme: its list of migrations is none, with more than 10000 lines",
    ),
    "a migration without a name": (
        "ALTER TABLE django_migrations ALTER name DROP NOT NULL; "
        "UPDATE django_migrations SET name = NULL WHERE app = 'mailboxes' AND name LIKE '0002%'",
        "c_acme: its list of migrations has mailboxes.0003_count_by_key and lacks mailboxes.0002_jobs_and_whole_life",
    ),
    "a column that may be empty": (
        "ALTER TABLE mailboxes_message ALTER octets DROP NOT NULL",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks NOT NULL of octets",
    ),
    "a unique index that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index "
        "WHERE indrelid = 'mailboxes_mailboxkey'::regclass AND indisunique AND NOT indisprimary AND indpred IS NOT NULL LIMIT 1); END $$",
        "c_acme: the table mailboxes_mailboxkey is not as migrations make it: it lacks a unique index USING btree (mailbox_id) WHERE",
    ),
    "a reference that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE mailboxes_message DROP CONSTRAINT ' || conname FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_message'::regclass AND contype = 'f' LIMIT 1); END $$",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks FOREIGN KEY (",
    ),
    "a reference to a table of that name elsewhere": (
        _without("c_acme.mailboxes_message", "f")
        + "; CREATE TABLE public.mailboxes_mailbox (id uuid PRIMARY KEY); "
        "INSERT INTO public.mailboxes_mailbox SELECT id FROM c_acme.mailboxes_mailbox; "
        "ALTER TABLE c_acme.mailboxes_message ADD FOREIGN KEY (mailbox_id) REFERENCES public.mailboxes_mailbox "
        "DEFERRABLE INITIALLY DEFERRED, ADD FOREIGN KEY (key_id) REFERENCES c_acme.mailboxes_mailboxkey "
        "DEFERRABLE INITIALLY DEFERRED",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks FOREIGN KEY (mailbox_id) REFERENCES mailboxes_mailbox(id)",
    ),
    "a number that is larger": (
        "ALTER TABLE mailboxes_mailboxkey ALTER COLUMN generation TYPE bigint",
        "c_acme.mailboxes_mailboxkey.generation is of the type bigint, not integer",
    ),
    "a check more": (
        "ALTER TABLE mailboxes_message ADD CHECK (octets <> 7)",
        "c_acme: the table mailboxes_message is not as migrations make it: it has CHECK ((octets <> 7)), which that has not",
    ),
    "a primary key that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE mailboxes_message DROP CONSTRAINT ' || conname || ' CASCADE' FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_message'::regclass AND contype = 'p'); END $$",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks PRIMARY KEY (id)",
    ),
    "a column that is reckoned": (
        "ALTER TABLE mailboxes_mailbox DROP COLUMN suspended_at; "
        "ALTER TABLE mailboxes_mailbox ADD suspended_at timestamptz GENERATED ALWAYS AS (created_at) STORED",
        "c_acme: the table mailboxes_mailbox is not as migrations make it: it lacks suspended_at as a column that is not GENERATED",
    ),
    "one of all that may be empty": (
        "ALTER TABLE public.tenants_auditevent ALTER origin DROP NOT NULL",
        "public: the table tenants_auditevent is not as migrations make it: it lacks NOT NULL of origin",
    ),
    "one of all that is reckoned": (
        "ALTER TABLE public.tenants_auditevent DROP COLUMN origin; "
        "ALTER TABLE public.tenants_auditevent ADD origin varchar(200) NOT NULL GENERATED ALWAYS AS ('x') STORED",
        "public: the table tenants_auditevent is not as migrations make it: it lacks origin as a column that is not GENERATED",
    ),
    "a reference of all that is gone": (
        _without("public.tenants_directoryentry", "f"),
        "public: the table tenants_directoryentry is not as migrations make it: it lacks FOREIGN KEY (customer_id) "
        "REFERENCES tenants_customer(id)",
    ),
    "a reference of all that need not hold": (
        _without("public.tenants_directoryentry", "f") + "; ALTER TABLE public.tenants_directoryentry "
        "ADD FOREIGN KEY (customer_id) REFERENCES public.tenants_customer DEFERRABLE INITIALLY DEFERRED NOT VALID",
        "public: the table tenants_directoryentry is not as migrations make it: it lacks FOREIGN KEY (customer_id) "
        "REFERENCES tenants_customer(id)",
    ),
    "a short name that two providers may have": (
        _without("public.tenants_provider", "u"),
        "public: the table tenants_provider is not as migrations make it: it lacks UNIQUE (slug)",
    ),
    "a unique index of all that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index "
        "WHERE indrelid = 'public.account_emailaddress'::regclass AND indpred IS NOT NULL LIMIT 1); END $$",
        "public: the table account_emailaddress is not as migrations make it: it lacks a unique index USING btree (",
    ),
    "a check of all that is gone": (
        _without("public.tenants_customer", "c"),
        "public: the table tenants_customer is not as migrations make it: it lacks CHECK (",
    ),
    "a list of migrations of all that may be empty": (
        "ALTER TABLE public.django_migrations ALTER name DROP NOT NULL",
        "public: the table django_migrations is not as migrations make it: it lacks NOT NULL of name",
    ),
    "a name that is told apart otherwise": (
        'ALTER TABLE mailboxes_mailbox ALTER name TYPE varchar(100) COLLATE "C"',
        "c_acme: the table mailboxes_mailbox is not as migrations make it: it lacks name in the collation of the database",
    ),
    # While the reference was made again the row was hidden.
    "a lock of no key": (
        "DO $$ DECLARE f record; BEGIN SELECT conname, pg_get_constraintdef(oid) AS def INTO f FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_keylock'::regclass AND contype = 'f' AND pg_get_constraintdef(oid) ~ 'key_id'; "
        "EXECUTE 'ALTER TABLE mailboxes_keylock DROP CONSTRAINT ' || f.conname; UPDATE mailboxes_keylock SET key_id = 999999; "
        "ALTER TABLE mailboxes_keylock ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; "
        "EXECUTE 'ALTER TABLE mailboxes_keylock ADD CONSTRAINT ' || f.conname || ' ' || f.def; "
        "ALTER TABLE mailboxes_keylock DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; END $$",
        "c_acme: rows of mailboxes_keylock refer to nothing by key_id",
    ),
    "a key without its lock": (
        "DELETE FROM mailboxes_keylock",
        "c_acme: no password opens a key of a mailbox",
    ),
    "a lock of nothing": (
        "UPDATE mailboxes_keylock SET data = ''",
        "c_acme: no password opens a key of a mailbox",
    ),
    "an earlier key that was opened by another": (
        "INSERT INTO mailboxes_mailboxkey SELECT (jsonb_populate_record(k, jsonb_build_object("
        "'id', id + 1, 'generation', 2, 'state', 'retired'))).* FROM mailboxes_mailboxkey k; "
        "INSERT INTO mailboxes_keylock (key_id, kind, data, created_at) "
        "SELECT key_id + 1, 'worker', data, created_at FROM mailboxes_keylock",
        "c_acme: no password opens a key of a mailbox",
    ),
    "ids after which there are no more": (
        "UPDATE mailboxes_message SET id = id + 5000000000000000000",
        "c_acme: rows of mailboxes_message have ids that no restore takes",
    ),
    "ids that no database gives": (
        "UPDATE mailboxes_keylock SET id = -id",
        "c_acme: rows of mailboxes_keylock have ids that no restore takes",
    ),
    "mailboxes that are gone": (
        "TRUNCATE mailboxes_mailbox CASCADE",
        "c_acme: 1 of the mailboxes that the directory has is not there",
    ),
    "mailboxes that can't be asked for": (
        "CREATE TYPE strange AS (id uuid); "
        "ALTER TABLE mailboxes_mailbox RENAME id TO was; ALTER TABLE mailboxes_mailbox ADD id strange",
        "c_acme: its mailboxes can't be compared with the directory: operator does not exist: c_acme.strange = uuid",
    ),
    "one of all that is gone": (
        "DELETE FROM public.django_migrations WHERE app = 'auth' AND name LIKE '0001%'",
        "public: the list of migrations has auth.0002_alter_permission_name_max_length and lacks auth.0001_initial, which comes before",
    ),
    "one of all that is of later": (
        "INSERT INTO public.django_migrations (app, name, applied) VALUES ('tenants', '9999_later', now())",
        "public: the list of migrations is of a later release, with tenants.9999_later: bring it back by one that is no older",
    ),
    "the last one of all that is gone": (
        "DELETE FROM public.django_migrations WHERE app = 'tenants' AND name >= '0018' OR app = 'mailboxes' AND name >= '0014'",
        "public.tenants_lastbackup is of no migration that its list of migrations has",
    ),
}
# What of these a backup is taken of; of the others the look that it takes at the database is asked.
TAKEN = short_or_long(
    ["no column", "a view that does something", "an index that fails", "a name"], list(BROKEN)
)
TAKEN_TOO = short_or_long(["a table", "a child elsewhere"], list(NOT_OURS))
TAKEN_AS_WELL = short_or_long(
    [
        "a name",
        "networks in networks",
        "networks by a great number",
        "a list without end",
        "a check more",
        "a line of the trail that is too long",
    ],
    list(WRONG),
)
