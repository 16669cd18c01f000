"""The way in by invitation, open to everybody who has the link. On the base host.

The link's secret is taken out of the address at once: what follows happens at /invitations/, with the secret's hash in
the visitor's session. So no referrer or ?next= carries it; that no log line does is up to portal/redaction.py.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from accounts.names import addresses_in
from portal.console.frame import refusals
from portal.console.frame.context import Door
from portal.console.people.forms import NewcomerForm
from portal.console.signin.by_password import SIGN_IN_AS
from portal.gates.branding import dress_of
from tenants import errors, services
from tenants.models import Invitation, Provider

SESSION_KEY = "invitation"
SHUT = (
    errors.NoSuchInvitation,
    errors.InvitationUsed,
    errors.InvitationWithdrawn,
    errors.InvitationExpired,
)


@login_not_required
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """From the email's link to the page that asks for the rest."""
    token_hash = services.hash_of(token)
    try:
        services.find_invitation(token_hash)
    except errors.NoSuchInvitation as error:
        return _shut(request, error)
    request.session[SESSION_KEY] = token_hash
    response = redirect("invitation_accept")
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_not_required
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest) -> HttpResponse:
    """Says what the invitation is for, and takes it: by who is signed in, or by making a person."""
    try:
        found = services.find_invitation(request.session.get(SESSION_KEY, ""))
        services.check_open(found)
        if not request.user.is_authenticated:
            request.session[SIGN_IN_AS] = found.email
            if services.invitee(found) is None:
                return _newcomer(request, found)
        return _known(request, found)
    except SHUT as error:
        return _shut(request, error)


def _known(request: HttpRequest, found: Invitation) -> HttpResponse:
    """Somebody is signed in, or has an account with which to sign in first."""
    context = _context(found)
    if request.user.is_authenticated and request.user.email != found.email:
        return render(request, "people/invitation_other.html", context)
    if request.method == "POST" and request.user.is_authenticated:
        try:
            services.accept_invitation(found, by=request.user)
        except errors.AlreadyMember as error:
            context["refusal"] = error
        else:
            messages.success(
                request, _("Welcome. You now have a role at %(place)s.") % {"place": context["place"]}
            )
            return redirect("home")
    return render(request, "people/invitation.html", context)


def _newcomer(request: HttpRequest, found: Invitation) -> HttpResponse:
    form = NewcomerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.accept_invitation_as_newcomer(found, **form.cleaned_data)
        except errors.SignInFirst as error:
            messages.info(request, error.message)
            return redirect("invitation_accept")
        except SHUT:
            raise  # another page tells of it
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("Your account is ready. Sign in with it now."))
            return redirect("account_login")
    return render(request, "people/invitation_new.html", _context(found) | {"form": form})


def _shut(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return render(request, "people/invitation_shut.html", {"refusal": refusal}, status=refusal.status)


def _context(found: Invitation) -> dict[str, Any]:
    by = services.inviters_of([found])[found.pk]
    place = services.place_of(found)
    return {
        # Who has the link may know whose it is; on this host nobody else does.
        "door": Door(dress_of(place if isinstance(place, Provider) else place.provider)),
        "invitation": found,
        "by": by,
        # As in the mail: an earlier release took names that hold an address.
        "inviter": "" if addresses_in(by.name) else by.name,
        "place": place,
        "next": reverse("invitation_accept"),
        **services.named_limit_of(found),
    }
