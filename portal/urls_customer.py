"""A customer's host: its console."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/mailboxes/"), name="home"),
    path("", include("accounts.urls")),
    path("", include("tenants.urls_people")),
    path("", include("tenants.urls_customer_activity")),
    path("mailboxes/", include("mailboxes.urls")),
]
