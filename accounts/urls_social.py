"""Signing in with one's organization. The address of `openid_connect_callback` is registered at identity providers."""

from django.urls import path

from accounts import views_social

urlpatterns = [
    path("accounts/organization/", views_social.start, name="organization_sign_in"),
    path(
        "accounts/oidc/<slug:provider_id>/login/callback/",
        views_social.callback,
        name="openid_connect_callback",
    ),
]
