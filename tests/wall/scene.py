"""The stage of the wall: everybody who might try, signed in for real, and one of each thing that a URL can name."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.client import ClientHandler, FakePayload
from django.utils import timezone, translation

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from mailboxes.services import create_mailbox, start_deletion, suspend_mailbox
from mailboxes.work.slices import work_slice
from portal.languages import translators
from tenants import identity
from tenants.models import Customer, Invitation, SpareSchema
from tenants.services import add_membership, change_member
from tenants.services.invitations import hash_of
from tests import cast
from tests.accounts.factors import Passkey, adds_a_passkey, confirms, is_signed_in, sign_in
from tests.cast import PASSWORD

BASE, ACME, GLOBEX = "portal.localhost", "acme.portal.localhost", "globex.portal.localhost"
NO_NUMBER = "987654321"

# Customers of which people may not know.
SECRETS = {
    "limited": ("acme", "initech"),
    "rival": ("acme", "globex"),
    "admin": ("globex", "initech"),
    "viewer": ("globex", "initech"),
    "mallory": ("acme", "initech"),
    "translator": ("acme", "globex", "initech"),
    "stranger": ("acme", "globex", "initech"),
    "anonymous": ("acme", "globex", "initech"),
}

Values = tuple[str, ...]


@dataclass(frozen=True)
class Thing:
    """What a URL names: the values of its places. `own` is Acme's, and on the operators' host Northwind's; `foreign`
    are others', which must look like `missing`, nobody's.
    """

    own: Values
    foreign: tuple[Values, ...] = ()
    missing: Values = ()


@dataclass(frozen=True)
class Scene:
    """Everybody and everything."""

    people: dict[str, "Person"]
    things: dict[str, Thing]

    def at_globex(self) -> dict[str, Thing]:
        """The same things as Globex sees them."""
        return {
            kind: Thing(thing.foreign[0], (thing.own,), thing.missing)
            for kind, thing in self.things.items()
            if thing.foreign
        }


def build() -> Scene:
    """Set it up, in the transaction of a test."""
    here = cast.present()
    users: dict[str, User | None] = {name: getattr(here, name) for name in cast.PEOPLE}
    users["operator"] = _operator("operator")
    users["limited"] = _operator("limited", cast.customer("globex"))
    _operator("colleague", cast.customer("acme"))  # of whom the one before may not know where they work
    users["clerk"] = _person("clerk", "gatehouse.example", is_staff=True)
    users["translator"] = _person("translator", "gatehouse.example")
    users["translator"].groups.add(Group.objects.get(name=translators.GROUP))
    people = {name: Person(name, user) for name, user in users.items()}
    people["anonymous"] = Person("anonymous", None)
    SpareSchema.objects.create(schema_name="c_spare")  # a row for the administration to show
    for name in ("owner", "admin"):
        people[name].gets_a_passkey()
    return Scene(people, _mail_things() | _people_things(here) | _sign_in_things(here))


@contextmanager
def undone() -> Iterator[None]:
    """A step of which the database keeps nothing, in which services may open transactions of their own."""
    step = transaction.atomic()
    step._from_testcase = True  # type: ignore[attr-defined]  # how Django's test cases tell it that they enclose us
    with step:
        yield
        transaction.set_rollback(True)


# --- People ---
class Person:
    """Somebody with a browser: one sign-in, on the operators' host, for all hosts."""

    def __init__(self, name: str, user: User | None) -> None:
        self.name = name
        self.user = user
        self.secrets = SECRETS.get(name, ())
        self._browser = Client(headers={"host": BASE})
        if user:
            sign_in(self._browser, user.email)
            assert is_signed_in(self._browser), f"{name} can't sign in"
            confirms(self._browser)  # else every page of second factors would just ask for the password

    @property
    def session(self) -> Session:
        return Session.objects.get(pk=self._browser.session.session_key)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={cookie.value}" for name, cookie in self._browser.cookies.items())

    def tries(self, method: str, path: str, host: str = BASE, **headers: str) -> Any:
        """The answer to one request, of which neither the database nor the browser keeps anything."""
        if method != "GET":
            cache.clear()  # who tries every door would soon be told to slow down, which is not the question here
        with undone():
            return self.does(method, path, host, **headers)

    def does(self, method: str, path: str, host: str = BASE, **headers: str) -> Any:
        """The same for keeps, but for new cookies."""
        return send(method, path, {"host": host, "cookie": self.cookie, **headers})

    def submits(self, form: dict[str, str], path: str, host: str = BASE) -> Any:
        """The answer to a form of a page, of which nothing is kept either."""
        cache.clear()
        with undone():
            return send("POST", path, {"host": host, "cookie": self.cookie}, form=urlencode(form))

    def gets_a_passkey(self) -> None:
        adds_a_passkey(self._browser, Passkey())


