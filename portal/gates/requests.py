"""What the gates write on a request for the next ones, and for the page."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from tenants.access import Right
from tenants.models import Customer, Provider


class GatedRequest(HttpRequest):
    """A request on its way through the gates."""

    session_came_as: str | None  # CompanionSessions: the session's key, if its companion came with it
    customer: Customer | None  # HostTenant: whose host it is
    rights: frozenset[Right]  # CustomerGate: what the person may there
    second_factor_required_by: Provider | None  # SecondFactorGate: who waits for one
    htmx: HtmxDetails


class PersonsRequest(GatedRequest):
    """One that gets to a page that asks for sign-in, as pages do unless they say otherwise."""

    user: User
