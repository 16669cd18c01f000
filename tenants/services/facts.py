"""What is decided about a customer besides its name: limits, language and clock, and the provider's own words. Judged here,
whoever asks.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from django.conf import settings

from accounts.errors import UnknownLanguage, UnknownTimeZone, refusing
from accounts.names import is_a_line, is_seen
from accounts.zones import is_zone
from tenants.errors import InvalidGroup, InvalidNetworks, InvalidQuota, InvalidTags
from tenants.models import GROUP_LENGTH, MOST_TAGS, TAG_LENGTH, Customer
from tenants.networks import validate_networks

LIMITS = ("mailbox_limit", "waiting_quota_octets", "mailbox_quota_octets", "message_limit_octets")


class Facts(TypedDict, total=False):
    """Customer.FACTS. A limit of None is none, and no network all of them; a language of "" is the reader's own, a time zone
    of "" the one that new people have anyway. Sizes are in octets.
    """

    language: str
    time_zone: str
    group: str
    tags: list[str]
    mailbox_limit: int | None
    waiting_quota_octets: int | None
    mailbox_quota_octets: int | None
    message_limit_octets: int | None
    allowed_networks: list[str]


def judged(wanted: Mapping[str, Any], of: Customer) -> dict[str, Any]:
    """Those of Customer.FACTS that differ from what `of` has; what is kept is not judged anew.

    Raises UnknownLanguage, UnknownTimeZone, InvalidGroup, InvalidTags, InvalidQuota, InvalidNetworks.
    """
    if unknown := wanted.keys() - set(Customer.FACTS):
        raise TypeError(f"nothing that is decided about a customer: {', '.join(sorted(unknown))}")
    changed = {name: _tidy(name, value) for name, value in wanted.items()}
    changed = {name: value for name, value in changed.items() if getattr(of, name) != value}
    for name, value in changed.items():
        _judge(name, value)
    return changed


def _tidy(name: str, value: Any) -> Any:
    """Of what people type around their words nothing is kept, and no tag twice."""
    if name == "group" and isinstance(value, str):
        return value.strip()
    if name == "tags" and isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return list(dict.fromkeys(tag.strip() for tag in value if tag.strip()))
    return value


def _judge(name: str, value: Any) -> None:
    if name in LIMITS:
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise InvalidQuota(str(InvalidQuota.whole)).about(name)
        field: Any = Customer._meta.get_field(name)
        with refusing(InvalidQuota, field=name):
            field.run_validators(value)
    elif name == "allowed_networks":
        with refusing(InvalidNetworks):
            validate_networks(value)
    elif name == "language":
        if value and value not in dict(settings.LANGUAGES):
            raise UnknownLanguage(value=value)
    elif name == "time_zone":
        if value and not is_zone(value):
            raise UnknownTimeZone(value=value)
    elif name == "group":
        if not _is_word(value, GROUP_LENGTH) and value != "":
            raise InvalidGroup(most=GROUP_LENGTH)
    elif not isinstance(value, list) or len(value) > MOST_TAGS or not all(map(_is_tag, value)):
        raise InvalidTags(most=MOST_TAGS, letters=TAG_LENGTH)


def _is_tag(value: Any) -> bool:
    return _is_word(value, TAG_LENGTH) and "," not in value  # which parts them where they are typed


def _is_word(value: Any, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most and is_a_line(value) and is_seen(value)