# Django's own test client is slower by half: it keeps the contexts of all templates.
_factory = RequestFactory()
_handle = ClientHandler(enforce_csrf_checks=False)
_handle_with_care = ClientHandler(enforce_csrf_checks=True)


def send(method: str, path: str, headers: dict[str, str], *, form: str = "", careful: bool = False) -> Any:
    """The answer to a request; `careful` as in life, where forms of other sites are refused."""
    translation.activate("en")  # the page before may have been in another language
    parts = urlsplit(path)
    environ = _factory._base_environ(
        REQUEST_METHOD=method,
        PATH_INFO=parts.path,
        QUERY_STRING=parts.query,
        CONTENT_TYPE="application/x-www-form-urlencoded",
        CONTENT_LENGTH=str(len(form)),
        **{"wsgi.input": FakePayload(form.encode())},
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    )
    answer: Any = (_handle_with_care if careful else _handle)(environ)
    if answer.streaming:
        whole = HttpResponse(b"".join(answer.streaming_content), status=answer.status_code)
        whole.headers, whole.cookies = answer.headers, answer.cookies
        answer = whole
    return answer


# --- Things ---
def _person(name: str, domain: str, *, is_staff: bool = False) -> User:
    user, _ = create_person(f"{name}.by.role@{domain}", name=name.title(), password=PASSWORD, by=SYSTEM)
    user.is_staff = is_staff  # without being a superuser, as the administration allows
    user.save(update_fields=["is_staff"])
    return user


def _operator(name: str, *customers: Customer) -> User:
    user, northwind = _person(name, "northwind.example"), cast.provider("northwind")
    membership = add_membership(user, provider=northwind, role="operator", by=SYSTEM)
    if customers:
        change_member(northwind, membership.pk, role="operator", customers=customers, by=cast.present().owner)
    return user


def _mail_things() -> dict[str, Thing]:
    acme, *others = (_mail_of(cast.customer(slug)) for slug in ("acme", "globex", "initech"))
    return {
        kind: Thing((acme[kind],), tuple((other[kind],) for other in others), (str(uuid.uuid4()),))
        for kind in acme
    }


def _mail_of(customer: Customer) -> dict[str, str]:
    kept, leaving, gone = (
        create_mailbox(customer, name=name, by=SYSTEM)[0] for name in ("Kept", "Leaving", "Gone")
    )
    jobs = []
    for mailbox in (leaving, gone):
        suspend_mailbox(customer, mailbox, by=SYSTEM)
        jobs.append(start_deletion(customer, mailbox, by=SYSTEM))
    while work_slice(customer, jobs[1].pk):
        pass
    return {"mailbox": str(kept.pk), "job": str(jobs[0].pk), "certificate": str(gone.pk)}


def _people_things(here: cast.Cast) -> dict[str, Thing]:
    customers = {
        slug: _invited(f"new@{slug}.example", "viewer", customer=cast.customer(slug))
        for slug in ("acme", "globex", "initech")
    }
    northwind, fabrikam = (
        _invited(f"new@{slug}.example", "operator", provider=cast.provider(slug))
        for slug in ("northwind", "fabrikam")
    )
    acme, globex, initech = customers.values()
    return {
        "person": _one_of(_role(here.viewer), _role(here.mallory), _role(here.owner)),
        "team member": _one_of(_role(here.auditor), _role(here.rival), _role(here.viewer)),
        "invitation": _one_of(acme, globex, initech, northwind),
        "team invitation": _one_of(northwind, fabrikam, acme, initech),
        "secret of an invitation": Thing(("new@acme.example",), (), ("guessed",)),
    }


def _one_of(own: int, *foreign: int) -> Thing:
    return Thing((str(own),), tuple((str(pk),) for pk in foreign), (NO_NUMBER,))


def _role(user: User) -> int:
    return int(user.memberships.get().pk)


def _invited(email: str, role: str, **place: Any) -> int:
    later = timezone.now() + timedelta(days=7)
    return int(
        Invitation.objects.create(
            email=email, role=role, token_hash=hash_of(email), expires_at=later, **place
        ).pk
    )


def _sign_in_things(here: cast.Cast) -> dict[str, Thing]:
    domains = ("northwind.example", "acme.example")
    service = identity.Configuration("oidc", "https://id.northwind.example", "", "gatehouse", domains)
    identity.set_up(cast.provider("northwind"), service, client_secret="x", by=here.owner)
    key_of: Callable[[User], int] = lambda user: Authenticator.objects.get(user=user, type="webauthn").pk  # noqa: E731
    person, token = user_pk_to_url_str(here.viewer), default_token_generator.make_token(here.viewer)
    return {
        "passkey": _one_of(key_of(here.owner), key_of(here.admin)),
        "identity provider": Thing(("northwind",), (), ("nobody",)),
        "key to a new password": Thing((person, token), (), (person, "guessed")),
    }
