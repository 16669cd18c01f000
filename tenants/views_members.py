"""What the pages Team and People have in common: the list, inviting, changing, removing."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants import errors, services
from tenants.forms_people import ALL, SOME, InviteForm, RoleForm
from tenants.links import base_url
from tenants.models import Customer, Membership, Provider

PAGE_LENGTH = 50
COLUMNS = [
    ("name", gettext_lazy("Name, address")),
    ("role", gettext_lazy("Role")),
    ("second_factor", gettext_lazy("Second factor")),
    ("last_login", gettext_lazy("Last sign-in")),
]
# Beside which field a refusal stands; others stand above the form.
FIELD_OF: dict[type[errors.TenantError], str] = {
    errors.AlreadyMember: "email",
    errors.AlreadyInvited: "email",
    errors.MoreThanOwn: "role",
    errors.InvalidRole: "role",
    errors.LastOwner: "role",
    errors.InvalidLimit: "customers",
}


@dataclass(frozen=True)
class Desk:
    """Where people are managed: at a provider ("team") or at a customer ("people"), and by whom."""

    place: Provider | Customer
    user: Any
    prefix: str
    query: str = ""  # tells one provider from another in every link

    @cached_property  # each row of the list asks
    def may_manage(self) -> bool:
        return services.may_manage(self.user, self.place)

    @property
    def is_team(self) -> bool:
        return isinstance(self.place, Provider)

    def url(self, verb: str = "", *args: Any) -> str:
        name = f"{self.prefix}_{verb}" if verb else self.prefix
        return reverse(name, args=args) + (f"?{urlencode({'provider': self.query})}" if self.query else "")

    @property
    def home(self) -> str:
        return self.url()

    @property
    def invite(self) -> str:
        return self.url("invite")


def index(request: HttpRequest, desk: Desk, template: str, more: dict[str, Any]) -> HttpResponse:
    """Who is there and who is invited: ?q= searches both, ?sort= orders the first, ?page= and ?invited= count."""
    # PostgreSQL takes no NUL, and what nobody can type need not be an error.
    search = request.GET.get("q", "").replace("\x00", "").strip()
    sort = request.GET.get("sort", "name")
    members = Paginator(services.members(desk.place, search=search, sort=sort), PAGE_LENGTH)
    invited = Paginator(services.invited(desk.place, search=search), PAGE_LENGTH)
    page, waiting = (
        members.get_page(request.GET.get("page")),
        invited.get_page(request.GET.get("invited")),
    )
    now = timezone.now()
    context = {
        "desk": desk,
        "page": page,
        "rows": [(row, desk.url("member", row.pk)) for row in page],
        "waiting": waiting,
        "invitations": [
            {
                "row": row,
                "expired": row.expires_at <= now,
                "again": desk.url("invitation_again", row.pk),
                "withdraw": desk.url("invitation_withdraw", row.pk),
            }
            for row in waiting
        ],
        "q": search,
        "sort": sort,
        "columns": [_column(key, title, sort) for key, title in COLUMNS],
    }
    return render(request, template, context | more)


def invite(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask somebody in by e-mail."""
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
            return redirect(desk.home)
        except (errors.TenantError, ValidationError) as error:
            _show(form, error)
        else:
            messages.success(request, _("%(email)s has been invited.") % {"email": email.lower()})
            return redirect(desk.home)
    return render(request, "tenants/invite.html", {"desk": desk, "form": form})


def member(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Change somebody's role and reach."""
    row = _find(desk, pk)
    limit = list(row.customers.all())
    form = RoleForm(
        request.POST or None,
        place=desk.place,
        roles=services.givable_roles(desk.user, desk.place),
        initial={"role": row.role, "reach": SOME if limit else ALL, "customers": limit},
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change_member(
                desk.place, pk, role=form.cleaned_data["role"], customers=form.limit, by=desk.user
            )
        except errors.NoSuchMember as error:
            raise Http404(error.message) from error
        except errors.TenantError as error:
            _show(form, error)
        else:
            messages.success(request, _("The role of %(person)s is changed.") % {"person": _name(row)})
            return redirect(desk.home)
    context = {"desk": desk, "member": row, "form": form, "remove": desk.url("remove", pk)}
    context |= {"own_url": desk.url("member", pk), "myself": row.user_id == desk.user.pk}
    return render(request, "tenants/member.html", context)


def remove(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Take somebody's role away, after asking."""
    row = _find(desk, pk)
    myself = row.user_id == desk.user.pk
    refusal = None
    if request.method == "POST":
        try:
            services.remove_member(desk.place, pk, by=desk.user)
        except errors.NoSuchMember as error:
            raise Http404(error.message) from error
        except errors.TenantError as error:
            refusal = error
        else:
            messages.success(request, _("%(person)s has been removed.") % {"person": _name(row)})
            return redirect(base_url(request) if myself else desk.home)
    context = {
        "desk": desk,
        "member": row,
        "myself": myself,
        "refusal": refusal,
        "own_url": desk.url("remove", pk),
    }
    return render(request, "tenants/member_remove.html", context | {"back": desk.url("member", pk)})


def send_again(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Another mail with another link."""
    try:
        invitation = services.send_invitation_again(desk.place, pk, by=desk.user)
    except errors.NoSuchInvitation as error:
        raise Http404(error.message) from error
    except errors.TenantError as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request, _("The invitation of %(email)s was sent again.") % {"email": invitation.email}
        )
    return redirect(desk.home)


def withdraw(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Make the link useless."""
    try:
        invitation = services.withdraw_invitation(desk.place, pk, by=desk.user)
    except errors.NoSuchInvitation as error:
        raise Http404(error.message) from error
    except errors.TenantError as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email}
        )
    return redirect(desk.home)


def _find(desk: Desk, pk: int) -> Any:
    """Raises what gives the 404 page, for another place's people too."""
    try:
        return services.member(desk.place, pk)
    except errors.NoSuchMember as error:
        raise Http404(error.message) from error


def _name(row: Membership) -> str:
    return str(row.user.get_display_name())


def _show(form: RoleForm, error: errors.TenantError | ValidationError) -> None:
    if isinstance(error, ValidationError):
        form.add_error("email", error)
        return
    field = FIELD_OF.get(type(error))
    form.add_error(field if field in form.fields else None, error.message)


def _column(key: str, title: Any, sort: str) -> dict[str, Any]:
    """A head cell: its link sorts by it, or the other way round when the list is sorted by it already."""
    order = {key: "ascending", f"-{key}": "descending"}.get(sort, "")
    return {"title": title, "order": order, "link": f"-{key}" if order == "ascending" else key}
