"""Who may go where: one line for each URL of both hosts. A URL without a line fails the wall.

A line says who gets through, and what these get for GET and for POST (of an empty form). What all others get follows
from the host, unless the line says otherwise:

- nobody has signed in: the sign-in;
- on a customer's host, no role there: the page that there is no such page, whatever was asked for;
- on a customer's host, a role that does not suffice: 403;
- on the operators' host, a role at the provider that does not suffice: 403; no role there: no such page.

Where a method is taken by nobody, those who don't get through may learn that too (405).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class Outcome(StrEnum):
    """What somebody gets."""

    PAGE = "page"
    AWAY = "redirect elsewhere"
    SIGN_IN = "redirect to the sign-in"
    FORBIDDEN = "403"
    MISSING = "404"
    NO_METHOD = "405"


PAGE, AWAY, SIGN_IN, FORBIDDEN, MISSING, NO_METHOD = Outcome

# --- People, by their part ---
ANONYMOUS = frozenset({"anonymous"})
NORTHWIND = frozenset({"owner", "operator", "limited", "auditor"})  # all of Acme's provider
PROVIDERS = NORTHWIND | {"rival"}
SUPERUSERS = frozenset({"staff"})
STAFF = SUPERUSERS | {"clerk"}
TRANSLATORS = STAFF | {"translator"}
SIGNED_IN = PROVIDERS | TRANSLATORS | {"admin", "viewer", "stranger", "mallory"}
EVERYBODY = SIGNED_IN | ANONYMOUS

# At Acme. "limited" may enter Globex only.
READERS = frozenset({"owner", "operator", "auditor", "admin", "viewer"})
WRITERS = frozenset({"owner", "operator", "admin"})
ADMINS = frozenset({"owner", "admin"})
OWNERS = frozenset({"owner", "rival"})  # each at the own provider
FOUNDERS = frozenset({"owner", "operator", "rival"})
AT_GLOBEX = frozenset({"owner", "operator", "limited"})  # of Northwind; Mallory is its administrator


@dataclass(frozen=True)
class Line:
    """A URL's rule. `of` is what its places name: a thing of the scene, or the values themselves."""

    may: frozenset[str]
    get: Outcome | Iterable[Outcome] = PAGE
    post: Outcome | Iterable[Outcome] = NO_METHOD
    of: str | tuple[str, ...] = ()
    may_post: frozenset[str] | None = None  # when fewer may act than look
    refusal: Outcome | None = None
    strangers: bool = False  # on a customer's host, goes for people without a role there as well

    def expected(self, host: str, who: str, method: str) -> set[Outcome]:
        """What this person may get."""
        if host == "customer" and who not in READERS | ANONYMOUS and not self.strangers:
            return {MISSING}
        reading = method in ("GET", "HEAD")
        given = self.get if reading else self.post
        through = {given} if isinstance(given, Outcome) else set(given)
        may = self.may if reading or self.may_post is None else self.may_post
        if who in may:
            return through
        return {self._refusal(host, who)} | (through & {NO_METHOD} if who != "anonymous" else set())

    def _refusal(self, host: str, who: str) -> Outcome:
        if who == "anonymous":
            return SIGN_IN
        if self.refusal:
            # In the administration staff without that right are told so, and everybody else to sign in as staff.
            return FORBIDDEN if self.refusal == SIGN_IN and who in STAFF else self.refusal
        return FORBIDDEN if who in (READERS if host == "customer" else NORTHWIND) else MISSING


def line_of(host: str, name: str) -> Line | None:
    """The URL's own line, or that of all whose names begin alike."""
    lines = TABLE[host]
    if name in lines:
        return lines[name]
    return next((line for like, line in lines.items() if "*" in like and fnmatchcase(name, like)), None)


def _own(**more: Any) -> Line:
    """A page about oneself."""
    return Line(SIGNED_IN, **more)


def _run(**more: Any) -> Line:
    """A page on which Globex's provider runs it."""
    return Line(AT_GLOBEX, of=("globex",), **more)


