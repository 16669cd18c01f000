"""Signing in, by password, second factor or organization, and the way back: the same on every host."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, path, re_path

from portal.console.signin import by_organization, by_password, forgotten, second_step

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/login/", by_password.sign_in, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/2fa/authenticate/", second_step.SecondStep.as_view(), name="mfa_authenticate"),
    path("accounts/2fa/webauthn/login/", second_step.SignInWithPasskey.as_view(), name="mfa_login_webauthn"),
    # Whoever is signed in, once more.
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/2fa/reauthenticate/", second_step.ConfirmWithCode.as_view(), name="mfa_reauthenticate"),
    path(
        "accounts/2fa/webauthn/reauthenticate/",
        second_step.ConfirmWithPasskey.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    path("accounts/password/reset/", forgotten.forgotten_password, name="account_reset_password"),
    path("accounts/password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        forgotten.password_by_link,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("accounts/organization/", by_organization.start, name="organization_sign_in"),
    # Registered at identity providers.
    path(
        "accounts/oidc/<slug:provider_id>/login/callback/",
        by_organization.callback,
        name="openid_connect_callback",
    ),
]
