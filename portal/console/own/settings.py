"""What people say about themselves."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import second_factor, services
from accounts.models import User
from portal.console.own.forms import SettingsForm


@require_http_methods(["GET", "HEAD", "POST"])
def own_settings(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # the middleware asks everybody to sign in
    form = SettingsForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        services.save_settings(user, by=user, **form.changes)
        # The message is worded in the language just chosen, as the page that shows it. Without a choice that is
        # the browser's: the active one may still be the choice given up just now.
        with translation.override(user.language or translation.get_language_from_request(request)):
            messages.success(request, _("Your settings are saved."))
        # By its address: redirect() would take a word for the name that we have for a page.
        return HttpResponseRedirect(_onward(request)) if "ok" in request.POST else redirect("settings")
    known = {"form": form, "onward": _onward(request), "factors": second_factor.overview_of(user)}
    return render(request, "own/settings.html", known)


def _onward(request: HttpRequest) -> str:
    """Where OK and Cancel lead: the page from which the person came, or the start."""
    asked = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if is_ours and not asked.startswith(request.path) else "/"