ACCOUNTS = {
    # Open to everybody
    "account_login": Line(EVERYBODY, get=(PAGE, AWAY), post=(PAGE, AWAY)),
    "account_inactive": Line(EVERYBODY),
    "account_reset_password": Line(EVERYBODY, post=PAGE),
    "account_reset_password_done": Line(EVERYBODY),
    "account_reset_password_from_key": Line(EVERYBODY, post=PAGE, of="key to a new password"),
    "account_reset_password_from_key_done": Line(EVERYBODY),
    "mfa_login_webauthn": Line(EVERYBODY, get=(PAGE, AWAY), post=(PAGE, AWAY)),
    # One's own
    "settings": _own(post=AWAY),
    "own_password": _own(post=PAGE),
    "choose_own_password": _own(post=PAGE),
    "sessions": _own(post=AWAY),
    "security": _own(),
    "account_reauthenticate": _own(post=PAGE),
    "mfa_index": _own(get=AWAY, post=AWAY),
    "mfa_list_webauthn": _own(get=AWAY, post=AWAY),
    "mfa_authenticate": _own(get=AWAY, post=AWAY),  # the second step of a sign-in, which is over
    "mfa_reauthenticate": _own(get=(PAGE, AWAY), post=(PAGE, AWAY)),
    "mfa_reauthenticate_webauthn": _own(get=(PAGE, AWAY), post=(PAGE, AWAY)),
    "mfa_activate_totp": _own(post=PAGE),
    "mfa_deactivate_totp": _own(get=MISSING, post=MISSING),  # nobody here has an authenticator app
    "mfa_generate_recovery_codes": _own(post=(PAGE, AWAY)),
    "mfa_view_recovery_codes": Line(ADMINS, refusal=MISSING),  # only who has a passkey has some
    "mfa_download_recovery_codes": Line(ADMINS, refusal=MISSING),
    "mfa_add_webauthn": _own(post=PAGE),
    "mfa_edit_webauthn": Line(frozenset({"owner"}), post=PAGE, of="passkey", refusal=MISSING),
    "mfa_remove_webauthn": Line(frozenset({"owner"}), post=AWAY, of="passkey", refusal=MISSING),
}


def _staffs(**more: Any) -> Line:
    """A page of the administration."""
    return Line(**({"may": STAFF, "refusal": SIGN_IN} | more))


def _rows(
    model: str,
    *,
    by: frozenset[str] = SUPERUSERS,
    add: Outcome = FORBIDDEN,
    change: Outcome = FORBIDDEN,
    delete: Outcome = FORBIDDEN,
) -> dict[str, Line]:
    """The administration's pages of one model: to look at, but for what is said of adding, changing and deleting."""
    row = "row of the administration"
    app, name = model.split("_")
    return {
        f"admin:{model}_changelist": _staffs(may=by, post=PAGE),
        f"admin:{model}_add": _staffs(may=by, get=add, post=add),
        f"admin:{model}_change": _staffs(may=by, post=change, of=row),
        f"admin:{model}_delete": _staffs(may=by, get=delete, post=delete, of=row),
        f"admin:{model}_history": _staffs(may=by, post=PAGE, of=row),
        f"admin:/admin/{app}/{name}/<path:object_id>/": _staffs(get=AWAY, post=AWAY, of=row),
    }


ADMINISTRATION = {
    "admin:login": Line(STAFF, get=AWAY, post=PAGE, refusal=FORBIDDEN),
    "admin:logout": Line(STAFF, get=AWAY, post=PAGE, refusal=AWAY),
    "admin:index": _staffs(post=PAGE),
    "admin:app_list": _staffs(post=PAGE, of=("tenants",)),
    "admin:password_change": _staffs(get=AWAY, post=AWAY),  # to the one that everybody has
    "admin:password_change_done": _staffs(),
    "admin:autocomplete": _staffs(get=FORBIDDEN),  # of a field that is none
    "admin:jsi18n": _staffs(),
    "admin:/admin/<url>": _staffs(get=MISSING, post=MISSING, of=("nothing",)),
    **_rows("tenants_provider", add=PAGE, change=PAGE),
    **_rows("tenants_customer", add=PAGE, change=PAGE),
    **_rows("accounts_user", change=PAGE),
    **_rows(
        "tenants_membership", add=PAGE, change=PAGE, delete=AWAY
    ),  # back from the last owner's, who stays
    **_rows("tenants_identityprovider", by=STAFF, change=AWAY),  # to be switched off
    **_rows("tenants_domain"),
    **_rows("tenants_directoryentry"),
    **_rows("tenants_auditevent"),
    **_rows("tenants_spareschema"),
}

