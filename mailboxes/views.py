"""The customer's console: find, ask the services, answer. Only people with rights here get this far (tenants.middleware)."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID
from zlib import crc32

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from mailboxes import errors, services
from mailboxes.forms import ConfirmForm, MailboxForm
from mailboxes.models import Mailbox
from tenants.access import Right, require
from tenants.errors import NotAllowed
from tenants.models import Customer

PAGE_LENGTH = 50

View = Callable[..., HttpResponse]


class ConsoleRequest(HttpRequest):
    """A request as it gets here: somebody signed in, on the host of a customer where that person has rights."""

    user: User
    customer: Customer
    rights: frozenset[Right]
    htmx: HtmxDetails


def needs(right: Right) -> Callable[[View], View]:
    """Let in who has the right; everybody else who may look at this customer gets the 403 page."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                require(request.user, request.customer, right)
            except NotAllowed as error:
                raise PermissionDenied(str(error)) from error
            return view(request, *args, **kwargs)

        return guarded

    return guard


def never_kept(view: View) -> View:
    """For pages that may hold a password: no cache keeps them, and no other site learns that they were open.

    The referrer policy is "same-origin", not "no-referrer": with that, browsers send "Origin: null" with the page's
    own form, which the protection against forged requests must refuse. The page's address says nothing secret.
    """

    @wraps(view)
    def marked(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "same-origin"
        return response

    return marked


@require_safe
@needs(Right.VIEW_MAILBOXES)
def index(request: ConsoleRequest) -> HttpResponse:
    """All mailboxes of the customer."""
    search = request.GET.get("q", "").strip()
    sort = request.GET.get("sort", "name")
    mailboxes = services.list_mailboxes(search=search, sort=sort)
    context = {
        "page": Paginator(mailboxes, PAGE_LENGTH).get_page(request.GET.get("page")),
        "q": search,
        "sort": sort,
        "may_create": Right.CREATE_MAILBOX in request.rights,
    }
    return render(request, "mailboxes/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CREATE_MAILBOX)
@never_kept
@sensitive_post_parameters("token")
def new(request: ConsoleRequest) -> HttpResponse:
    """Create a mailbox in two steps: name it and see its password; confirm, and it exists."""
    if request.method == "POST":
        return _confirm(request) if "token" in request.POST else _offer(request)
    return render(request, "mailboxes/new.html", {"form": MailboxForm()})


@sensitive_variables("offer")
def _offer(request: ConsoleRequest) -> HttpResponse:
    form, taken = MailboxForm(request.POST), ""
    if form.is_valid():
        asked = form.cleaned_data
        try:
            offer = services.offer(request.customer, by=request.user, **asked)
        except (errors.InvalidName, errors.NameTaken) as error:
            taken = asked["name"] if isinstance(error, errors.NameTaken) else ""
            form.add_error("name", error.message)
        except errors.InvalidDescription as error:
            form.add_error("description", error.message)
        else:
            confirm = ConfirmForm(initial={"token": offer.token, **asked})
            context = {"offer": offer, "form": confirm, "servers": services.servers(), **asked}
            return render(request, "mailboxes/password.html", context)
    return render(request, "mailboxes/new.html", {"form": form, "taken": taken})


@sensitive_variables("form", "brought")
def _confirm(request: ConsoleRequest) -> HttpResponse:
    form = ConfirmForm(request.POST)
    form.is_valid()  # it asks for nothing that could be missing
    brought = {name: form.cleaned_data.get(name, "") for name in ("token", "name", "description")}
    understood = bool(form.cleaned_data.get("understood"))
    try:
        mailbox = services.accept(request.customer, by=request.user, understood=understood, **brought)
    except errors.AlreadyCreated as error:
        messages.info(request, error.message)
        return redirect("mailboxes:detail", pk=error.mailbox_id)
    except (errors.OfferExpired, errors.OfferAltered) as error:
        again = MailboxForm(initial={"name": brought["name"], "description": brought["description"]})
        return render(request, "mailboxes/new.html", {"form": again, "refusal": error.message})
    except (errors.InvalidName, errors.NameTaken) as error:
        form.ask_again("name", error.message)
    except errors.InvalidDescription as error:
        form.ask_again("description", error.message)
    except errors.NotUnderstood as error:
        form.add_error("understood", error.message)
    else:
        messages.success(request, _("The mailbox “%(name)s” has been created.") % {"name": mailbox.name})
        return redirect("mailboxes:detail", pk=mailbox.pk)
    return render(request, "mailboxes/confirm.html", {"form": form})


@require_safe
@vary_on_headers("HX-Request")
def detail(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A mailbox: its address, what came and went, and how to set up the senders and the archiver."""
    try:
        mailbox = services.mailbox_for(request.user, request.customer, pk, Right.VIEW_MAILBOXES)
    except errors.NoSuchMailbox as error:
        raise Http404(error.message) from error
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    activity = services.activity(mailbox)
    context = {
        "mailbox": mailbox,
        "activity": activity,
        "seen": _fingerprint(activity),
        "awaiting": _awaits_news(mailbox, activity),
    }
    if request.htmx and not request.htmx.history_restore_request:
        # Nothing new: leave the page alone, so that a screen reader does not repeat it every few seconds.
        if request.GET.get("seen") == context["seen"]:
            return HttpResponse(status=204)
        return render(request, "mailboxes/detail.html#activity", context)
    context["servers"], context["mail_domain"] = services.servers(), mailbox.address.partition("@")[2]
    return render(request, "mailboxes/detail.html", context)


def _fingerprint(activity: services.Activity) -> str:
    """Short text that differs when anything that the page shows differs."""
    return f"{crc32(repr(activity).encode()):08x}"


def _awaits_news(mailbox: Mailbox, activity: services.Activity) -> bool:
    """Whether the page still watches: until the first mail has come and the first collection has been made."""
    if mailbox.status == Mailbox.Status.DELETING:
        return False
    return activity.first_mail_at is None or activity.first_collection_at is None
