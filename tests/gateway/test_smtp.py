"""What the SMTP server answers, on real sockets. Replies are written out: they are promises to other people's servers."""

import smtplib
import socket

import pytest

from accounts.actors import SYSTEM
from gateway.smtp.connection import Times
from gateway.smtp.protocol import Limits
from mailboxes import errors, services
from tenants.services import edit_customer, suspend_customer
from tests.gateway.kit import SENDER, without_trace

EHLO_CLEAR = (
    b"250-gateway.localhost\r\n250-PIPELINING\r\n250-SIZE 157286400\r\n250-8BITMIME\r\n"
    b"250-BINARYMIME\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"
)


def test_the_greeting_and_what_is_offered_before_and_after_tls(talking):
    wire = talking.smtp_wire(hello=False)

    assert wire.reply() == b"220 gateway.localhost ESMTP Gatehouse\r\n"
    assert wire.ask(b"EHLO client.example") == EHLO_CLEAR
    assert wire.ask(b"STARTTLS") == b"220 2.0.0 Ready to start TLS\r\n"
    wire.start_tls(talking.tls)
    assert wire.ask(b"MAIL FROM:<a@b.example>") == b"503 5.5.1 Send EHLO or HELO first\r\n"
    assert wire.ask(b"EHLO client.example") == EHLO_CLEAR.replace(b"250-STARTTLS\r\n", b"")
    assert wire.ask(b"STARTTLS") == b"503 5.5.1 TLS is already on\r\n"


def test_implicit_tls_offers_no_starttls(talking):
    wire = talking.smtp_wire(secure=True, hello=False)

    assert wire.reply().startswith(b"220 ")
    assert wire.ask(b"EHLO client.example") == EHLO_CLEAR.replace(b"250-STARTTLS\r\n", b"")


def test_commands_sent_in_clear_behind_starttls_end_the_connection(talking):
    wire = talking.smtp_wire()

    wire.send(b"STARTTLS\r\nMAIL FROM:<mallory@globex.example>\r\n")

    assert wire.rest() == b"421 4.7.0 Nothing may follow STARTTLS before TLS, closing\r\n"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (b"NOOP", b"250 2.0.0 OK\r\n"),
        (b"NOOP ignored", b"250 2.0.0 OK\r\n"),
        (b"RSET", b"250 2.0.0 OK\r\n"),
        (b"RSET now", b"501 5.5.4 Syntax error in parameters\r\n"),
        (b"HELO client.example", b"250 gateway.localhost\r\n"),
        (b"EHLO", b"501 5.5.4 Syntax error in parameters\r\n"),
        (b"VRFY someone", b"252 2.5.0 Will not verify; send mail and see\r\n"),
        (b"EXPN list", b"502 5.5.1 Command not implemented\r\n"),
        (b"AUTH PLAIN AGEAYg==", b"502 5.5.1 Command not implemented\r\n"),
        (b"BDAT 0 LAST", b"503 5.5.1 Send MAIL first\r\n"),
        (b"BDAT", b"501 5.5.4 Syntax error in parameters\r\n"),
        (b"BDAT -1 LAST", b"501 5.5.4 Syntax error in parameters\r\n"),
        (b"BDAT 10 FIRST", b"501 5.5.4 Syntax error in parameters\r\n"),
        (b"HELP", b"214 2.0.0 EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n"),
        (b"HELO \x1b[31m", b"500 5.5.2 Syntax error\r\n"),
        (b"QWERTY \xe2\x80\xae", b"500 5.5.1 Command not recognized\r\n"),
        (b"NOOP\r", b"500 5.5.2 Syntax error\r\n"),
        (b"NOOP " + b"x" * 3000, b"500 5.5.2 Command line too long\r\n"),
        (b"MAIL FROM:a b", b"501 5.1.7 Syntax: MAIL FROM:<address>\r\n"),
        (b"MAIL FROM:<a@b.example> SIZE=157286401", b"552 5.3.4 Message is larger than the limit\r\n"),
        (
            b"MAIL FROM:<a@b.example> FUTURERELEASE=1",
            b"555 5.5.4 Parameter not recognized or not implemented\r\n",
        ),
        (b"RCPT TO:<a@b.example>", b"503 5.5.1 Send MAIL first\r\n"),
        (b"DATA", b"503 5.5.1 Send MAIL first\r\n"),
        (b"QUIT", b"221 2.0.0 Bye\r\n"),
    ],
)
def test_single_commands(talking, command, reply):
    assert talking.smtp_wire().ask(command) == reply


