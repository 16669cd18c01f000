"""What a backup says of itself, judged once, where it is read: anybody may seal to a public key, and whatever stands in
there is used as it is from then on: as a path, an id, a decision about deliveries, a line on a terminal.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from django.core.exceptions import ValidationError

from accounts.errors import Refusal
from mailboxes.backup.errors import BackupDamaged
from mailboxes.models import Mailbox, MailboxKey
from tenants import slugs
from tenants.models import NAME_LENGTH, Customer
from tenants.networks import validate_networks
from tenants.services import LIMITS, judged

HEX_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
ROW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
KEY_ID = re.compile(r"([0-9a-f]{2})+", re.ASCII)
FILE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*", re.ASCII)  # of a set
DUMP = re.compile(r"customers-[0-9]{4,}\.dump\.sealed", re.ASCII)
SCHEMA = re.compile(r"c_[a-z0-9_]{1,61}", re.ASCII)
# Pairs of ids of customer and mailbox, as PostgreSQL writes JSON.
PAIR = r'\["[0-9a-f]{32}", "[0-9a-f]{32}"\]'
SEALED_AS = re.compile(rf"\[({PAIR}(, {PAIR}){{0,999}})?\]", re.ASCII)
SERIAL = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
# Kinds of what a backup saw that a restore of it would not bring: lines as people read them, and of LEFT_OUT whom and why.
LEFT_OUT = "left_out"
LACKS = ("without_schema", "without_customer", LEFT_OUT, "not_ours", "wrong")
SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "GATEHOUSE_WORKER_KEY", "GATEHOUSE_WORKER_PUBLIC_KEY")
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
ADDRESS = re.compile(r"[A-Za-z0-9.-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)

# Keys that nobody opens (docs/formats/locks.md), in SQL: the current one is opened by its password, an earlier one by a key
# that is opened so, and one that was locked by either. A lock is not only a row.
UNOPENED: LiteralString = """
FROM ONLY {schema}.mailboxes_mailboxkey key WHERE key.state <> 'destroyed' AND NOT EXISTS (
    SELECT FROM ONLY {schema}.mailboxes_keylock lock
    LEFT JOIN ONLY {schema}.mailboxes_keylock opener ON opener.key_id = lock.opener_id
        AND opener.kind = 'password' AND starts_with(encode(substr(opener.data, 1, 8), 'escape'), 'GATELOCK')
    WHERE lock.key_id = key.id AND starts_with(encode(substr(lock.data, 1, 8), 'escape'), 'GATELOCK')
        AND (key.state <> 'retired' AND lock.kind = 'password'
            OR key.state <> 'current' AND lock.kind = 'successor' AND opener.id IS NOT NULL))
"""


def require_manifest(manifest: dict[str, Any], where: str) -> None:
    """Raises BackupDamaged."""
    try:
        UUID(manifest["id"])
        parts = manifest["parts"]
        made_at = datetime.fromisoformat(manifest["made_at"])
        is_one = (
            made_at.tzinfo is not None
            and made_at.isoformat() == manifest["made_at"]
            and _is(KEY_ID, manifest["recovery_key"])
            and isinstance(parts, list)
            and all(
                _is(FILE, part["name"]) and _is_number(part["octets"]) and _is(DIGEST, part["sha256"])
                for part in parts
            )
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        is_one = False
    if not is_one:
        raise BackupDamaged(f"{where} is no manifest of a backup.")


def contents_of(octets: bytes, name: str) -> dict[str, Any]:
    """What `contents.sealed` of the set `name` says, and under `wrong` the customers whose facts are none, with why: a
    customer's row is the application's to write, and must not keep all others away. Raises BackupDamaged.
    """
    try:
        found = json.loads(octets)
        secrets, customers, missing = found["secrets"], found["customers"], found["missing"]
        # Since 0.2, and later releases may know more kinds.
        lacks = found["lacks"] = {
            kind: all_of_it for kind, all_of_it in found.get("lacks", {}).items() if kind in LACKS
        }
        trouble = not (
            isinstance(secrets, dict)
            and all(isinstance(value, str) and value.isprintable() for value in secrets.values())
            and isinstance(missing, list)
            and all(isinstance(one, str) for one in missing)
            and isinstance(customers, list)
            and all(isinstance(one, dict) for one in customers)
            and all(_is_lacking(kind, all_of_it) for kind, all_of_it in lacks.items())
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        trouble = True
    if trouble:
        raise BackupDamaged(f"The contents of {name} are none that this release knows.")
    # Of what a forger adds nothing is written where it becomes a process's environment.
    found["secrets"] = {name: secrets[name] for name in SECRETS if name in secrets}
    judged = [(customer, _wrong_with(customer)) for customer in customers]
    customers = found["customers"] = [customer for customer, wrong in judged if not wrong]
    found["wrong"] = [
        {
            "customer": str(customer.get("slug")),
            "id": str(customer.get("id")),
            "why": f"it is without a {wrong}",
        }
        for customer, wrong in judged
        if wrong
    ]
    for unique in ("id", "slug", "schema"):
        if len({customer[unique] for customer in customers}) < len(customers):
            raise BackupDamaged(f"The contents of {name} have two customers of the same {unique}.")
    return dict(found)


def lacking_of(customer: dict[str, Any], lacks: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What of a backup's `lacks` is about a customer that is in it, by the names with which these lines begin."""
    begun = (f"{customer['schema']}.", f"{customer['schema']}: ", f"{customer['slug']}: ")
    lines = {kind: lacks.get(kind, []) for kind in ("not_ours", "wrong")}
    found = {kind: [one for one in all_of_it if one.startswith(begun)] for kind, all_of_it in lines.items()}
    return {kind: all_of_it for kind, all_of_it in found.items() if all_of_it}