BASE = (
    ACCOUNTS
    | ADMINISTRATION
    | {
        "account_logout": Line(SIGNED_IN, post=SIGN_IN),
        "organization_sign_in": Line(EVERYBODY, get=(PAGE, AWAY), post=(PAGE, AWAY)),
        # Nobody comes back from a sign-in that nobody began.
        "openid_connect_callback": Line(EVERYBODY, get=FORBIDDEN, of="identity provider"),
        "invitation": Line(EVERYBODY, get=AWAY, post=AWAY, of="secret of an invitation"),
        "invitation_accept": Line(EVERYBODY, get=MISSING, post=MISSING),  # nobody has come by a link
        "home": _own(get=AWAY),
        "customers": _own(),
        "customer_new": Line(FOUNDERS, post=PAGE),
        "customer": Line(AT_GLOBEX | {"auditor"}, of=("globex",)),
        "customer_edit": _run(post=PAGE),
        "customer_suspend": _run(post=AWAY),
        "customer_activate": _run(get=AWAY, post=AWAY),
        "customer_administrator": _run(get=FORBIDDEN, post=FORBIDDEN),  # it has one
        "switch": _own(),
        "parts": Line(frozenset(), refusal=MISSING),  # for developers: it is in the demo only
        # A provider's own
        "activity": Line(PROVIDERS),
        "activity_csv": Line(PROVIDERS),
        "team": Line(PROVIDERS),
        "team_invite": Line(OWNERS, post=PAGE),
        "team_security": Line(OWNERS, get=AWAY, post=AWAY),
        "team_member": Line(frozenset({"owner"}), post=PAGE, of="team member"),
        "team_remove": Line(frozenset({"owner"}), post=AWAY, of="team member"),
        "team_invitation_*": Line(
            OWNERS, get=AWAY, post=AWAY, may_post=frozenset({"owner"}), of="team invitation"
        ),
        "identity_provider": Line(OWNERS, post=PAGE),
        "branding": Line(OWNERS, post=PAGE),
        "branding_logo": Line(OWNERS, get=AWAY, post=PAGE),
        "branding_logo_remove": Line(OWNERS, get=AWAY, post=AWAY),
        "branding_reset": Line(OWNERS, get=AWAY, post=AWAY),
        # Fabrikam has none.
        "identity_provider_switch": Line(OWNERS, get=AWAY, post=AWAY, may_post=frozenset({"owner"})),
        "identity_provider_forget": Line(OWNERS, get=AWAY, post=PAGE, may_post=frozenset({"owner"})),
        "identity_provider_prove": Line(OWNERS, get=AWAY, post=AWAY, may_post=frozenset({"owner"})),
        # Translators
        "rosetta-old-home-redirect": _own(get=AWAY, post=AWAY),
        "rosetta-file-list-redirect": _own(get=AWAY, post=AWAY),
        "rosetta-others": Line(SIGNED_IN, get=MISSING, post=MISSING, of=("django", "de/0/")),
        "rosetta-file-list": Line(TRANSLATORS, of=("project",), refusal=FORBIDDEN),
        "rosetta-form": Line(TRANSLATORS, post=AWAY, of=("project", "de", "0"), refusal=FORBIDDEN),
        "rosetta-download-file": Line(TRANSLATORS, of=("project", "de", "0"), refusal=FORBIDDEN),
        "rosetta.translate_text": Line(TRANSLATORS, post=PAGE, refusal=FORBIDDEN),
    }
)

CUSTOMER = ACCOUNTS | {
    "account_logout": Line(SIGNED_IN, post=SIGN_IN, strangers=True),
    "organization_sign_in": Line(EVERYBODY, get=AWAY, post=AWAY),  # it is begun on the operators' host
    "openid_connect_callback": Line(EVERYBODY, get=MISSING, of="identity provider"),
    "home": _own(get=AWAY, post=AWAY),
    "switch": Line(READERS),
    "activity": Line(READERS),
    "activity_csv": Line(READERS),
    "people": Line(READERS),
    "people_invite": Line(ADMINS, post=PAGE),
    "people_identity_provider": Line(ADMINS, get=AWAY, post=AWAY, may_post=frozenset({"admin"})),
    "people_member": Line(ADMINS, post=PAGE, of="person"),
    "people_remove": Line(ADMINS, post=AWAY, of="person"),
    "people_invitation_*": Line(ADMINS, get=AWAY, post=AWAY, of="invitation"),
    "mailboxes:list": Line(READERS),
    "mailboxes:detail": Line(READERS, of="mailbox"),
    "mailboxes:deliveries": Line(READERS, may_post=WRITERS, post=AWAY, of="mailbox"),
    "mailboxes:deleted": Line(READERS),
    "mailboxes:certificate": Line(READERS, of="certificate"),
    "mailboxes:certificate_json": Line(READERS, of="certificate"),
    "mailboxes:job": Line(READERS, may_post=WRITERS, post=AWAY, of="job"),
    "mailboxes:new": Line(WRITERS, post=PAGE),
    "mailboxes:edit": Line(WRITERS, post=PAGE, of="mailbox"),
    "mailboxes:reset_password": Line(WRITERS, post=PAGE, of="mailbox"),
    # Nothing is locked in this one.
    "mailboxes:unlock": Line(WRITERS, get=(PAGE, AWAY), post=AWAY, of="mailbox"),
    "mailboxes:delete_locked": Line(WRITERS, get=(PAGE, AWAY), post=AWAY, of="mailbox"),
    "mailboxes:delete": Line(WRITERS, post=PAGE, of="mailbox"),
}

TABLE = {"base": BASE, "customer": CUSTOMER}
