"""What a test of the way to a mailbox has found, step by step, in words, and the next step."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailboxes import services

ASK_STAFF = _("Tell the platform's staff.")


class Step(NamedTuple):
    """`ok` is None for what is worth knowing and stops no mail; `reply` is the gateway's."""

    ok: bool | None
    said: str
    next_step: str
    reply: str = ""


def steps_of(test: services.ReachTest) -> list[Step]:
    """In the reader's language. Of what a later release has found, its code."""
    return [_step(finding) for finding in test.findings]


def _step(finding: Mapping[str, Any]) -> Step:
    key = finding.get("step", ""), finding.get("code", "")
    said, next_step = WORDS.get(key, ("{}: {}".format(*key), ""))
    places = {name: str(value) for name, value in finding.items()} | {"until": _day(finding.get("until"))}
    reply = str(finding.get("reply", ""))
    if reply == "550 5.7.1":
        next_step = NOT_AMONG_THE_NETWORKS
    return Step(finding.get("ok"), str(said) % places, str(next_step), reply)


def _day(moment: str | None) -> str:
    return date_format(timezone.localtime(datetime.fromisoformat(moment)), "DATE_FORMAT") if moment else ""


NOT_AMONG_THE_NETWORKS = _(
    "This installation's own address is not among the networks that may deliver to this customer. Senders in one of these "
    "get through all the same."
)
WORDS: dict[tuple[str, str], tuple[str | Promise, str | Promise]] = {
    ("name", "other-domain"): (
        _("This mailbox's address is of %(domain)s, but this installation takes mail for %(mail)s."),
        _("Senders reach it only for as long as the earlier name leads here. Tell the platform's staff."),
    ),
    ("name", "this-machine"): (_("%(mail)s is this machine, as all names below .localhost are."), ""),
    ("name", "no-answer"): (_("DNS could not be asked for %(mail)s: %(why)s"), ASK_STAFF),
    ("name", "elsewhere"): (
        _("DNS sends mail for %(mail)s elsewhere, to %(name)s."),
        _("Tell the platform's staff: the MX record has to name the gateway."),
    ),
    ("name", "no-address"): (
        _("DNS knows no address for %(mail)s, so no sender finds the gateway."),
        ASK_STAFF,
    ),
    ("name", "found"): (_("DNS leads to the gateway: %(mail)s is %(address)s."), ""),
    ("port", "silent"): (
        _("Nothing answers at %(address)s, port %(port)s: %(why)s"),
        _(
            "Tell the platform's staff: the gateway does not run, or a firewall stands in between. Some networks let nobody "
            "reach their own public address from within."
        ),
    ),
    ("port", "no-tls"): (_("%(address)s, port %(port)s, begins no TLS: %(why)s"), ASK_STAFF),
    ("port", "answers"): (_("The gateway answers at %(address)s, port %(port)s, with TLS."), ""),
    ("certificate", "untrusted"): (
        _("Senders that check certificates don't trust this one: %(why)s. It ends on %(until)s."),
        _(
            "Most senders deliver all the same; those that demand a trusted one put mail off. Tell the platform's staff."
        ),
    ),
    ("certificate", "ends-soon"): (_("The certificate is trusted, but ends soon, on %(until)s."), ASK_STAFF),
    ("certificate", "trusted"): (_("The certificate is trusted. It ends on %(until)s."), ""),
    ("reply", "taken"): (_("The gateway takes mail for this mailbox."), ""),
    ("reply", "put-off"): (
        _("The gateway puts mail for this mailbox off."),
        _("The list on this page says why, and what to do."),
    ),
    ("reply", "refused"): (
        _("The gateway refuses mail for this mailbox."),
        _("The list on this page says why, and what to do."),
    ),
    ("reply", "broken-off"): (_("The gateway broke off before it gave an answer: %(why)s"), ASK_STAFF),
    ("message", "taken"): (
        _("The test message is kept. The archiver collects it as it does all mail."),
        "",
    ),
    ("message", "put-off"): (
        _("The gateway put the test message off."),
        _("The list on this page says why, and what to do."),
    ),
    ("message", "refused"): (
        _("The gateway refused the test message."),
        _("The list on this page says why, and what to do."),
    ),
}
