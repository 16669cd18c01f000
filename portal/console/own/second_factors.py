"""Setting up, using and removing second factors: allauth's views in our frame, with what they leave open closed."""

from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa import app_settings
from allauth.mfa.recovery_codes.views import (
    DownloadRecoveryCodesView,
    GenerateRecoveryCodesView,
    ViewRecoveryCodesView,
)
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    RemoveWebAuthnView,
)
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import second_factor, services
from accounts.adapters import ceremonies, confirming, forms, visitors


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """What is set up, with ways to add and remove. Also the page for who must set one up before anything opens."""
    return render(request, "own/security.html", {"factors": second_factor.overview_of(request.user)})


class _AddsFactor:
    """Whom allauth would not ask who they are, for they have neither password nor factor here, their organization asks."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if confirming.is_the_organizations(request.user) and not confirming.has_just_come(request):
            messages.info(request, _("Sign in with your organization once more, to confirm that it is you."))
            raise ReauthenticationRequired
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a mixin: what it stands before has it
        return answer


class _ChangesFactors:
    """What allauth does in several steps, and tells some of after the last, is one act here."""

    def form_valid(self, form: Any) -> HttpResponse:
        request: Any = self.request  # type: ignore[attr-defined]  # a mixin: what it stands before has it
        try:
            with services.changing_factors(request.user, by=request.user, **visitors.seen(request)):
                self.judge_again(form)
                answer: HttpResponse = super().form_valid(form)  # type: ignore[misc]  # as above
        except ValidationError as error:
            form.add_error(None, error)
            answer = self.form_invalid(form)  # type: ignore[attr-defined]  # as above
        return answer

    def judge_again(self, form: Any) -> None:
        """What the form was right to take before it was this one's turn. Raises ValidationError."""


class ActivateApp(_AddsFactor, _ChangesFactors, ActivateTOTPView):
    form_class = forms.ActivateAppForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if second_factor.overview_of(request.user).app:  # a double press: the parent would offer to remove it
            return redirect("security")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        secret = context["form"].secret
        context["secret_in_groups"] = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        return context | {"digits": app_settings.TOTP_DIGITS, "seconds": app_settings.TOTP_PERIOD}

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response = super().form_valid(form)
        except IntegrityError:  # both presses came at once, and the other one was first
            return redirect("security")
        self.request.session.pop(forms.PENDING_SECRET, None)
        user: Any = self.request.user
        services.use_up_code(user, form.cleaned_data["code"], by=user)
        return response


class RemoveApp(_ChangesFactors, DeactivateTOTPView):
    """The person's one app."""


class AddPasskey(_AddsFactor, _ChangesFactors, AddWebAuthnView):
    form_class = forms.AddPasskeyForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Not the parent's, which leaves a question of its own in the session.
        context = super(AddWebAuthnView, self).get_context_data(**kwargs)
        user: Any = self.request.user
        return context | {"js_data": {"creation_options": ceremonies.ask_to_add(self.request, user)}}


class RenamePasskey(_ChangesFactors, EditWebAuthnView):
    form_class = forms.RenamePasskeyForm
    success_url = reverse_lazy("security")

    def judge_again(self, form: Any) -> None:
        """The key as it is by now, and held: allauth writes all of it, and would bring back one that is gone, or the
        counter of an earlier sign-in. Raises Http404.
        """
        form.instance = self.object = self.get_object(self.get_queryset().select_for_update())


class RemovePasskey(_ChangesFactors, RemoveWebAuthnView):
    success_url = reverse_lazy("security")


class _ReadsCodes:
    """Where the key to the codes is lost, new ones help."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user: Any = request.user
        try:
            with services.reading_codes(user, by=user):
                answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a mixin: what it stands before has it
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return redirect("mfa_generate_recovery_codes")
        return answer


class RecoveryCodes(_ReadsCodes, ViewRecoveryCodesView):
    """Shows the codes that are left, to who has just confirmed that it is them."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        codes = (f"{code[:4]} {code[4:]}" for code in context["unused_codes"])
        return context | {"codes_as_text": "\n".join(codes)}


class DownloadRecoveryCodes(_ReadsCodes, DownloadRecoveryCodesView):
    """The same as a file."""


class NewRecoveryCodes(_ChangesFactors, GenerateRecoveryCodesView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # The parent's count reads the old codes, which may be the very thing that no longer works.
        context = super(GenerateRecoveryCodesView, self).get_context_data(**kwargs)
        context["unused_code_count"] = second_factor.overview_of(self.request.user).codes_left
        return context

    def judge_again(self, form: Any) -> None:
        """Another press may have taken the last factor away meanwhile."""
        form.clean()
