"""One's own password and sessions, and the way back for who forgot the password: the same on every host."""

from allauth.account import views as allauth_views
from django.urls import URLPattern, URLResolver, path, re_path

from accounts import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/password/", views.own_password, name="own_password"),
    path("settings/password/choose/", views.choose_own_password, name="choose_own_password"),
    path("settings/sessions/", views.sessions, name="sessions"),
    path("accounts/password/reset/", views.forgotten_password, name="account_reset_password"),
    path(
        "accounts/password/reset/done/",
        allauth_views.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        views.password_by_link,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
