"""Second factors, on every host alike: allauth's names, and those of its pages that we have use for."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.totp import views as totp
from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from accounts.security import forms, views

to_security = RedirectView.as_view(pattern_name="security")

urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/security/", views.security, name="security"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/2fa/", to_security, name="mfa_index"),
    path("accounts/2fa/authenticate/", views.SecondStep.as_view(), name="mfa_authenticate"),
    path(
        "accounts/2fa/reauthenticate/",
        mfa.ReauthenticateView.as_view(form_class=forms.ConfirmCodeForm),
        name="mfa_reauthenticate",
    ),
    path("accounts/2fa/totp/activate/", views.ActivateApp.as_view(), name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path(
        "accounts/2fa/recovery-codes/",
        views.RecoveryCodes.as_view(),
        name="mfa_view_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/generate/",
        views.NewRecoveryCodes.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/download/",
        views.DownloadRecoveryCodes.as_view(),
        name="mfa_download_recovery_codes",
    ),
    path("accounts/2fa/webauthn/", to_security, name="mfa_list_webauthn"),
    path("accounts/2fa/webauthn/add/", views.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        "accounts/2fa/webauthn/keys/<int:pk>/edit/", views.RenamePasskey.as_view(), name="mfa_edit_webauthn"
    ),
    path(
        "accounts/2fa/webauthn/keys/<int:pk>/remove/",
        views.RemovePasskey.as_view(),
        name="mfa_remove_webauthn",
    ),
    path("accounts/2fa/webauthn/login/", views.SignInWithPasskey.as_view(), name="mfa_login_webauthn"),
    path(
        "accounts/2fa/webauthn/reauthenticate/",
        views.ConfirmWithPasskey.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
]
