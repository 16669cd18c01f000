"""What verbs refuse: each kind says its code, status and argument, and what no view catches is answered by them."""

import inspect
import logging
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from importlib import import_module
from pkgutil import walk_packages
from uuid import uuid4

import pytest
from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path

import portal.console
from accounts.actors import SYSTEM
from accounts.errors import Refusal, SamePassword
from accounts.openid.errors import BadToken
from mailboxes import errors, services
from mailboxes.services import collection, delivery
from portal.console.frame import refusals
from portal.console.mailboxes.forms import ConfirmForm
from portal.urls import customer as pages
from tenants.errors import MoreThanOwn, NoSuchMember, NotAllowed
from tests.wall.verbs import verbs

ROOMS = ("accounts", "tenants", "mailboxes", "gateway", "portal")


def kinds(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in of.__subclasses__():
        if kind.__module__.partition(".")[0] in ROOMS:
            yield kind
            yield from kinds(kind)


def known_fields() -> set[str]:
    """The arguments of all verbs, and the fields of all forms."""
    doors = [*verbs().values(), delivery.resolve, collection.open_maildrop]
    found = {name for verb in doors for name in inspect.signature(verb).parameters}
    for module in walk_packages(portal.console.__path__, "portal.console."):
        for _name, form in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(form, forms.BaseForm):
                found |= set(getattr(form, "base_fields", ()))
    return found


# --- What a kind says of itself ---
def test_a_code_means_one_thing():
    of_code = defaultdict(set)
    for kind in kinds():
        of_code[kind.code].add(kind)
    for same in of_code.values():
        first = min(same, key=lambda kind: len(kind.__mro__))
        assert all(issubclass(kind, first) for kind in same), same


def test_each_kind_has_a_status_of_http_for_what_is_refused_or_fails():
    assert [kind for kind in kinds() if HTTPStatus(kind.status) < HTTPStatus.BAD_REQUEST] == []


def test_each_kind_is_about_an_argument_of_a_verb_or_about_none():
    known = known_fields() | {""}
    assert [(kind.__name__, kind.field) for kind in kinds() if kind.field not in known] == []


@pytest.mark.parametrize(("verb", "field"), [("offer_reset", "current_password"), ("unlock", "password")])
def test_a_rule_that_verbs_share_names_the_argument_of_the_one_that_was_called(
    acme, acme_mailbox, verb, field
):
    mailbox = services.mailbox_by_address(acme, acme_mailbox.address, by=SYSTEM)
    with pytest.raises(errors.PasswordMistyped) as refused:
        getattr(services, verb)(acme, mailbox, by=SYSTEM, **{field: "mistyped"})
    assert refused.value.field == field


# --- On a form ---
class Form(forms.Form):
    name = forms.CharField()
    token = forms.CharField(widget=forms.HiddenInput)


@pytest.mark.parametrize(
    ("refusal", "beside"),
    [
        (errors.NameTaken(name="Journal"), "name"),
        (errors.OfferAltered(), "__all__"),  # of a field that nobody sees
        (SamePassword(), "__all__"),  # of a field that this form lacks
        (errors.StillActive(name="Journal"), "__all__"),
        (MoreThanOwn(), "__all__"),
    ],
)
def test_a_refusal_stands_beside_its_field_or_above_the_form(refusal, beside):
    form = Form({"name": "Journal", "token": "x"})
    refusals.show(form, refusal)
    assert form.errors == {beside: [refusal.message]}
    assert form.has_error(beside, refusal.code)


def test_a_field_that_travelled_hidden_is_shown_with_what_is_wrong_with_it():
    form = ConfirmForm({"name": "Journal", "description": "", "token": "x"})
    form.ask_again(errors.NameTaken(name="Journal"))
    assert form.errors.keys() == {"name"}
    assert not form["name"].is_hidden
    assert form["description"].is_hidden


@pytest.mark.parametrize("refusal", [NoSuchMember(), NotAllowed()])
def test_what_no_other_words_would_mend_is_no_matter_of_the_form(refusal):
    with pytest.raises(type(refusal)):
        refusals.show(Form({"name": "Journal", "token": "x"}), refusal)


# --- What no view catches ---
def refuse(request: HttpRequest, code: str) -> HttpResponse:
    raise next(kind for kind in kinds() if kind.code == code) from OSError(request.GET["cause"])


urlpatterns = [*pages.urlpatterns, path("refuse/<str:code>/", refuse)]


@pytest.fixture
def refusing(settings):
    settings.ROOT_URLCONF = __name__


@pytest.mark.parametrize("page", ["/mailboxes/{}/edit/", "/mailboxes/jobs/{}/", "/mailboxes/deleted/{}/"])
def test_what_is_not_there_is_not_found(cast, client_for, page):
    answer = client_for(cast.admin).get(page.format(uuid4()))
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_what_is_not_allowed_is_forbidden(cast, client_for):
    answer = client_for(cast.viewer).get("/mailboxes/new/")
    assert answer.status_code == 403
    assert "You may not do this" in answer.content.decode()


def test_what_a_view_has_forgotten_says_what_the_refusal_says_and_is_logged(
    cast, client_for, refusing, caplog
):
    with caplog.at_level(logging.ERROR, logger="portal.gates.refusals"):
        answer = client_for(cast.admin).get("/refuse/mailbox-deleting/", {"cause": "forged line"})
    assert answer.status_code == 409
    assert errors.MailboxDeleting().message in answer.content.decode()
    assert "Acme" in answer.content.decode()  # in the frame of the place where it happened
    assert "no page answers mailbox-deleting at '/refuse/mailbox-deleting/'" in caplog.text
    assert "in refuse" in caplog.text  # the view
    assert "caused by OSError" in caplog.text and "forged line" not in caplog.text


def test_what_fails_on_our_side_tells_nobody_why(cast, client_for, refusing, caplog):
    answer = client_for(cast.admin).get("/refuse/bad-token/", {"cause": "any"})
    assert answer.status_code == BadToken.status == 502
    assert BadToken().message not in answer.content.decode()
    assert "Something went wrong on our side" in answer.content.decode()
