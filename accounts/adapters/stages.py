"""Between password and second factor time passes: what let somebody begin must still hold when the code comes."""

from typing import Any

from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from accounts.openid.sign_in import is_still_admitted, opened_by
from accounts.second_factor import has_second_factor
from accounts.services.sessions import ground_of, still_stands


class SecondFactorStage(AuthenticateStage):
    """allauth's, which would wait for the code whatever has become of the person meanwhile.

    What ends all sessions, a changed password, a removed second factor, and whatever takes back what an identity provider's
    word stood on end it: begin anew.
    """

    def handle(self) -> tuple[Any, bool]:
        self.state["ground"] = ground_of(self.login.user)
        answer: tuple[Any, bool] = super().handle()
        return answer

    def is_resumable(self, request: HttpRequest) -> bool:
        user: Any = self.login.user  # None once the person is gone
        return (
            still_stands(self.state.get("ground", ""), user)
            and has_second_factor(user)
            and self._is_admitted(request, user)
        )

    def _is_admitted(self, request: HttpRequest, user: Any) -> bool:
        provider_id = (self.login.signal_kwargs or {}).get("identity_provider")
        return provider_id is None or (
            provider_id in opened_by(request, user) and is_still_admitted(request, user)
        )
