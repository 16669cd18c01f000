"""The places of the console, each a part that one goes to from any page: the rail, the search in the bar and the way to
another customer read them here.
"""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.access import Right


@dataclass(frozen=True)
class Place:
    """The view is named by its URL's name: the frame is below all parts, and imports none."""

    label: str | Promise
    view: str
    icon: str
    right: Right | None  # of who sees it; None: of whoever works at a provider, and of platform staff
    find: str | Promise = ""  # what the field in the bar says, if that searches here
    # Its name where the lists of the administration, one of which is called the same, stand below.
    beside_lists: str | Promise = ""


# In the order of the rail. The first is where a console begins. Each customer has them all.
AT_CUSTOMER: tuple[Place, ...] = (
    Place(_("Mailboxes"), "mailboxes:list", "inbox", Right.VIEW_MAILBOXES, find=_("Find a mailbox")),
    Place(_("People"), "people", "users", Right.VIEW_PEOPLE),
    Place(_("Activity"), "activity", "activity", Right.VIEW_ACTIVITY),
)
AT_BASE: tuple[Place, ...] = (
    Place(
        _("Customers"),
        "customers",
        "building-2",
        None,
        find=_("Find a customer"),
        beside_lists=_("All customers"),
    ),
    Place(_("Team"), "team", "users", Right.VIEW_TEAM),
    Place(_("Activity"), "activity", "activity", Right.VIEW_TEAM_ACTIVITY),
    Place(_("Branding"), "branding", "palette", Right.SET_BRANDING),
)


def kept(path: str = "") -> str:
    """Where one who is at `path` goes on at another customer: in the same place, or where a console begins."""
    # Asked on the base host, too, which has other URLs.
    there = [reverse(place.view, settings.ROOT_URLCONF) for place in AT_CUSTOMER]
    return next((place for place in there if path.startswith(place)), there[0])
