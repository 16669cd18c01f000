"""The operators' host, as far as this room serves it."""

from django.urls import include, path

from tenants import views

urlpatterns = [
    path("", views.home, name="home"),
    path("", include("tenants.urls_team")),
    path("", include("tenants.urls_identity")),
    path("", include("tenants.urls_activity")),
    path("customers/", views.customers, name="customers"),
]
