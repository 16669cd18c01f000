"""One's own settings, password, second factors and sessions: the same on every host."""

from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from portal.console.own import password, second_factors, sessions, settings

to_security = RedirectView.as_view(pattern_name="security")

# Those below accounts/2fa/ have allauth's names.
urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/", settings.own_settings, name="settings"),
    path("settings/password/", password.own_password, name="own_password"),
    path("settings/password/choose/", password.choose_own_password, name="choose_own_password"),
    path("settings/sessions/", sessions.sessions, name="sessions"),
    path("settings/security/", second_factors.security, name="security"),
    path("accounts/2fa/", to_security, name="mfa_index"),
    path("accounts/2fa/totp/activate/", second_factors.ActivateApp.as_view(), name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", second_factors.RemoveApp.as_view(), name="mfa_deactivate_totp"),
    path(
        "accounts/2fa/recovery-codes/",
        second_factors.RecoveryCodes.as_view(),
        name="mfa_view_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/generate/",
        second_factors.NewRecoveryCodes.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/download/",
        second_factors.DownloadRecoveryCodes.as_view(),
        name="mfa_download_recovery_codes",
    ),
    path("accounts/2fa/webauthn/", to_security, name="mfa_list_webauthn"),
    path("accounts/2fa/webauthn/add/", second_factors.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        "accounts/2fa/webauthn/keys/<int:pk>/edit/",
        second_factors.RenamePasskey.as_view(),
        name="mfa_edit_webauthn",
    ),
    path(
        "accounts/2fa/webauthn/keys/<int:pk>/remove/",
        second_factors.RemovePasskey.as_view(),
        name="mfa_remove_webauthn",
    ),
]
