"""The base host: sign-in, the operators' console, Django's admin for platform staff."""

from django.contrib import admin
from django.urls import include, path, re_path

from portal.console.activity import urls as activity
from portal.console.customers import urls as customers
from portal.console.gallery.views import parts
from portal.console.people import urls as people
from portal.languages.translators import no_such_page

urlpatterns = [
    path("", include("portal.console.signin.urls")),
    path("", include("portal.console.own.urls")),
    path("", include(customers.base)),
    path("", include(people.base)),
    path("", include("portal.console.identity_provider.urls")),
    path("", include("portal.console.branding.urls")),
    path("", include(activity.base)),
    path("parts/", parts, name="parts"),
    path("admin/", admin.site.urls),
    re_path(
        r"^rosetta/files/(?P<whose>all|django|third-party)/(?P<rest>.*)$", no_such_page, name="rosetta-others"
    ),
    path("rosetta/", include("rosetta.urls")),
]

handler500 = "portal.gates.outages.server_error"
