"""What verbs refuse: each kind says its code, status and argument, and what no view catches is answered by them."""

import html
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
from accounts.errors import Refusal, SamePassword, WeakPassword
from mailboxes import errors, services
from mailboxes.services import collection, delivery
from portal.console.frame import refusals
from portal.console.mailboxes.forms import ConfirmForm
from portal.urls import customer as pages
from tenants.errors import MoreThanOwn, NoSuchMember, NotAllowed
from tests.wall.texts import arguments_of
from tests.wall.verbs import verbs

ROOMS = ("accounts", "tenants", "mailboxes", "gateway", "portal")

# What scripts and faces go by: of each code its status, and the argument that is refused. None ever changes.
CODES = {
    # accounts
    "answers-too-much": (502, "issuer"),
    "bad-token": (502, "issuer"),
    "cancelled": (403, ""),
    "identity-provider-fault": (502, "issuer"),
    "incomplete": (502, "issuer"),
    "invalid-address": (422, "email"),
    "invalid-person-name": (422, "name"),
    "invalid-value": (422, ""),
    "leads-elsewhere": (502, "issuer"),
    "no-configuration": (502, "issuer"),
    "no-organization": (404, "login"),
    "no-such-session": (404, ""),
    "not-asked-anew": (403, ""),
    "not-encrypted": (502, "issuer"),
    "not-under-way": (403, ""),
    "openid-refusal": (403, ""),
    "organization-unavailable": (502, "login"),
    "other-account": (403, ""),
    "other-issuer": (502, "issuer"),
    "password-already-saved": (409, ""),
    "password-offer-altered": (422, "token"),
    "password-offer-expired": (410, "token"),
    "password-offer-outdated": (409, "token"),
    "person-exists": (409, "email"),
    "private-network": (502, "issuer"),
    "refused": (409, ""),
    "reset-link-used": (410, ""),
    "same-password": (422, "new_password"),
    "somebody-elses": (403, ""),
    "too-many-at-once": (502, "issuer"),
    "too-many-marks": (422, "name"),
    "unconfirmed-address": (403, ""),
    "unknown-language": (422, "language"),
    "unknown-person": (403, ""),
    "unknown-theme": (422, "theme"),
    "unknown-time-zone": (422, "time_zone"),
    "unreachable": (502, "issuer"),
    "unreached": (502, "issuer"),
    "weak-password": (422, "password"),
    # mailboxes
    "already-created": (409, ""),
    "already-reset": (409, ""),
    "bad-credentials": (403, ""),
    "certificate-foreign": (422, "text"),
    "certificate-forged": (422, "text"),
    "certificate-incomplete": (422, "text"),
    "certificate-invalid": (422, "text"),
    "certificate-unreadable": (422, "text"),
    "invalid-description": (422, "description"),
    "invalid-name": (422, "name"),
    "invalid-reason": (422, "reason"),
    "key-changed": (409, ""),
    "locked-mail-undecided": (422, "locked_mail"),
    "mailbox-active": (409, ""),
    "mailbox-deleting": (409, ""),
    "mailbox-error": (409, ""),
    "mailbox-full": (507, ""),
    "mailbox-suspended": (409, ""),
    "maildrop-in-use": (409, ""),
    "maildrop-lost": (409, ""),
    "message-gone": (410, ""),
    "name-not-confirmed": (422, "confirmed_name"),
    "name-taken": (409, "name"),
    "network-not-allowed": (403, "peer"),
    "no-such-certificate": (404, ""),
    "no-such-job": (404, ""),
    "no-such-mailbox": (404, ""),
    "not-understood": (422, "understood"),
    "nothing-to-give-up": (422, "locked_mail"),
    "nothing-to-retry": (409, ""),
    "nothing-to-unlock": (409, "password"),
    "offer-altered": (422, "token"),
    "offer-expired": (410, "token"),
    "offer-outdated": (409, "token"),
    "password-mistyped": (422, "password"),
    "password-needed": (422, "password"),
    "public-key-invalid": (422, "public_key"),
    "still-active": (409, ""),
    "store-failed": (503, ""),
    "store-full": (507, ""),
    "store-is-moving": (409, ""),
    "stores-are-one": (409, ""),
    "stores-not-both-in-use": (409, ""),
    "too-many-guesses": (429, "password"),
    "unknown-address": (404, "address"),
    "tested-too-often": (429, ""),
    "unknown-status": (422, "status"),
    "wrong-current-password": (422, "password"),
    # tenants
    "invalid-colour": (422, "colour"),
    "invalid-logo": (422, "logo"),
    "invalid-phone": (422, "support_phone"),
    "invalid-website": (422, "support_url"),
    "logo-too-large": (422, "logo"),
    "address-taken": (409, ""),
    "already-invited": (409, "email"),
    "already-member": (409, "email"),
    "append-only": (500, ""),
    "consents-lost": (409, "loss_accepted"),
    "client-secret-needed": (422, "client_secret"),
    "domain-not-proven": (409, "domain"),
    "domain-taken": (409, "email_domains"),
    "for-somebody-else": (403, ""),
    "identity-provider-error": (409, ""),
    "identity-provider-set-up": (409, ""),
    "invalid-client": (422, "client_id"),
    "invalid-domain": (422, "email_domains"),
    "invalid-limit": (422, "customers"),
    "invalid-networks": (422, "allowed_networks"),
    "invalid-place-name": (422, "name"),
    "invalid-quota": (422, "mailbox_quota_octets"),
    "invalid-group": (422, "group"),
    "invalid-tags": (422, "tags"),
    "invalid-suspension-reason": (422, "reason"),
    "customer-suspended": (409, ""),
    "customer-full": (507, ""),
    "message-too-large": (413, "octets"),
    "too-many-mailboxes": (409, ""),
    "invalid-role": (422, "role"),
    "invalid-slug": (422, "slug"),
    "invalid-tenant": (422, "tenant"),
    "invitation-error": (409, ""),
    "invitation-expired": (410, ""),
    "invitation-used": (410, ""),
    "invitation-withdrawn": (410, ""),
    "last-owner": (409, "role"),
    "mail-not-sent": (503, ""),
    "more-than-own": (403, "role"),
    "no-such-customer": (404, "slug"),
    "no-such-invitation": (404, ""),
    "no-such-member": (404, ""),
    "no-such-person": (404, "email"),
    "no-such-provider": (404, "slug"),
    "nobody-at-domain": (409, "email_domains"),
    "not-allowed": (403, ""),
    "not-connected": (409, "email"),
    "not-in-a-team": (404, ""),
    "other-consents-lost": (409, "loss_accepted"),
    "other-identity-provider": (409, "service"),
    "own-access": (409, "is_active"),
    "own-second-factor-missing": (409, "require_second_factor"),
    "person-of-the-demo": (409, "email"),
    "person-switched-off": (409, "email"),
    "sent-just-now": (429, ""),
    "sign-in-first": (409, ""),
    "being-upgraded": (503, ""),
    "schema-is-there": (409, ""),
    "schema-in-the-way": (409, ""),
    "slug-taken": (409, "slug"),
    "tenant-error": (409, ""),
    "too-many-invitations": (429, ""),
    "too-much-to-tell": (422, ""),
    "unknown-kind": (422, "kind"),
    "unknown-protocol": (422, "kind"),
}