def test_the_order_of_commands_is_kept(gateway, acme_mailbox):
    wire = gateway.smtp_wire()

    assert wire.ask(b"MAIL FROM:<>") == b"250 2.1.0 Sender OK\r\n"
    assert wire.ask(b"MAIL FROM:<>") == b"503 5.5.1 Sender already given\r\n"
    assert wire.ask(b"DATA") == b"503 5.5.1 Send RCPT first\r\n"
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()) == b"250 2.1.5 Recipient OK\r\n"
    assert wire.ask(b"DATA now") == b"501 5.5.4 Syntax error in parameters\r\n"
    assert wire.ask(b"RSET") == b"250 2.0.0 OK\r\n"
    assert wire.ask(b"DATA") == b"503 5.5.1 Send MAIL first\r\n"


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\nMAIL FROM:<a@b.example>\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nEHLO x\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\nEHLO x\r\n",
        b"\0\0\0\r\nEHLO x\r\n",
        b"EHLO x\nMAIL FROM:<a@b.example>\n",
    ],
)
def test_who_does_not_open_with_smtp_is_hung_up_on(talking, opening):
    wire = talking.smtp_wire(hello=False)
    wire.reply()

    wire.send(opening)

    answer = wire.rest()
    assert answer.startswith(b"500 5.5.")
    assert answer.count(b"\r\n") == 1


def test_too_many_errors_close(talking):
    wire = talking.smtp_wire()

    for _ in range(10):
        assert wire.ask(b"NONSENSE") == b"500 5.5.1 Command not recognized\r\n"

    assert wire.rest() == b"421 4.7.0 Too many errors, closing\r\n"


def test_searching_for_addresses_closes(gateway, acme_mailbox):
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")

    for number in range(20):
        assert wire.ask(b"RCPT TO:<mbx-%d@gateway.localhost>" % number) == b"550 5.1.1 No such mailbox\r\n"

    assert wire.rest() == b"421 4.7.0 Too many unknown recipients, closing\r\n"


def test_a_recipient_too_many_waits_for_another_transaction(start_gateway, acme_mailbox, make_mailbox):
    wire = start_gateway(smtp_limits=Limits(recipients=1)).smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")

    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()) == b"250 2.1.5 Recipient OK\r\n"

    reply = wire.ask(f"RCPT TO:<{make_mailbox('Other').address}>".encode())
    assert reply == b"452 4.5.3 Too many recipients, send the rest in another transaction\r\n"


def test_at_least_a_hundred_recipients_are_taken_by_default():
    assert Limits().recipients >= 100


def test_a_silent_client_is_told_and_closed(start_gateway):
    wire = start_gateway(smtp_times=Times(command=0.3)).smtp_wire()

    assert wire.rest() == b"421 4.4.2 Waited too long, closing\r\n"


def test_a_client_that_stops_in_the_middle_of_data_leaves_nothing(start_gateway, acme_mailbox):
    gateway = start_gateway(smtp_times=Times(data_block=0.3))
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")

    wire.send(b"Subject: half\r\n\r\n" + b"x" * 200_000)

    assert wire.rest() == b"421 4.4.2 Waited too long, closing\r\n"
    assert gateway.collect(acme_mailbox) == []


def test_a_message_over_the_limit_is_refused_at_its_end(start_gateway, acme_mailbox):
    gateway = start_gateway(max_octets=100_000)
    big = b"Subject: big\r\n\r\n" + b"x" * 100_000 + b"\r\n"

    assert gateway.send(big, acme_mailbox.address) == b"552 5.3.4 Message is larger than the limit\r\n"
    assert gateway.collect(acme_mailbox) == []


def test_a_message_just_at_the_limit_is_kept(start_gateway, acme_mailbox):
    gateway = start_gateway(max_octets=100_000)
    text = b"." * 99_998 + b"\r\n"  # one more on the wire: the doubled dot does not count (RFC 1870 5)

    assert gateway.send(text, acme_mailbox.address).startswith(b"250 2.0.0 OK")
    assert without_trace(gateway.collect(acme_mailbox)[0]) == text


