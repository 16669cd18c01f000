"""The base host: sign-in, the operators' console, Django's admin for platform staff."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView

from portal.console.activity import urls as activity
from portal.console.customers import urls as customers
from portal.console.frame.gallery import parts
from portal.console.people import urls as people
from portal.languages.translators import no_such_page

# One sign-in, with its limits, for staff too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# And one page for the own password: Django's would count no guesses and tell nobody.
admin.site.password_change = RedirectView.as_view(pattern_name="own_password")  # type: ignore[assignment,method-assign]  # a view in a method's place
_sign_out = admin.site.logout


def _sign_out_or_ask(request: HttpRequest, *args: Any) -> Any:
    """Whoever comes back to it after a new sign-in asks for a page."""
    return _sign_out(request, *args) if request.method == "POST" else redirect("account_logout")


admin.site.logout = _sign_out_or_ask  # type: ignore[assignment,method-assign]  # a function in a method's place
admin.site.site_header = admin.site.site_title = _("Gatehouse administration")
# Rights come from memberships, and a person has one address: what the libraries bring for both leads nowhere here.
admin.site.unregister([EmailAddress, Group])
# Sessions' keys, second factors and clients' secrets are nobody's to look at or to change past the rules.
admin.site.unregister([UserSession, Authenticator, SocialAccount, SocialApp, SocialToken])

urlpatterns = [
    path("", include("portal.console.signin.urls")),
    path("", include("portal.console.own.urls")),
    path("", include(customers.base)),
    path("", include(people.base)),
    path("", include("portal.console.identity_provider.urls")),
    path("", include(activity.base)),
    path("parts/", parts, name="parts"),
    path("admin/", admin.site.urls),
    re_path(
        r"^rosetta/files/(?P<whose>all|django|third-party)/(?P<rest>.*)$", no_such_page, name="rosetta-others"
    ),
    path("rosetta/", include("rosetta.urls")),
]
