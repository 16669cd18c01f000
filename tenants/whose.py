"""Whose a customer's schema is. To read a table is to run what its owner has put there: a view's functions, those of its
indexes, the casts of its types. So nobody enters a schema whose owner may do less.

With two roles (docs/database-roles.md) these are the application's: as the tables' owner or a superuser, a command would run
whatever somebody has left there who once had the application's password.

Whether we may do what an owner may is another question, and others ask it of what they are about to change: an upgrade, a
restore, the doctor.
"""

import re
from collections.abc import Collection
from typing import Any, LiteralString, NamedTuple

from django.db import DatabaseError


def may_all(owner: LiteralString) -> LiteralString:
    """Whether the role in this column may do all that we may, in SQL. We are also the role that has signed in: what is run can
    leave one that was taken on after that (`SET ROLE NONE`). Migration 0023 says the same.
    """
    return (
        f"(pg_catalog.pg_has_role({owner}, session_user, 'MEMBER')"
        f" AND pg_catalog.pg_has_role({owner}, current_user, 'MEMBER'))"
    )


# Both are asked while the search path may lead to anybody's schema.
OWNER: LiteralString = f"""
SELECT pg_catalog.pg_get_userbyid(nspowner), session_user, {may_all("nspowner")}
FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) %s::pg_catalog.name
"""  # noqa: S608 - a constant
OWNERS: LiteralString = f"""
SELECT pg_catalog.pg_get_userbyid(nspowner)::pg_catalog.text, session_user::pg_catalog.text, {may_all("nspowner")},
    pg_catalog.array_agg(nspname::pg_catalog.text ORDER BY nspname)
FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])
GROUP BY nspowner ORDER BY pg_catalog.count(*) DESC, 1
"""  # noqa: S608 - likewise
# Those of customers, and spare ones. Whoever may write rows of customers names others there, such as PostgreSQL's own, which would
# outvote those that count.
OF_CUSTOMERS = re.compile(r"(c|spare)_")


class LesserOwner(DatabaseError):
    """A schema belongs to a role that may do less than ours; says as whom to come instead."""

    def __init__(self, what: str, owner: str, we: str) -> None:
        super().__init__(
            f"{what} to {owner}, which may do less than {we}, the role in DATABASE_URL, and to read there is to run what that "
            f"role has put there: run this as {owner} (docs/database-roles.md)."
        )


class Schemas(NamedTuple):
    """Of those that were asked about and are there: which we may enter, and which not."""

    ours: list[str]
    lesser: list[str]


def require_owner(cursor: Any, schema: str) -> bool:
    """Before anything is looked for in the schema. Whether it is there: one that is not is let through, and has to be asked
    about again. Raises LesserOwner.
    """
    cursor.execute(OWNER, [schema])
    if (found := cursor.fetchone()) is None:
        return False
    owner, we, is_ours = found
    if not is_ours:
        raise LesserOwner(f"The schema {schema} belongs", owner, we)
    return True


def require_the_role_that_serves(cursor: Any, schemas: Collection[str]) -> Schemas:
    """At the beginning of what goes through all of these, or makes another. Raises LesserOwner where fewer are ours than not:
    one odd customer is for whoever asks to leave out. Only schemas count that are named as those of customers are.
    """
    cursor.execute(OWNERS, [[name for name in schemas if OF_CUSTOMERS.match(name)]])
    owners = cursor.fetchall()
    ours = [name for *_, is_ours, names in owners if is_ours for name in names]
    others = [name for *_, is_ours, names in owners if not is_ours for name in names]
    if len(others) > len(ours):
        owner, we, names = next((owner, we, names) for owner, we, is_ours, names in owners if not is_ours)
        raise LesserOwner(f"{len(names)} of the customers' schemas belong", owner, we)
    return Schemas(ours, others)
