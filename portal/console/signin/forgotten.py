"""Forgotten password: allauth's pages, with an answer that tells nothing about who has an account."""

from typing import Any

from allauth.account.views import PasswordResetFromKeyView, PasswordResetView
from allauth.core import ratelimit
from django.http import HttpResponse
from django.shortcuts import redirect

from accounts.adapters import guesses
from accounts.errors import ResetLinkUsed
from portal.console.signin.forms import ForgottenPasswordForm, PasswordByLinkForm


class ForgottenPassword(PasswordResetView):
    """Takes an address and says the same for each; everything else is done in a worker."""

    form_class = ForgottenPasswordForm

    def form_valid(self, form: Any) -> HttpResponse:
        # By the place that it is asked from: strangers must not use up the owner's tries.
        place = guesses.place_of(self.request, form.cleaned_data["email"])
        if too_many := ratelimit.consume_or_429(self.request, action="reset_password", key=place):
            return too_many
        form.save(self.request)
        return redirect(self.get_success_url())


class PasswordByLink(PasswordResetFromKeyView):
    """Chooses another password, for who has the link. Of two who use it at the same moment one is told that it worked."""

    form_class = PasswordByLinkForm

    def form_valid(self, form: Any) -> HttpResponse:
        # Not the parent's, which tells and mails by itself what the verb and the next page tell.
        try:
            form.save(self.request)
        except ResetLinkUsed:
            return self.render_to_response(self.get_context_data(token_fail=True))
        guesses.forget(self.request, self.reset_user)
        return redirect(self.get_success_url())


forgotten_password = ForgottenPassword.as_view()
password_by_link = PasswordByLink.as_view()
