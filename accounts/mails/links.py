"""Links for mails: to the base host as the settings name it. What a request says about its host counts for nothing."""

from django.conf import settings


def portal_url(path: str = "/") -> str:
    """An address on the operators' host, where everybody can sign in."""
    if settings.SECURE_COOKIES:  # behind a proxy that speaks TLS at the usual port
        return f"https://{settings.BASE_DOMAIN}{path}"
    port = "" if settings.HTTP_PORT == 80 else f":{settings.HTTP_PORT}"
    return f"http://{settings.BASE_DOMAIN}{port}{path}"
