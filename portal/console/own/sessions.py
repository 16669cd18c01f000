"""Where one is signed in, and ending that."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import devices, services
from accounts.errors import NoSuchSession
from accounts.models import User

NUMBER_DIGITS = 18  # of a bigint; and Python refuses to read thousands


@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # the middleware asks everybody to sign in
    if request.method == "POST":
        return _end(request, user)
    listed = [
        {
            "session": session,
            "device": devices.describe(session.user_agent),
            "is_here": session.session_key == request.session.session_key,
        }
        for session in services.sessions_of(user, by=user)
    ]
    return render(request, "own/sessions.html", {"sessions": listed})


def _end(request: HttpRequest, user: User) -> HttpResponse:
    which = request.POST.get("session", "")
    if which == "all":
        services.end_all_sessions(user, by=user)
        logout(request)
        messages.success(request, _("You are signed out everywhere."))
        return redirect("account_login")
    if which == "others":
        services.end_other_sessions(user, by=user, keep=request.session.session_key)
        messages.success(request, _("You are signed out everywhere else."))
        return redirect("sessions")
    number = int(which) if which.isdecimal() and len(which) <= NUMBER_DIGITS else 0
    try:
        ended = services.end_session(user, number, by=user)
    except NoSuchSession as error:
        messages.info(request, error.message)
        return redirect("sessions")
    is_here = ended.session_key == request.session.session_key
    if is_here:
        logout(request)
    messages.success(request, _("That session has ended."))
    return redirect("account_login" if is_here else "sessions")
