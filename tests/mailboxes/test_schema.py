"""What the tables of a customer's schema may refer to."""

from django.db import connection


def test_no_foreign_key_leads_out_of_a_customers_schema(acme):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, confnamespace.nspname FROM pg_constraint"
            " JOIN pg_class referenced ON referenced.oid = confrelid"
            " JOIN pg_namespace confnamespace ON confnamespace.oid = referenced.relnamespace"
            " JOIN pg_namespace own ON own.oid = connamespace"
            " WHERE contype = 'f' AND own.nspname = %s",
            [acme.schema_name],
        )
        references = cursor.fetchall()

    assert references, "the schema is there and has foreign keys of its own"
    assert {schema for _, schema in references} == {acme.schema_name}
