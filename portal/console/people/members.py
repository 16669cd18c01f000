"""What the pages Team and People have in common: the list, inviting, changing, removing."""

from collections.abc import Container
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.errors import Refusal
from portal.console.frame import refusals
from portal.console.frame.lists import page_of, searched
from portal.console.people.desk import Desk
from portal.console.people.forms import ALL, SOME, InviteForm, MemberForm
from portal.gates.links import base_url
from tenants import errors, services
from tenants.access import customers_of
from tenants.models import Invitation, Membership

IN_A_ROW = 3  # names of customers; more would make one row of a list as high as the list


def index(request: HttpRequest, desk: Desk, template: str, more: dict[str, Any]) -> HttpResponse:
    """Who is there and who is invited: ?q= searches both, ?sort= orders the first, ?page= and ?page-invited= count."""
    search = searched(request)
    sort = request.GET.get("sort", "name")
    page = page_of(request, services.members(desk.place, by=desk.user, search=search, sort=sort))
    waiting = page_of(request, services.invited(desk.place, by=desk.user, search=search), "invited")
    now = timezone.now()
    inviters = services.inviters_of(waiting)
    known = set(customers_of(desk.user).values_list("pk", flat=True)) if desk.is_team else set()
    context = {
        "desk": desk,
        "page": page,
        "rows": [(row, desk.pages.url("member", row.pk), _reach(row, known)) for row in page],
        "waiting": waiting,
        "invitations": [
            {
                "row": row,
                "by": inviters[row.pk],
                "reach": _reach(row, known),
                "expired": row.expires_at <= now,
                "again": desk.pages.url("invitation_again", row.pk),
                "withdraw": desk.pages.url("invitation_withdraw", row.pk),
            }
            for row in waiting
        ],
        "q": search,
        "sort": sort,
    }
    return render(request, template, context | more)


def invite(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask somebody in by email."""
    roles = services.givable_roles(desk.user, desk.place)
    least = roles[-1] if roles else ""  # who does not look gives little away
    form = InviteForm(
        request.POST or None, place=desk.place, roles=roles, initial={"role": least, "reach": ALL}
    )
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            services.invite(
                desk.place, email, role=form.cleaned_data["role"], customers=form.limit, by=desk.user
            )
        except errors.MailNotSent as error:
            messages.warning(request, error.message)
            return redirect(desk.pages.home)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("%(email)s has been invited.") % {"email": email})
            return redirect(desk.pages.home)
    return render(request, "people/invite.html", {"desk": desk, "form": form})


def member(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Change somebody's role and reach."""
    row = services.member(desk.place, pk, by=desk.user)
    limit = services.limit_of(row)
    form = MemberForm(
        request.POST or None,
        place=desk.place,
        roles=services.givable_roles(desk.user, desk.place),
        initial={"role": row.role, "reach": ALL if limit is None else SOME, "customers": limit},
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change_member(desk.place, pk, by=desk.user, **form.for_the_verb)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("The role of %(person)s is changed.") % {"person": _name(row)})
            return redirect(desk.pages.home)
    context = {
        "desk": desk,
        "member": row,
        "myself": row.user_id == desk.user.pk,
        "refusal": services.refusal_of_leaving(row),
        "form": form,
        "own_url": desk.pages.url("member", pk),
        "remove": desk.pages.url("remove", pk),
    }
    return render(request, "people/member.html", context)


def remove(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Take somebody's role away, after asking."""
    row = services.member(desk.place, pk, by=desk.user)
    myself = row.user_id == desk.user.pk
    form = forms.Form(request.POST if request.method == "POST" else None)  # the button alone
    if form.is_valid():
        try:
            services.remove_member(desk.place, pk, by=desk.user)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("%(person)s has been removed.") % {"person": _name(row)})
            return redirect(base_url(request) if myself else desk.pages.home)
    context = {
        "desk": desk,
        "member": row,
        "myself": myself,
        "refusal": services.refusal_of_leaving(row),
        "form": form,
        "own_url": desk.pages.url("remove", pk),
    }
    return render(request, "people/member_remove.html", context | {"back": desk.pages.url("member", pk)})


def send_again(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Another mail with another link."""
    if request.method != "POST":
        return redirect(desk.pages.home)  # where the button is
    with refusals.told(request):
        invitation = services.send_invitation_again(desk.place, pk, by=desk.user)
        messages.success(
            request, _("The invitation of %(email)s was sent again.") % {"email": invitation.email}
        )
    return redirect(desk.pages.home)


def withdraw(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Make the link useless."""
    if request.method != "POST":
        return redirect(desk.pages.home)  # where the button is
    with refusals.told(request):
        invitation = services.withdraw_invitation(desk.place, pk, by=desk.user)
        messages.success(
            request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email}
        )
    return redirect(desk.pages.home)


def _reach(row: Membership | Invitation, known: Container[Any]) -> dict[str, Any]:
    """What people/reach.html says of the customers to which somebody is limited, as far as the reader may know them; nothing
    for who is not.
    """
    limit = services.limit_of(row)
    if limit is None:
        return {}
    names = [customer.name for customer in limit if customer.pk in known]
    others = [pgettext("customers", "others")] if len(names) < len(limit) else []
    shown = (
        len(names) if len(names) == IN_A_ROW + 1 else IN_A_ROW
    )  # “and 1 more customer” is no shorter than its name
    comma = _(", ")
    return {
        "names": comma.join(names[:shown] + others) or _("no customer"),
        "more": names[shown:],
        "comma": comma,
    }


def _name(row: Membership) -> str:
    return str(row.user.get_display_name())