def json_of(text: str | None) -> Any:
    """What JSON says, None where nobody can read it: it may be nested a thousand times, or be a number of ten thousand digits."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def require_mailbox(row: dict[str, str]) -> None:
    """Of a mailbox's row in a dump, what is said to people and what others are found by. Before rows are dumped asking.REFUSED
    asks the same. Raises BackupDamaged.
    """
    if not _is(ROW_ID, row.get("id")) or not {"name", "status"} <= row.keys():
        raise BackupDamaged("A mailbox of the backup is none that this release knows.")
    if not _is(ADDRESS, row.get("address")):
        raise BackupDamaged(f"{row.get('address')!r} is no address of a mailbox.")
    if row["status"] not in Mailbox.Status:
        raise BackupDamaged(f"{row['status']!r} is no status of a mailbox.")


def require_key(row: dict[str, str]) -> None:
    """Of a key's row, whose it is and what it may do. Likewise. Raises BackupDamaged."""
    if not (
        _is(ROW_ID, row.get("mailbox_id"))
        and _is(SERIAL, row.get("id"))
        and row.get("state") in MailboxKey.State
        # Since 0.2.
        and _is(SEALED_AS, row.get("sealed_as", "[]"))
    ):
        raise BackupDamaged("A key of the backup is none that this release knows.")


def _wrong_with(customer: dict[str, Any]) -> str:
    """What of a customer's facts is lacking or is none; nothing when all is well."""
    facts = {
        "proper id": _is(HEX_ID, customer.get("id")),
        "proper short name": _is(slugs.SHAPE, customer.get("slug")),
        "proper name": _is_name(customer.get("name")),
        "proper schema": _is(SCHEMA, customer.get("schema")),
        "proper part": _is(DUMP, customer.get("part")),
        # Since 0.2.
        "proper provider": "provider" not in customer or _is(slugs.SHAPE, customer["provider"]),
        "proper list of networks": _fits(validate_networks, customer.get("allowed_networks", [])),
        "proper limit": all(_fits(_limit(name), customer.get(name)) for name in LIMITS),
        "proper language": isinstance(customer.get("language", ""), str),
        "proper time zone": isinstance(customer.get("time_zone", ""), str),
        "proper group": _is_accepted(group=customer.get("group", "")),
        "proper list of tags": _is_accepted(tags=customer.get("tags", [])),
    }
    return next((what for what, is_so in facts.items() if not is_so), "")


def _limit(name: str) -> Callable[[Any], None]:
    def require(value: Any) -> None:
        if value is not None and not _is_number(value):
            raise ValidationError("")
        field: Any = Customer._meta.get_field(name)
        field.run_validators(value)

    return require


def _is_accepted(**facts: Any) -> bool:
    try:
        judged(facts, Customer())
    except Refusal:
        return False
    return True


def _fits(require: Any, value: Any) -> bool:
    try:
        require(value)
    except ValidationError:
        return False
    return True


def _is(shape: "re.Pattern[str]", value: Any) -> bool:
    return isinstance(value, str) and bool(shape.fullmatch(value))


def _is_lacking(kind: str, lines: Any) -> bool:
    if kind == LEFT_OUT:
        lines = [one[key] for one in lines for key in ("customer", "why")]
    return isinstance(lines, list) and all(isinstance(one, str) for one in lines)


def _is_name(value: Any) -> bool:
    """Whether it may stand in the column; who brings one customer asks for more (tenants.services)."""
    return isinstance(value, str) and 0 < len(value) <= NAME_LENGTH


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
