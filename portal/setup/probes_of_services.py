"""What the doctor says of an answer, and what else takes all rooms: names, mail out, the database, a bucket."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, NotSupportedError, connection

from portal.checks.pooler import a_pooler_keeps_customers_apart
from portal.checks.servers import postgresql_is_fit
from portal.checks.stores import buckets_are_fit
from portal.doctor import parts, zone
from portal.doctor.findings import Finding, Level, told

RIGHTS = """
SELECT current_user, has_database_privilege(current_database(), 'CREATE'), pg_encoding_to_char(encoding)
FROM pg_database WHERE datname = current_database()
"""
# Which of the doctor's findings about names belong to which question.
OF_NAMES = {
    "portal-names": ("dns.server", "dns.base-domain", "dns.wildcard"),
    "gateway-names": ("dns.server", "dns.mail-domain", "dns.mx"),
    "names": ("dns.server", "dns.base-domain", "dns.wildcard", "dns.mail-domain", "dns.mx"),
}


def of_database() -> list[Finding]:
    """Reached, new enough, with sessions of our own, and by a role that may do neither too little nor too much."""
    if found := a_pooler_keeps_customers_apart(None, databases=["default"]):
        return [Finding.of_check(message) for message in found]
    findings = [Finding.of_check(message) for message in postgresql_is_fit(None, databases=["default"])]
    if any(each.level == Level.ERROR for each in findings):
        return findings
    try:
        with connection.cursor() as cursor:
            cursor.execute(RIGHTS)
            role, may_create, encoding = cursor.fetchone()
            version = connection.connection.info.server_version
    except (DatabaseError, NotSupportedError) as error:
        return [Finding("database", Level.ERROR, told(error), "See its log.")]
    if not may_create:
        findings.append(
            Finding(
                "database.rights",
                Level.ERROR if _is_upgraded() else Level.ADVICE,
                f"{role} may not make schemas in this database, which customers need.",
                "docker/postgres/grants.sql gives it that, after the first upgrade.",
            )
        )
    if encoding != "UTF8":
        findings.append(
            Finding(
                "database.encoding",
                Level.ERROR,
                f"The database's encoding is {encoding}, so names of people could not be kept.",
                "Make it anew with ENCODING 'UTF8' TEMPLATE template0.",
            )
        )
    shown = f"{version // 10000}.{version % 10000}"
    return [Finding("database", Level.OK, f"PostgreSQL {shown} answers, to {role}."), *findings]


def _is_upgraded() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants_customer') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def of_store() -> list[Finding]:
    """A store that is a bucket: its rules, and whether it keeps what is written."""
    if settings.STORE_URL.startswith("file:"):
        return []
    found = [Finding.of_check(message) for message in buckets_are_fit(None, databases=["default"])]
    return found if any(each.level == Level.ERROR for each in found) else found + parts.store_works()


def probed(part: str, options: Mapping[str, Any]) -> tuple[list[Finding], list[zone.Record]]:
    """What is found, and of a part with names the DNS records wanted."""
    if part == "mail-out":
        return parts.mail_out(options["mail_to"]), []
    if part == "database":
        return of_database(), []
    if part == "store":
        return of_store(), []
    of_part = OF_NAMES[part]
    seen = zone.Seen(zone.Names(), zone.Outside(addresses=options["addresses"]))
    found = [finding for finding in zone.findings(seen, None) if finding.id in of_part]
    return found, zone.wanted(seen, None)