def kinds(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in of.__subclasses__():
        if kind.__module__.partition(".")[0] in ROOMS:
            yield kind
            yield from kinds(kind)


def known_fields() -> set[str]:
    """The arguments of all verbs, and the fields of all forms."""
    doors = [*verbs().values(), delivery.resolve, collection.open_maildrop]
    found = {name for verb in doors for name in inspect.signature(verb).parameters}
    found |= {name for verb in verbs() for name in arguments_of(verb)}
    for module in walk_packages(portal.console.__path__, "portal.console."):
        for _name, form in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(form, forms.BaseForm):
                found |= set(getattr(form, "base_fields", ()))
    return found


# --- What a kind says of itself ---
def test_codes_statuses_and_arguments_are_those_that_programs_know():
    assert {kind.code: (kind.status, kind.field) for kind in kinds()} == CODES


def test_a_code_means_one_thing():
    of_code = defaultdict(set)
    for kind in kinds():
        of_code[kind.code].add(kind)
    for same in of_code.values():
        first = min(same, key=lambda kind: len(kind.__mro__))
        assert all(issubclass(kind, first) for kind in same), same
        assert len({(kind.status, kind.field) for kind in same}) == 1, same


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
    password = forms.CharField(required=False)
    token = forms.CharField(widget=forms.HiddenInput)


@pytest.mark.parametrize(
    ("refusal", "beside"),
    [
        (errors.NameTaken(name="Journal"), "name"),
        (errors.OfferAltered(), "__all__"),  # of a field that nobody sees
        (SamePassword(), "__all__"),  # of a field that this form lacks
        (WeakPassword("It is too short.", "It is too common."), "password"),  # a line each
        (errors.StillActive(name="Journal"), "__all__"),
        (MoreThanOwn(), "__all__"),
    ],
)
def test_a_refusal_stands_beside_its_field_or_above_the_form(refusal, beside):
    form = Form({"name": "Journal", "token": "x"})
    refusals.show(form, refusal)
    assert form.errors == {beside: refusal.messages}
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
def refusal_of(code: str) -> Refusal:
    refusal = next(kind for kind in kinds() if kind.code == code)()
    refusal.details = defaultdict(lambda: "a detail that is told")
    return refusal


def refuse(request: HttpRequest, code: str) -> HttpResponse:
    raise refusal_of(code) from OSError(request.GET["cause"])


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


@pytest.mark.parametrize("code", [code for code, (status, _field) in CODES.items() if status >= 500])
def test_what_fails_on_our_side_tells_nobody_why(cast, client_for, refusing, code):
    answer = client_for(cast.admin).get(f"/refuse/{code}/", {"cause": "any"})
    page = answer.content.decode()
    assert answer.status_code == CODES[code][0]
    assert "Something went wrong on our side" in page
    assert html.escape(refusal_of(code).message) not in page and "a detail that is told" not in page
