"""The headers by which browsers guard us, upon every answer."""

from django.http import HttpRequest
from django.middleware.security import SecurityMiddleware


class GuardedAnswers(SecurityMiddleware):
    """Puts Django's headers upon what the gates before its own middleware answer, too: a refusal is a page as well.

    Only that one leads to HTTPS: by then it is known that the host is ours and that no probe asks.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Leads nobody anywhere."""
