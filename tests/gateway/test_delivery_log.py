"""The delivery log: why mail does not arrive, as senders and archivers of all kinds leave it behind on a mailbox's page."""

import poplib
import smtplib
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import LogLine
from mailboxes.services import delivery_log
from mailboxes.services.delivery_log import Direction, Reason, Visit
from mailboxes.tasks import tidy_store
from tests.gateway.kit import SENDER

MAIL = b"Subject: Quarterly figures\r\n\r\nNobody's business.\r\n"
STRANGE = Visit(
    Direction.DELIVERY, Reason.NETWORK, reply="550 5.7.1", peer="198.51.100.9", hello="mx.example"
)


@pytest.fixture
def lines(acme, acme_mailbox):
    """What the log has, the oldest first."""

    def look(mailbox=acme_mailbox.mailbox) -> list[LogLine]:
        return services.deliveries_of(acme, mailbox, by=SYSTEM).lines[::-1]

    return look


@pytest.fixture
def told(lines):
    """The same in short."""

    def look() -> list[tuple[str, ...]]:
        return [(line.direction, line.outcome, line.reason, line.reply) for line in lines()]

    return look


def test_a_message_and_its_collection_are_told_with_peer_tls_and_size(gateway, acme_mailbox, lines):
    with smtplib.SMTP("127.0.0.1", gateway.ports.smtp, local_hostname="mail.acme.example") as sender:
        sender.starttls(context=gateway.tls)
        sender.sendmail(SENDER, acme_mailbox.address, MAIL)
    box = poplib.POP3_SSL("127.0.0.1", gateway.ports.pop3s, context=gateway.tls)
    box.user(acme_mailbox.address)
    box.pass_(acme_mailbox.password)
    octets = sum(len(line) + 2 for line in box.retr(1)[1])
    box.dele(1)
    box.quit()

    came, went = lines()
    assert (came.direction, came.outcome, came.reason) == ("delivery", "accepted", "kept")
    assert (came.reply, came.peer, came.hello) == ("250 2.0.0", "127.0.0.1", "mail.acme.example")
    assert (came.tls, came.octets, came.attempts) == ("TLSv1.3", octets, 1)
    assert (went.direction, went.outcome, went.reason) == ("collection", "accepted", "collected")
    assert (went.reply, went.peer, went.tls) == ("+OK", "127.0.0.1", "TLSv1.3")
    assert (went.messages, went.deleted, went.octets) == (1, 1, octets)


def test_the_log_knows_nothing_of_the_mail_itself(gateway, acme, acme_mailbox, lines):
    with smtplib.SMTP("127.0.0.1", gateway.ports.smtp, local_hostname="mail.acme.example") as sender:
        sender.sendmail(SENDER, acme_mailbox.address, MAIL)
    (line,) = lines()
    with tenant_context(acme):
        (row,) = LogLine.objects.values()
    assert line.tls == ""
    known = " ".join(map(str, row.values()))
    assert not [word for word in (SENDER, "journal", "Quarterly", "business") if word in known]


def test_what_is_refused_says_why(start_gateway, acme, acme_mailbox, suspend, until, told):
    gateway = start_gateway(max_octets=2000)
    with smtplib.SMTP("127.0.0.1", gateway.ports.smtp) as sender:
        with pytest.raises(smtplib.SMTPDataError):  # without SIZE, so that it is known in the end only
            sender.ehlo()
            sender.esmtp_features.pop("size")
            sender.sendmail(SENDER, acme_mailbox.address, MAIL + b"x" * 4000)
        wire = gateway.smtp_wire()
        wire.ask(f"MAIL FROM:<{SENDER}>".encode())
        wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
        wire.ask(b"DATA")
        assert wire.ask(b"Bare\nline\r\n.").startswith(b"550 5.6.11")
        acme.allowed_networks = ["192.0.2.0/24"]
        acme.save()
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            sender.sendmail(SENDER, acme_mailbox.address, MAIL)
        acme.allowed_networks = []
        acme.mailbox_quota_octets = 1
        acme.save()
        with pytest.raises(smtplib.SMTPDataError):
            sender.sendmail(SENDER, acme_mailbox.address, MAIL)
        suspend(acme_mailbox)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            sender.sendmail(SENDER, acme_mailbox.address, MAIL)
        with pytest.raises(smtplib.SMTPRecipientsRefused):  # of no mailbox, so nowhere
            sender.sendmail(SENDER, "mbx-nobody@gateway.localhost", MAIL)
    until(lambda: len(told()) == 5)
    assert set(told()) == {
        ("delivery", "refused", "too-large", "552 5.3.4"),
        ("delivery", "refused", "bare-lf", "550 5.6.11"),
        ("delivery", "refused", "network", "550 5.7.1"),
        ("delivery", "put-off", "full", "452 4.2.2"),
        ("delivery", "put-off", "suspended", "450 4.2.1"),
    }