@pytest.mark.parametrize(
    "text",
    [
        b"Subject: x\r\n\r\nline\nline\r\n",
        b"Subject: x\r\n\r\nend\n.\nMAIL FROM:<mallory@globex.example>\r\n",
        b"Subject: x\r\n\r\nend\n.\r\nMAIL FROM:<mallory@globex.example>\r\nRCPT TO:<x@y>\r\nDATA\r\nsmuggled\r\n",
        b"Subject: x\r\n\r\nend\r\n.\nMAIL FROM:<mallory@globex.example>\r\n",
        b"Subject: x\r\n\r\nend\r\r\n.\n\r\n",
    ],
)
def test_a_bare_line_feed_is_refused_and_ends_nothing(gateway, acme_mailbox, text):
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")

    wire.send(text + b".\r\nNOOP\r\n")

    assert wire.reply() == b"550 5.6.11 Message contains bare LF, which must be CRLF; message refused\r\n"
    assert wire.reply() == b"250 2.0.0 OK\r\n"
    assert gateway.collect(acme_mailbox) == []


def test_bare_carriage_returns_smuggle_nothing(gateway, acme_mailbox):
    text = b"Subject: x\r\n\r\nend\r.\rMAIL FROM:<mallory@globex.example>\r\n"

    assert gateway.send(text, acme_mailbox.address).startswith(b"250 2.0.0 OK")

    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == [text]


def test_pipelined_transactions_are_answered_in_order(gateway, acme_mailbox):
    wire = gateway.smtp_wire()
    one = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{acme_mailbox.address}>\r\nDATA\r\n".encode()

    wire.send(one + b"Subject: 1\r\n\r\n.\r\n" + one + b"Subject: 2\r\n\r\n.\r\nQUIT\r\n")
    wire.socket.shutdown(socket.SHUT_WR)

    codes = [line[:3] for line in wire.rest().splitlines()]
    assert codes == [b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert [without_trace(m)[:10] for m in gateway.collect(acme_mailbox)] == [b"Subject: 1", b"Subject: 2"]


def test_the_trace_names_the_session_and_one_recipient_only(gateway, acme_mailbox, make_mailbox):
    other = make_mailbox("Other")
    client = gateway.smtp()
    client.helo("client.example")
    client.ehlo("client.example")

    client.sendmail(SENDER, [acme_mailbox.address, other.address], b"Subject: both\r\n\r\n")

    for mine, theirs in ((acme_mailbox, other), (other, acme_mailbox)):
        (message,) = gateway.collect(mine)
        lines = message.split(b"\r\n")
        assert lines[0] == b"Return-Path: <journal@acme.example>"
        assert lines[1] == b"Received: from client.example ([127.0.0.1])"
        assert lines[2].startswith(b"\tby gateway.localhost with ESMTPS id ")
        assert lines[3].startswith(f"\tfor <{mine.address}>; ".encode())
        assert theirs.address.encode() not in message


def test_a_recipient_named_twice_gets_the_message_once(gateway, acme_mailbox):
    reply = gateway.send(b"Subject: once\r\n\r\n", acme_mailbox.address, acme_mailbox.address.upper())

    assert reply.startswith(b"250 2.0.0 OK")
    assert len(gateway.collect(acme_mailbox)) == 1


def test_a_sender_with_smtputf8(gateway, acme_mailbox):
    wire = gateway.smtp_wire()

    assert wire.ask("MAIL FROM:<jörg@bücher.example> SMTPUTF8".encode()).startswith(b"250 ")
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"250 ")
    wire.ask(b"DATA")
    wire.send("Subject: Grüße\r\n\r\n.\r\n".encode())
    assert wire.reply().startswith(b"250 ")

    (message,) = gateway.collect(acme_mailbox)
    assert message.startswith("Return-Path: <jörg@bücher.example>\r\n".encode())
    assert b"with UTF8SMTP id" in message


def test_mail_is_refused_for_now_while_a_mailbox_is_suspended(gateway, acme_mailbox, suspend):
    suspend(acme_mailbox)

    reply = gateway.send(b"Subject: x\r\n\r\n", acme_mailbox.address)

    assert reply == b"450 4.2.1 Mailbox is suspended, please try again later\r\n"


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (errors.UnknownAddress, "550 5.1.1 No such mailbox"),
        (errors.MailboxDeleting, "550 5.1.1 No such mailbox"),
        (errors.MailboxSuspended, "450 4.2.1 Mailbox is suspended, please try again later"),
        (errors.MailboxFull, "452 4.2.2 Mailbox is full, please try again later"),
        (errors.NetworkNotAllowed, "550 5.7.1 Mail for this mailbox is not accepted from your network"),
        (errors.StoreFull, "452 4.3.1 No room for mail at present, please try again later"),
        (errors.StoreFailed, "451 4.3.0 Please try again later"),
        (ValueError, "451 4.3.0 Please try again later"),
        (MemoryError, "451 4.3.0 Please try again later"),
    ],
)
def test_every_outcome_has_its_reply_and_our_own_faults_never_bounce(error, reply):
    from gateway.smtp.ingress import reply_to

    assert str(reply_to(error())) == reply


