"""Forgotten password: allauth's pages, with an answer that tells nothing about who has an account."""

from typing import Any

from allauth.account.views import PasswordResetFromKeyView, PasswordResetView
from django.http import HttpResponse

from accounts.errors import ResetLinkUsed
from accounts.forms import ForgottenPasswordForm, PasswordByLinkForm


class ForgottenPassword(PasswordResetView):
    """Takes an address and says the same for each; everything else is done in a worker."""

    form_class = ForgottenPasswordForm


class PasswordByLink(PasswordResetFromKeyView):
    """Chooses another password, for who has the link. Of two who use it at the same moment one is told that it worked."""

    form_class = PasswordByLinkForm

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().form_valid(form)
        except ResetLinkUsed:
            return self.render_to_response(self.get_context_data(token_fail=True))
        return answer


forgotten_password = ForgottenPassword.as_view()
password_by_link = PasswordByLink.as_view()
