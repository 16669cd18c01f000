"""Sign-in and one's own settings: the same on every host."""

from allauth.account import views as allauth_views
from django.urls import include, path

from accounts import views

urlpatterns = [
    path("accounts/login/", views.sign_in, name="account_login"),
    path("accounts/logout/", allauth_views.logout, name="account_logout"),
    path("accounts/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("", include("accounts.urls_security")),
    path("", include("accounts.urls_own")),
    path("", include("accounts.urls_social")),
    path("settings/", views.own_settings, name="settings"),
]
