"""Who adds or removes a second factor, or makes new recovery codes, is told wherever they have a role."""

from allauth.mfa.models import Authenticator

from accounts.actors import SYSTEM
from tenants import activity
from tenants.models import AuditEvent
from tenants.services import add_membership
from tests.accounts.factors import CODES, Passkey, adds_a_passkey, sets_up_an_app
from tests.cast import provider


def told(*trails):
    """What each of them says of sign-in and security, in the order of the acts."""
    kind = activity.Asked(kind="sign-in")
    return [[entry.sentence for entry in activity.read(trail, kind).entries[::-1]] for trail in trails]


def test_adding_and_removing_is_told_wherever_the_person_has_a_role(
    cast, acme, globex, client_for, clock, django_capture_on_commit_callbacks
):
    add_membership(cast.admin, provider=provider("fabrikam"), role="operator", by=SYSTEM)
    client = client_for(cast.admin)
    with django_capture_on_commit_callbacks(execute=True):
        sets_up_an_app(client, clock)
    adds_a_passkey(client, Passkey())
    client.post("/accounts/2fa/totp/deactivate/")
    passkey = Authenticator.objects.get(user=cast.admin, type="webauthn")
    client.post(f"/accounts/2fa/webauthn/keys/{passkey.pk}/remove/")
    assert not Authenticator.objects.exists()
    story = [
        "admin@acme.example added the second factor “Authenticator app”.",
        "admin@acme.example added the second factor “Passkey”.",
        "admin@acme.example removed the second factor “Authenticator app”.",
        "admin@acme.example removed the second factor “Passkey”.",
    ]
    at_acme = activity.activity_at(acme, by=cast.viewer)
    at_fabrikam = activity.activity_for(cast.rival)
    at_globex = activity.activity_at(globex, by=cast.mallory)
    assert told(at_acme, at_fabrikam, at_globex) == [story, story, []]
    newest = activity.read(at_acme, activity.Asked(kind="sign-in")).entries[0]
    assert (newest.who.email, newest.event.origin) == (cast.admin.email, "127.0.0.1")


def test_new_recovery_codes_are_told_and_no_code_is(
    cast, acme, client_for, clock, django_capture_on_commit_callbacks
):
    client = client_for(cast.admin)
    with django_capture_on_commit_callbacks(execute=True):
        sets_up_an_app(client, clock)
        client.post(f"{CODES}generate/")
    ((*_, newest),) = told(activity.activity_at(acme, by=cast.viewer))
    assert newest == "admin@acme.example made new recovery codes."
    assert AuditEvent.objects.latest("id").data == {}
