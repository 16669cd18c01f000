"""Who asks: from where, with what device, and whether this person has been seen with it.

A sign-in counts as from a *known* device when either holds:
- the browser brings the cookie that an earlier sign-in of this person left there (it lasts 400 days and is void after
  a change of password, so that whoever knew the old one is a stranger again);
- an earlier session of this person, not yet forgotten, came from the same kind of browser and system *and* the same
  network: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one.
Everything else is *new*, a person's very first sign-in too.
"""

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.devices import family
from accounts.models import User
from accounts.peers import canonical, network_of

COOKIE = "device"
COOKIE_SECONDS = 400 * 24 * 3600  # browsers keep none longer
PEOPLE_PER_DEVICE = 8  # who share one browser: more would only make the cookie long
SALT = "accounts.device"
USER_AGENT_LETTERS = 200


def address_of(request: HttpRequest) -> str:
    """The IP address of who asks, as far as our own proxies vouch for it."""
    return str(get_adapter().get_client_ip(request))


def user_agent_of(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:USER_AGENT_LETTERS]


def seen(request: HttpRequest) -> dict[str, str]:
    """From where and with what something is done, as mails tell it."""
    return {"ip": address_of(request), "user_agent": user_agent_of(request)}


def is_known(request: HttpRequest, user: User) -> bool:
    """Whether this person has been seen with this device. To be asked before a sign-in has its session."""
    mark = _mark(user)
    if any(constant_time_compare(mark, known) for known in _marks(request)):
        return True
    here = family(user_agent_of(request)), network_of(address_of(request))
    earlier = UserSession.objects.filter(user=user).values_list("user_agent", "ip")
    return any((family(user_agent), network_of(canonical(ip))) == here for user_agent, ip in earlier)


def brought_by(request: HttpRequest, email: str) -> str:
    """The mark of the person with this address if they have signed in with this browser before, else nothing."""
    marks = _marks(request)
    user = User.objects.filter(email=email).first() if marks else None
    mark = _mark(user) if user else ""
    return mark if any(constant_time_compare(mark, known) for known in marks) else ""


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Leave the cookie by which this person's next sign-in from here is known, beside those of others."""
    mark = _mark(user)
    others = [known for known in _marks(request) if known != mark]
    response.set_signed_cookie(
        COOKIE,
        ".".join([mark, *others][:PEOPLE_PER_DEVICE]),
        salt=SALT,
        max_age=COOKIE_SECONDS,
        domain=settings.SESSION_COOKIE_DOMAIN,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _marks(request: HttpRequest) -> list[str]:
    cookie = request.get_signed_cookie(COOKIE, default="", salt=SALT, max_age=COOKIE_SECONDS)
    return cookie.split(".") if cookie else []


def _mark(user: User) -> str:
    return salted_hmac(SALT, f"{user.pk}:{user.password}", algorithm="sha256").hexdigest()[:32]
