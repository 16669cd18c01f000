"""The step after the password, a passkey in its place, and *confirm that it is you*: allauth's views in our frame."""

from typing import Any

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login
from allauth.account.internal.templatekit import get_entrance_context_data
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import BaseReauthenticateView
from allauth.mfa import app_settings
from allauth.mfa.base.views import AuthenticateView, ReauthenticateView
from allauth.mfa.webauthn.views import LoginWebAuthnView, ReauthenticateWebAuthnView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator

from accounts.adapters import ceremonies, forms
from accounts.adapters.ceremonies import Ceremony
from accounts.adapters.stages import SecondFactorStage


class SignInWithPasskey(LoginWebAuthnView):
    """A page of its own, too: for who came by a link, and for what to say when the passkey is refused."""

    form_class = forms.SignInPasskeyForm
    template_name = "mfa/webauthn/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.headers.get("Accept") == "application/json":
            options = ceremonies.ask(request, Ceremony.SIGN_IN, None)
            answer = JsonResponse({"request_options": options})
            ceremonies.remember_browser(request, answer)
            return answer
        return self.render_to_response(self.get_context_data())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form()
        if not form.use():
            return self.form_invalid(form)
        signed_in: HttpResponse = perform_login(request, Login(user=form.cleaned_data["credential"].user))
        return signed_in

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"next": get_next_redirect_url(self.request)}


# The parent has this around its own dispatch, where it comes too late for ours.
@method_decorator(
    login_stage_required(stage=SecondFactorStage.key, redirect_urlname="account_login"), name="dispatch"
)
class SecondStep(AuthenticateView):
    form_class = forms.SecondStepCodeForm
    webauthn_form_class = forms.SecondStepPasskeyForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stage: SecondFactorStage = request._login_stage  # type: ignore[attr-defined]  # allauth's note
        if not stage.is_resumable(request):
            begin_anew: HttpResponse = stage.abort()
            return begin_anew
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.stage.exit() if self.form.use() else self.form_invalid(self.form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Not the parent's, which leaves a question of its own in the session.
        context = super(AuthenticateView, self).get_context_data(**kwargs)
        options = ceremonies.ask(self.request, Ceremony.SECOND_STEP, self.stage.login.user)
        return (
            context
            | get_entrance_context_data(self.request)
            | {
                "form": self.auth_form,
                "MFA_SUPPORTED_TYPES": app_settings.SUPPORTED_TYPES,
                "webauthn_form": self.webauthn_form,
                "js_data": {"request_options": options},
            }
        )


class _ConfirmsByFactor:
    """Uses the factor, then does what was to be confirmed."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        view: Any = self
        form = view.get_form()
        if not form.use():
            refused: HttpResponse = view.form_invalid(form)
            return refused
        # Not the parent's, which would use the factor again. What was to be confirmed is done here, by an act with a
        # transaction of its own.
        confirmed: HttpResponse = BaseReauthenticateView.form_valid(view, form)
        return confirmed


class ConfirmWithCode(_ConfirmsByFactor, ReauthenticateView):
    form_class = forms.ConfirmCodeForm


class ConfirmWithPasskey(_ConfirmsByFactor, ReauthenticateWebAuthnView):
    form_class = forms.ConfirmPasskeyForm

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Not the parent's, which leaves a question of its own in the session, and forgets the form that was refused.
        context = super(ReauthenticateWebAuthnView, self).get_context_data(**kwargs)
        user: Any = self.request.user
        options = ceremonies.ask(self.request, Ceremony.CONFIRM, user)
        return context | {"js_data": {"request_options": options}}
