"""A customer's host: its console."""

from django.urls import include, path
from django.views.generic import RedirectView

from portal.console.activity import urls as activity
from portal.console.customers import urls as customers
from portal.console.frame.places import AT_CUSTOMER
from portal.console.people import urls as people

urlpatterns = [
    path("", RedirectView.as_view(pattern_name=AT_CUSTOMER[0].view), name="home"),
    path("", include("portal.console.signin.urls")),
    path("", include("portal.console.own.urls")),
    path("", include(customers.customer)),
    path("", include(people.customer)),
    path("", include(activity.customer)),
    path("mailboxes/", include("portal.console.mailboxes.urls")),
]

handler500 = "portal.gates.outages.server_error"