def test_a_store_that_is_not_there_is_named_where_mail_is_put_off(gateway, acme_mailbox, settings, caplog):
    settings.STORE_ROOT.rmdir()

    assert gateway.send(b"Subject: x\r\n\r\n", acme_mailbox.address).startswith(b"451 ")

    (line,) = [text for record in caplog.records if "put off" in (text := record.getMessage())]
    assert "FileNotFoundError" in line and str(settings.STORE_ROOT) in line


TOO_LARGE = b"552 5.3.4 Message is larger than the limit\r\n"


@pytest.fixture
def limit(acme):
    """What Acme takes at most, of one message."""

    def put(octets):
        edit_customer(acme, message_limit_octets=octets, by=SYSTEM)

    return put


def test_a_message_that_is_too_large_for_the_customer_is_refused_when_that_is_known(
    gateway, acme_mailbox, limit
):
    limit(70_000)
    wire, to = gateway.smtp_wire(), f"RCPT TO:<{acme_mailbox.address}>".encode()
    wire.ask(b"MAIL FROM:<a@b.example> SIZE=70001")
    assert wire.ask(to) == TOO_LARGE
    wire.ask(b"RSET")
    for octets in (70_001, 1_000_000):  # in its last piece, and on the way
        assert gateway.send(b"x" * (octets - 2) + b"\r\n", acme_mailbox.address) == TOO_LARGE
    assert gateway.send(b"x" * 69_998 + b"\r\n", acme_mailbox.address).startswith(b"250 ")
    assert len(gateway.collect(acme_mailbox)) == 1


def test_what_is_too_large_for_one_customer_is_not_sent_back_for_another(
    gateway, acme_mailbox, make_mailbox, globex, limit
):
    limit(70_000)
    of_globex, _password = services.create_mailbox(globex, by=SYSTEM, name="Journal")
    here, there = (f"RCPT TO:<{to.address}>".encode() for to in (acme_mailbox, of_globex))
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")  # of which size, it does not say
    assert wire.ask(there).startswith(b"250 ")
    assert wire.ask(here) == b"452 4.5.3 Too many recipients, send the rest in another transaction\r\n"
    wire.ask(b"RSET")
    wire.ask(b"MAIL FROM:<a@b.example> SIZE=1000")
    assert wire.ask(there).startswith(b"250 ")
    assert wire.ask(here).startswith(b"250 ")


def test_mail_for_a_suspended_customer_is_put_off(gateway, acme, acme_mailbox):
    suspend_customer(acme, by=SYSTEM)
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    reply = wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    assert reply == b"450 4.2.1 Mailbox is suspended, please try again later\r\n"
    assert len(gateway.collect(acme_mailbox)) == 0  # one may sign in


def test_smtplib_sends_over_every_port(gateway, acme_mailbox):
    with smtplib.SMTP("127.0.0.1", gateway.ports.smtp) as clear:
        clear.sendmail(SENDER, [acme_mailbox.address], b"Subject: clear\r\n\r\n")
    with smtplib.SMTP_SSL("127.0.0.1", gateway.ports.smtps, context=gateway.tls) as secure:
        secure.sendmail(SENDER, [acme_mailbox.address], b"Subject: secure\r\n\r\n")

    assert len(gateway.collect(acme_mailbox)) == 2


def test_the_log_has_a_line_for_each_copy_and_nothing_of_the_mail(
    gateway, acme_mailbox, make_mailbox, caplog
):
    caplog.set_level("DEBUG")
    other = make_mailbox("Other")

    gateway.send(b"Subject: canary-subject\r\n\r\ncanary-body\r\n", acme_mailbox.address, other.address)

    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("delivered ")]
    assert len(lines) == 2
    for line, mailbox in zip(lines, (acme_mailbox, other), strict=True):
        assert f" mailbox={mailbox.address} " in line
        assert " customer=" in line
        assert " octets=40 " in line
    assert "canary" not in caplog.text
    assert SENDER not in caplog.text
