"""One customer, as its provider's people see it: how it stands, what it may have, who is there."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import tenant_context

from accounts.errors import Refusal
from mailboxes import services as mailbox_services
from portal.console.customers.forms import AdministratorForm, EditForm, SuspendForm
from portal.console.frame import refusals
from portal.gates.links import console_url
from portal.gates.requests import PersonsRequest
from tenants import errors, services
from tenants.access import Right, rights_of
from tenants.models import Customer, Membership

SHOWN = 5  # of its mailboxes and people; all of them stand in its console


@require_safe
def customer(request: PersonsRequest, slug: str) -> HttpResponse:
    """Its limits and how much of them is used, its people and mailboxes, and the way into its console."""
    found = services.customer_for(request.user, slug, Right.OVERSEE_CUSTOMER)
    use = mailbox_services.use_of(found, by=request.user)
    with tenant_context(found):
        mailboxes = list(mailbox_services.list_mailboxes(found, by=request.user)[:SHOWN])
    people = services.members(found, by=request.user)
    context: dict[str, Any] = {
        "of": found,
        "rights": rights_of(request.user, found),
        "use": use,
        "mailboxes": mailboxes,
        "people": people.count(),
        "admins": people.filter(role=Membership.Role.ADMIN)[:SHOWN],
        "invited": services.invited(found, by=request.user)[:SHOWN],
        "may_found": services.may_found_customer(request.user, found),
        "language_name": dict(settings.LANGUAGES).get(found.language, ""),
        "console": console_url(found, request, "/mailboxes/").removesuffix("/mailboxes/"),
    }
    return render(request, "customers/customer.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PersonsRequest, slug: str) -> HttpResponse:
    """Change what is decided about it."""
    found = services.customer_for(request.user, slug, Right.EDIT_CUSTOMER)
    stored = {name: getattr(found, name) for name in ("name", *Customer.FACTS)}
    form = EditForm(
        request.POST or None,
        initial=stored,
        groups=services.groups_of([found.provider], by=request.user),
        zone=found.time_zone,
    )
    form.stored = stored
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_customer(found, by=request.user, **form.changes)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("Your changes have been saved."))
            return redirect("customer", slug=slug)
    return render(request, "customers/edit.html", {"of": found, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request: PersonsRequest, slug: str) -> HttpResponse:
    """Shut its people out and put its mail off: says what that costs, and asks why."""
    found = services.customer_for(request.user, slug, Right.SUSPEND_CUSTOMER)
    typed = request.POST if request.method == "POST" else None  # a reason is not asked for
    form = SuspendForm(typed, initial={"reason": found.suspension_reason})
    if request.method == "POST" and form.is_valid():
        try:
            services.suspend_customer(found, reason=form.cleaned_data["reason"], by=request.user)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            return redirect("customer", slug=slug)  # which says it
    return render(request, "customers/suspend.html", {"of": found, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: PersonsRequest, slug: str) -> HttpResponse:
    """The button stands on the customer's page."""
    found = services.customer_for(request.user, slug, Right.SUSPEND_CUSTOMER)
    if request.method == "POST":
        with refusals.told(request):
            services.activate_customer(found, by=request.user)
            messages.success(
                request,
                _("“%(name)s” is active again: its people come in, and mail is taken.")
                % {"name": found.name},
            )
    return redirect("customer", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
def administrator(request: PersonsRequest, slug: str) -> HttpResponse:
    """Ask the first administrator in, or another one instead."""
    found = services.customer_for(request.user, slug, Right.EDIT_CUSTOMER)
    if not services.may_found_customer(request.user, found):
        raise errors.NotAllowed  # somebody is there by now, who invites
    form = AdministratorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            services.invite_first_admin(found, email, by=request.user)
        except errors.MailNotSent as error:
            messages.warning(request, error.message)
            return redirect("customer", slug=slug)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("%(email)s has been invited.") % {"email": email})
            return redirect("customer", slug=slug)
    waiting = services.to_be_first_admin(found).exists()
    return render(request, "customers/administrator.html", {"of": found, "form": form, "waiting": waiting})
