"""Creating a mailbox in two steps: name it and see its password; confirm, and it exists."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from mailboxes import errors, services
from portal.console.frame import refusals
from portal.console.mailboxes.forms import ConfirmForm, MailboxForm, NewForm, as_read_at
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right, require


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("token")
def new(request: ConsoleRequest) -> HttpResponse:
    """Create a mailbox in two steps: name it and see its password; confirm, and it exists."""
    require(request.user, request.customer, Right.CREATE_MAILBOX)  # the form comes before any verb asks
    if request.method == "POST":
        return _confirm(request) if "token" in request.POST else _offer(request)
    # What Back brings along; wrong words are as good as none.
    typed = {name: request.GET[name] for name in NewForm.base_fields if name in request.GET}
    form = NewForm(initial=as_read_at(request.customer) | typed)
    return render(request, "mailboxes/new.html", {"form": form} | _room(request))


def _room(request: ConsoleRequest) -> dict[str, Any]:
    """How many more mailboxes there may be."""
    return {"left": services.mailboxes_left(request.customer, by=request.user)}


@sensitive_variables("offer")
def _offer(request: ConsoleRequest) -> HttpResponse:
    form, taken = NewForm(request.POST), ""
    if form.is_valid():
        asked = dict(form.cleaned_data)
        sheet_language = asked.pop("sheet_language")
        try:
            offer = services.offer(request.customer, by=request.user, **asked)
        except Refusal as refusal:
            taken = asked["name"] if isinstance(refusal, errors.NameTaken) else ""
            refusals.show(form, refusal)
        else:
            confirm = ConfirmForm(initial={"token": offer.token, **asked})
            context = {
                "offer": offer,
                "form": confirm,
                "servers": services.servers(),
                "sheet_language": sheet_language,
                "first_step": f"{request.path}?{urlencode({**asked, 'sheet_language': sheet_language})}",
                **asked,
            }
            return render(request, "mailboxes/new_password.html", context)
    return render(request, "mailboxes/new.html", {"form": form, "taken": taken} | _room(request))


@sensitive_variables("form", "brought")
def _confirm(request: ConsoleRequest) -> HttpResponse:
    form = ConfirmForm(request.POST)
    form.is_valid()  # it asks for nothing that could be missing
    brought = {name: form.cleaned_data.get(name, "") for name in ("token", *MailboxForm.base_fields)}
    understood = bool(form.cleaned_data.get("understood"))
    try:
        mailbox = services.accept(request.customer, by=request.user, understood=understood, **brought)
    except errors.AlreadyCreated as error:
        messages.info(request, error.message)
        return redirect("mailboxes:detail", pk=error.mailbox_id)
    except (errors.OfferExpired, errors.OfferAltered) as error:
        again = NewForm(initial=brought)
        return render(request, "mailboxes/new.html", {"form": again, "refusal": error} | _room(request))
    except Refusal as refusal:
        form.ask_again(refusal)
    else:
        messages.success(request, _("The mailbox “%(name)s” has been created.") % {"name": mailbox.name})
        return redirect("mailboxes:detail", pk=mailbox.pk)
    return render(request, "mailboxes/new_confirm.html", {"form": form})