def test_a_sender_that_goes_away_in_the_middle_is_told_of(gateway, acme_mailbox, until, told):
    wire = gateway.smtp_wire()
    wire.ask(f"MAIL FROM:<{SENDER}>".encode())
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")
    wire.send(b"Subject: half")
    wire.close()
    until(lambda: told() == [("delivery", "put-off", "broken-off", "")])


def test_archivers_that_get_nothing_are_told_of(start_gateway, acme_mailbox, until, told):
    gateway = start_gateway(maildrops={"refusal_seconds": 0})
    clear = gateway.pop3_wire(secure=False)
    assert clear.ask(f"USER {acme_mailbox.address}".encode()).startswith(b"-ERR")
    until(lambda: told() == [("collection", "refused", "no-tls", "-ERR")])
    gateway.sign_ins((acme_mailbox.address, "mistyped"), ("mbx-nobody", "mistyped"))
    until(lambda: told()[1:] == [("collection", "refused", "wrong-password", "-ERR [AUTH]")])
    wire = gateway.logged_in(acme_mailbox)
    in_use, *_ = gateway.sign_ins((acme_mailbox.address, acme_mailbox.password))
    assert in_use.startswith(b"-ERR [IN-USE]")
    until(lambda: told()[2:] == [("collection", "put-off", "in-use", "-ERR [IN-USE]")])
    wire.close()
    until(lambda: told()[3:] == [("collection", "put-off", "broken-off", "")])
    gateway.sign_ins((acme_mailbox.address, acme_mailbox.password))
    assert told()[4:] == [("collection", "accepted", "nothing", "+OK")]


def test_a_flood_leaves_few_lines_and_hides_no_message(gateway, acme, acme_mailbox, lines):
    with smtplib.SMTP("127.0.0.1", gateway.ports.smtp) as sender:
        sender.sendmail(SENDER, acme_mailbox.address, MAIL)
    for number in range(250):
        for peer in ("198.51.100.9", f"203.0.{number}.9"):
            delivery_log.note(
                acme_mailbox.address, Visit(Direction.DELIVERY, Reason.NETWORK, reply="550 5.7.1", peer=peer)
            )
    with tenant_context(acme):
        assert LogLine.objects.exclude(outcome="accepted").count() == 20
        assert LogLine.objects.filter(peer="198.51.100.9").count() == 5  # and others are left to others
    assert [line.reason for line in lines()].count("kept") == 1


def test_what_was_too_much_is_summed(acme, acme_mailbox, lines, monkeypatch):
    few = delivery_log.Few(at_once=2, seconds=100, of_network=2, network_seconds=100)
    monkeypatch.setattr(delivery_log, "refusals", few)
    clock = [1000.0]
    monkeypatch.setattr(delivery_log.time, "monotonic", lambda: clock[0])
    for _attempt in range(10):
        delivery_log.note(acme_mailbox.address, STRANGE)
    clock[0] += 100
    delivery_log.note(acme_mailbox.address, STRANGE, attempts=3)
    assert [line.attempts for line in lines()] == [1, 1, 11]
    assert lines()[2].since < lines()[2].at


def test_what_a_sender_calls_itself_is_a_short_line_that_can_be_shown():
    assert delivery_log.printable("mail.acme.example") == "mail.acme.example"
    assert delivery_log.printable("a\x1b[31m\u202eb\udcff") == "a\ufffd[31m\ufffdb\ufffd"
    assert len(delivery_log.printable("x" * 500)) == delivery_log.HELLO_CHARACTERS


def test_lines_go_when_their_days_are_over_and_with_their_mailbox(
    acme, acme_mailbox, lines, settings, monkeypatch
):
    delivery_log.note(acme_mailbox.address, STRANGE)
    delivery_log.note(acme_mailbox.address, STRANGE)
    settings.DELIVERY_LOG_DAYS = 3
    with tenant_context(acme):
        old, young = LogLine.objects.order_by("pk")
        LogLine.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=3, seconds=1))
    assert [line.pk for line in lines()] == [young.pk]  # nobody sees it from that moment on
    tidy_store(acme.schema_name)
    with tenant_context(acme):
        assert list(LogLine.objects.values_list("pk", flat=True)) == [young.pk]
        monkeypatch.setattr(delivery_log, "CLEARED_AT_ONCE", 1)
        LogLine.objects.update(at=timezone.now() - timedelta(days=4))
        assert delivery_log.clear(seconds=0)  # there may be more
        assert not delivery_log.clear(seconds=0)
        assert not LogLine.objects.exists()
