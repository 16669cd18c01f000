"""A customer's host: its console."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/mailboxes/"), name="home"),
    path("", include("accounts.urls")),
    path("mailboxes/", include("mailboxes.urls")),
]
