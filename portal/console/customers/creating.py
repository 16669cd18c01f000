"""Creating a customer: one form for it, its first administrator and its first mailbox."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from portal.console.customers.forms import NewForm
from portal.console.frame import refusals
from portal.gates.links import console_url
from portal.gates.requests import PersonsRequest
from tenants import errors, services
from tenants.access import Right, providers_of
from tenants.models import Customer


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PersonsRequest) -> HttpResponse:
    """It is there at once. Its first mailbox is created in its console, for the password is shown there, once: the way leads
    on to that page, and who does not go it has a customer without a mailbox.
    """
    providers = services.founding_providers(by=request.user)
    if not providers:
        raise errors.NotAllowed if providers_of(request.user).exists() else errors.NotInATeam
    form = NewForm(
        request.POST or None,
        providers=providers,
        zone=request.user.time_zone,
        groups=services.groups_of(providers, by=request.user),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(request, form)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            return _lead_on(request, made, form.cleaned_data["mailbox_name"])
    return render(request, "customers/new.html", {"form": form, "domain": Customer(slug="x").host[1:]})


def _create(request: PersonsRequest, form: NewForm) -> Customer:
    """With an invitation if somebody is to be asked in; one whose mail failed stands, as does the customer."""
    asked, email = form.for_the_verb, form.cleaned_data["admin_email"]
    if not email:
        return services.create_customer(by=request.user, **asked)
    try:
        made = services.found_customer(admin_email=email, by=request.user, **asked)
    except errors.MailNotSent as error:
        messages.warning(request, error.message)
        return services.customer_for(request.user, asked["slug"], Right.OVERSEE_CUSTOMER)
    messages.success(request, _("%(email)s has been invited.") % {"email": email})
    return made


def _lead_on(request: PersonsRequest, made: Customer, mailbox: str) -> HttpResponse:
    if not mailbox:
        messages.success(request, _("The customer “%(name)s” has been created.") % {"name": made.name})
        return redirect("customer", slug=made.slug)
    messages.success(
        request, _("The customer “%(name)s” has been created. Now its first mailbox.") % {"name": made.name}
    )
    return redirect(console_url(made, request, f"/mailboxes/new/?{urlencode({'name': mailbox})}"))
