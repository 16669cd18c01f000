"""What is typed, or sent by a program, into the arguments of verbs, whatever form or page would have kept it out."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from typing import Any, Unpack, get_args, get_origin, get_type_hints
from unittest.mock import patch

import accounts.services
import mailboxes.services
import tenants.activity
import tenants.branding
import tenants.figures
import tenants.identity
import tenants.services
from mailboxes.models import Mailbox
from tests.wall.verbs import NOWHERE, TABLE, Line, verbs

# Without a NUL and without halves of characters: look-ups fail on them, and the gates let none in (gates/test_nul.py).
TEXTS = (
    "",
    "\u212ate@example.com",  # the sign for kelvin
    f"{'a' * 300}@example.com",
    "a@" + "\u00fc" * 60 + ".example",  # in ASCII longer than a label may be
    "a@\u2603.example",  # a snowman, which by an earlier IDNA is the next one
    "a@xn--n3h.example",
    "=?utf-8?q?a?=@example.com",  # which is mailed to a@example.com
    "line\nbreak",
    "N" + "\u030d" * 9,
    "password1234",
    "%(name)s",
    "\N{PILE OF POO}" * 10_000,
)
# By what an argument takes.
VALUES: dict[Any, tuple[Any, ...]] = {
    str: TEXTS,
    str | None: TEXTS,
    tuple[str, ...]: tuple((text,) for text in TEXTS),
    list[str]: (["nonsense"], ["192.0.2.1/24"], "192.0.2.0/24", [4], {}, None),
    int: (-1, 2**70),
    int | None: (-1, 2**70),
}
# What nobody types: views know it of the request, the demo and the worker of themselves.
NEVER_TYPED = {"keep", "ip", "user_agent", "demo_hash", "secret", "customers"}

# Of the verbs that everybody may call those that take what was typed, with a call of each.
CALLS: dict[str, Line] = {
    name: Line(frozenset({"system"}), call)
    for name, call in {
        "accounts.services.ask_for_reset": lambda s, by: accounts.services.ask_for_reset(s.viewer.email),
        "accounts.services.mail_reset_link": lambda s, by: accounts.services.mail_reset_link(s.viewer.email),
        "accounts.services.reset_forgotten_password": lambda s, by: (
            accounts.services.reset_forgotten_password(
                s.viewer, "four-words-no-one-heard", key="x", **NOWHERE
            )
        ),
        "mailboxes.services.finish_reach_test": lambda s, by: mailboxes.services.finish_reach_test(
            s.acme, s.box("kept").pk, "x", []
        ),
        "mailboxes.services.take_reach_test": lambda s, by: mailboxes.services.take_reach_test(
            s.acme, s.box("kept").pk, "x"
        ),
        "mailboxes.services.verify_certificate": lambda s, by: mailboxes.services.verify_certificate("{}"),
        "tenants.activity.read": lambda s, by: tenants.activity.read(
            tenants.activity.activity_at(s.acme, by=by), tenants.activity.Asked()
        ),
        "tenants.activity.read_all": lambda s, by: list(
            tenants.activity.read_all(tenants.activity.activity_at(s.acme, by=by), tenants.activity.Asked())
        ),
        "tenants.activity.search": lambda s, by: list(
            tenants.activity.search(tenants.activity.activity_at(s.acme, by=by), tenants.activity.Asked())
        ),
        "tenants.branding.brand_by_key": lambda s, by: tenants.branding.brand_by_key("x"),
        "tenants.branding.logo_of": lambda s, by: tenants.branding.logo_of(
            tenants.branding.Brand("x", "x", logo_digest="x")
        ),
        "tenants.figures.days_of_provider": lambda s, by: tenants.figures.days_of_provider(
            s.northwind, by=by
        ),
        "tenants.figures.of_customers": lambda s, by: tenants.figures.of_customers([s.acme], by=by),
        "tenants.identity.domains_from": lambda s, by: tenants.identity.domains_from("acme.example"),
        "tenants.services.accept_invitation_as_newcomer": lambda s, by: (
            tenants.services.accept_invitation_as_newcomer(
                s.invitation("acme"), name="New", password="four-words-no-one-heard"
            )
        ),
        "tenants.services.check_place_name": lambda s, by: tenants.services.check_place_name("Acme"),
        "tenants.services.check_role": lambda s, by: tenants.services.check_role(
            "viewer", provider=None, customer=s.acme
        ),
        "tenants.services.find_customers": lambda s, by: list(tenants.services.find_customers(by=by)),
        "tenants.services.find_invitation": lambda s, by: tenants.services.find_invitation("x"),
        "tenants.services.hash_of": lambda s, by: tenants.services.hash_of("x"),
        "tenants.services.list_customers": lambda s, by: list(tenants.services.list_customers(by=by)),
    }.items()
}
LINES = TABLE | CALLS


@dataclass(frozen=True)
class Place:
    """An argument of a verb, or one of the texts of which it is made up."""

    argument: str
    part: str
    values: tuple[Any, ...]

    @contextmanager
    def typed_into(self, name: str, value: Any) -> Iterator[None]:
        """Whoever calls the verb of that name within does so with this value here."""
        module, _dot, verb = name.rpartition(".")
        real = verbs()[name]
        calls = 0

        def typed(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            call = inspect.signature(real).bind(*args, **kwargs)
            self._put(call.arguments, value)
            return real(*call.args, **call.kwargs)

        with patch.object(import_module(module), verb, typed):
            yield
        assert calls, f"{name} was not called"

    def _put(self, arguments: dict[str, Any], value: Any) -> None:
        known = arguments.get(self.argument)
        if not self.part:
            arguments[self.argument] = value
        elif is_dataclass(known) and not isinstance(known, type):
            arguments[self.argument] = replace(known, **{self.part: value})
        else:
            arguments[self.argument] = {**(known or {}), self.part: value}


def places(name: str) -> list[Place]:
    """Where something is typed into the verb."""
    return [place for place in _places(verbs()[name]) if place.argument not in NEVER_TYPED]


def arguments_of(name: str) -> set[str]:
    """What a refusal may say that it is about."""
    arguments = inspect.signature(verbs()[name]).parameters
    unpacked = (
        get_args(one.annotation)[0] for one in arguments.values() if get_origin(one.annotation) is Unpack
    )
    named = (part for changes in unpacked for part in get_type_hints(changes))
    return {*arguments, *named, *(place.part for place in places(name))}


def _places(verb: Any) -> Iterator[Place]:
    for argument in inspect.signature(verb).parameters.values():
        kind = argument.annotation
        if get_origin(kind) is Unpack:
            for name, of in get_type_hints(get_args(kind)[0]).items():
                if of in VALUES:
                    yield Place(argument.name, name, VALUES[of])
        elif argument.kind is inspect.Parameter.VAR_KEYWORD:
            yield from (Place(argument.name, detail, TEXTS) for detail in Mailbox.DETAILS)
        elif is_dataclass(kind):
            for field in fields(kind):
                if field.type in VALUES:
                    yield Place(argument.name, field.name, VALUES[field.type])
        elif kind in VALUES:
            yield Place(argument.name, "", VALUES[kind])
