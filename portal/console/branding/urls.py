"""A provider's look."""

from django.urls import path

from portal.console.branding import views

urlpatterns = [
    path("branding/", views.branding, name="branding"),
    path("branding/logo/", views.logo, name="branding_logo"),
    path("branding/logo/remove/", views.remove_logo, name="branding_logo_remove"),
    path("branding/reset/", views.reset, name="branding_reset"),
]
