"""Why mail does not arrive: the page of deliveries says it, with the reason and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from mailboxes.models import LogLine
from mailboxes.services import delivery, delivery_log
from mailboxes.services.delivery_log import Direction, Reason, Visit
from portal.console.mailboxes import meanings
from tests.conftest import OpenMailbox
from tests.pages import read

PEER = "192.0.2.25"
KEPT = Visit(
    Direction.DELIVERY, Reason.KEPT, reply="250 2.0.0", peer=PEER, hello="mail.acme.example", tls="TLSv1.3"
)
STRANGE = Visit(Direction.DELIVERY, Reason.NETWORK, reply="550 5.7.1", peer="198.51.100.9", octets=None)
WRONG = Visit(
    Direction.COLLECTION, Reason.WRONG_PASSWORD, reply="-ERR [AUTH]", peer="203.0.113.7", tls="TLSv1.2"
)


@pytest.fixture
def receives(acme_mailbox: OpenMailbox) -> Callable[[], None]:
    """A message comes in."""
    return lambda: delivery.deliver(
        [delivery.resolve(acme_mailbox.address, peer=PEER)], [b"Subject: x\r\n\r\n" * 100], visit=KEPT
    )


@pytest.fixture
def rows(admin: Client, acme_mailbox: OpenMailbox) -> Callable[..., list[str]]:
    """What the page says, a line each."""

    def look(query: str = "") -> list[str]:
        page = read(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/deliveries/{query}"))
        return [" ".join(row.text_content().split()) for row in page.xpath("//main//tbody/tr")]

    return look


def test_each_reply_stands_with_its_meaning_and_the_next_step(
    acme_mailbox: OpenMailbox, receives: Callable[[], None], rows: Callable[..., list[str]]
) -> None:
    receives()
    delivery_log.note(acme_mailbox.address, STRANGE)
    delivery_log.note(acme_mailbox.address, WRONG, attempts=3)
    wrong, strange, kept = rows()
    assert kept.startswith("Mail in Sealed and kept just now 250 2.0.0 1.")
    assert kept.endswith("KB TLS 1.3 192.0.2.25 mail.acme.example")
    assert "Refused: mail is not accepted from this network" in strange
    assert "have its address added to the networks that may deliver. just now 550 5.7.1" in strange
    assert wrong.startswith("Collection Refused: the login name or the password is wrong")
    assert "3 times since" in wrong
    assert "-ERR [AUTH]" in wrong
    assert wrong.endswith("TLS 1.2 203.0.113.7")


def test_lines_are_shown_by_what_became_of_them_and_in_pages(
    acme_mailbox: OpenMailbox,
    receives: Callable[[], None],
    rows: Callable[..., list[str]],
    admin: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receives()
    delivery_log.note(acme_mailbox.address, STRANGE)
    delivery_log.note(acme_mailbox.address, WRONG)
    receives()
    assert [len(rows(f"?show={show}")) for show in ("", "mail", "collections", "put-off", "refused", "x")] == [
        4, 3, 1, 0, 2, 4,
    ]  # fmt: skip
    monkeypatch.setattr(delivery_log, "PAGE_LINES", 3)
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/deliveries/"
    first = read(admin.get(url))
    (older,) = first.xpath("//a[@rel='next']/@href")
    (oldest,) = rows(older)
    assert "Sealed and kept" in oldest
    (newer,) = read(admin.get(url + older)).xpath("//a[@rel='prev']/@href")
    assert rows(newer) == rows()
    for odd in ("?before=x", "?before=-1", "?after=99999999999999999999", "?before=0", "?after=²"):
        assert admin.get(url + odd).status_code == 200


def test_whoever_sees_the_mailbox_finds_its_deliveries(
    cast: Any, client_for: Callable[..., Client], acme_mailbox: OpenMailbox
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    for person in (cast.admin, cast.viewer):
        page = read(client_for(person).get(url))
        assert page.xpath(f"//nav//a[@href='{url}deliveries/']/text()") == ["Deliveries"]
        assert client_for(person).get(f"{url}deliveries/").status_code == 200
    assert client_for(cast.mallory).get(f"{url}deliveries/").status_code == 404


def test_each_reason_has_its_words_in_each_direction() -> None:
    for direction in Direction:
        for reason in Reason:
            line = LogLine(direction=direction, reason=reason)
            said, next_step = meanings.meaning(line)
            assert said != reason
            assert next_step or line.reason in (*delivery_log.WENT_WELL,)
