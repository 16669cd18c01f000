"""Forgotten password: allauth's pages, with an answer that tells nothing about who has an account."""

from allauth.account.views import PasswordResetView

from accounts.forms import ForgottenPasswordForm


class ForgottenPassword(PasswordResetView):
    """Takes an address and says the same for each; everything else is done in a worker."""

    form_class = ForgottenPasswordForm


forgotten_password = ForgottenPassword.as_view()
