"""What the POP3 server answers, on real sockets."""

import base64
import poplib
import time

import pytest

from gateway.pop3.connection import Times
from mailboxes.vault import new_password
from tests.gateway.kit import without_trace

CAPABILITIES = b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
WRONG = b"-ERR [AUTH] Login name or password is wrong\r\n"


def listing(wire, command: bytes) -> list[bytes]:
    wire.send(command + b"\r\n")
    assert wire.line().startswith(b"+OK")
    return wire.body().splitlines()


def plain(mailbox, password: str | None = None) -> bytes:
    return base64.b64encode(f"\0{mailbox.address}\0{password or mailbox.password}".encode())


def test_capabilities_before_and_after_stls(talking):
    wire = talking.pop3_wire(secure=False)

    assert (
        b"\r\n".join(listing(wire, b"CAPA")) + b"\r\n"
        == CAPABILITIES + b"STLS\r\nIMPLEMENTATION Gatehouse\r\n"
    )
    assert wire.ask(b"STLS") == b"+OK Begin TLS\r\n"
    wire.start_tls(talking.tls)
    secure = b"\r\n".join(listing(wire, b"CAPA")) + b"\r\n"
    assert secure == CAPABILITIES + b"USER\r\nSASL PLAIN\r\nIMPLEMENTATION Gatehouse\r\n"
    assert wire.ask(b"STLS").startswith(b"-ERR")


@pytest.mark.parametrize("command", [b"USER x", b"PASS x", b"AUTH PLAIN", b"AUTH PLAIN AGEAYg=="])
def test_no_credentials_before_tls(talking, command):
    assert (
        talking.pop3_wire(secure=False).ask(command) == b"-ERR Say STLS first, or use the port with TLS\r\n"
    )


def test_commands_sent_in_clear_behind_stls_end_the_connection(talking):
    wire = talking.pop3_wire(secure=False)

    wire.send(b"STLS\r\nUSER mbx-1@gateway.localhost\r\n")

    assert wire.rest() == b""


def test_a_name_given_before_tls_is_forgotten(talking):
    wire = talking.pop3_wire(secure=False)
    wire.ask(b"USER mbx-1@gateway.localhost")
    wire.ask(b"STLS")
    wire.start_tls(talking.tls)

    assert wire.ask(b"PASS x") == b"-ERR Say USER first\r\n"


def test_every_way_of_logging_in(gateway, acme_mailbox):
    address, password = acme_mailbox.address.encode(), acme_mailbox.password.encode()

    for dialogue in (
        [b"USER " + address, b"PASS " + password],
        [b"user " + address.split(b"@")[0], b"pass " + password.lower()],
        [b"AUTH PLAIN " + plain(acme_mailbox)],
        [b"auth plain", plain(acme_mailbox)],
    ):
        wire = gateway.pop3_wire()
        replies = [wire.ask(line) for line in dialogue]
        assert replies[-1] == b"+OK 0 messages\r\n", dialogue[0]
        if dialogue[0] == b"auth plain":
            assert replies[0] == b"+ \r\n"
        assert wire.ask(b"QUIT") == b"+OK Bye\r\n"


def test_wrong_password_and_unknown_mailbox_are_refused_alike(gateway, acme_mailbox):
    for name, password in (
        (acme_mailbox.address, "wrong"),
        (acme_mailbox.address, "a" * 24),
        ("mbx-nobody@gateway.localhost", acme_mailbox.password),
        ("mbx-nobody@gateway.localhost", "wrong"),
        ("nonsense", "x"),
        ("\N{PILE OF POO}", "\N{PILE OF POO}"),
    ):
        wire = gateway.pop3_wire()
        assert wire.ask(f"USER {name}".encode()) == b"+OK Now the password\r\n"
        assert wire.ask(f"PASS {password}".encode()) == WRONG
    wire = gateway.pop3_wire()
    assert wire.ask(b"AUTH PLAIN " + plain(acme_mailbox, "wrong")) == WRONG
    assert wire.ask(b"USER \xff\xfe") == b"+OK Now the password\r\n"
    assert wire.ask(b"PASS \xff\xfe") == WRONG


def test_wrong_password_and_unknown_mailbox_cost_the_same_work(gateway, acme_mailbox, derivations):
    work = {}

    for name in (acme_mailbox.address, "mbx-nobody@gateway.localhost"):
        derivations.clear()
        assert gateway.sign_ins((name, new_password().reveal())) == [WRONG]
        work[name] = list(derivations)

    known, unknown = work.values()
    assert known == unknown
    assert len(known) == 1


def test_a_refusal_does_not_come_before_its_time_whatever_work_it_took(start_gateway, acme_mailbox):
    gateway = start_gateway(maildrops={"refusal_seconds": 0.3})

    for name in (acme_mailbox.address, "mbx-nobody@gateway.localhost"):
        for password in (new_password().reveal(), "mistyped"):
            began = time.monotonic()
            assert gateway.sign_ins((name, password)) == [WRONG]
            assert time.monotonic() - began >= 0.3, (name, password)


def test_the_third_wrong_password_ends_the_connection(gateway, acme_mailbox):
    wire = gateway.pop3_wire()
    for _ in range(3):
        wire.ask(f"USER {acme_mailbox.address}".encode())
        assert wire.ask(b"PASS wrong") == WRONG

    assert wire.rest() == b""


@pytest.mark.parametrize(
    ("dialogue", "reply"),
    [
        ([b"NONSENSE"], b"-ERR Command not recognized\r\n"),
        ([b""], b"-ERR Syntax error\r\n"),
        ([b"\x1b[31m"], b"-ERR Syntax error\r\n"),
        ([b"RETR 1"], b"-ERR Not now\r\n"),
        ([b"APOP x y"], b"-ERR Command not recognized\r\n"),
        ([b"USER"], b"-ERR Syntax: USER name\r\n"),
        ([b"PASS x"], b"-ERR Say USER first\r\n"),
        ([b"USER x", b"PASS"], b"-ERR Syntax: PASS password\r\n"),
        ([b"AUTH"], b"-ERR The only mechanism is PLAIN\r\n"),
        ([b"AUTH CRAM-MD5"], b"-ERR The only mechanism is PLAIN\r\n"),
        ([b"AUTH PLAIN", b"*"], b"-ERR Taken back\r\n"),
        ([b"AUTH PLAIN", b"!"], b"-ERR Response is not base64\r\n"),
        ([b"AUTH PLAIN", b"QUJD"], b"-ERR Response is not SASL PLAIN\r\n"),
        (
            [b"AUTH PLAIN", base64.b64encode(b"other\0me\0pw")],
            b"-ERR Acting for another mailbox is not possible\r\n",
        ),
        ([b"CAPA x"], b"-ERR This command takes no argument\r\n"),
        ([b"USER " + b"x" * 250], b"-ERR Line too long\r\n"),
        ([b"NOOP"], b"+OK\r\n"),
        ([b"QUIT"], b"+OK Bye\r\n"),
    ],
)
def test_single_commands_before_login(talking, dialogue, reply):
    wire = talking.pop3_wire()

    assert [wire.ask(line) for line in dialogue][-1] == reply


def test_a_bare_line_feed_ends_no_command(talking):
    wire = talking.pop3_wire()
    wire.send(b"NOOP\n")

    assert wire.line() == b"-ERR Lines must end with CRLF\r\n"


def test_nonsense_without_end_ends_the_connection(talking):
    wire = talking.pop3_wire()
    wire.send(b"NONSENSE\r\n" * 30)

    assert wire.rest() == b"-ERR Command not recognized\r\n" * 20


def test_a_maildrop_of_three_messages(gateway, acme_mailbox):
    for number in (1, 2, 3):
        gateway.send(b"Subject: %d\r\n\r\nbody\r\n.\r\nlast\r\n" % number, acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    sizes = [int(line.split()[1]) for line in listing(wire, b"LIST")]

    assert wire.ask(b"STAT") == b"+OK 3 %d\r\n" % sum(sizes)
    assert wire.ask(b"LIST 2") == b"+OK 2 %d\r\n" % sizes[1]
    ids = [line.split()[1] for line in listing(wire, b"UIDL")]
    assert len(set(ids)) == 3
    assert wire.ask(b"UIDL 3") == b"+OK 3 " + ids[2] + b"\r\n"
    wire.send(b"TOP 1 2\r\n")
    assert wire.line() == b"+OK Top of message follows\r\n"
    assert without_trace(wire.body()) == b"Subject: 1\r\n\r\nbody\r\n.\r\n"
    wire.send(b"TOP 1 0\r\n")
    wire.line()
    assert without_trace(wire.body()) == b"Subject: 1\r\n\r\n"
    for command in (b"LIST 4", b"RETR 0", b"RETR 999999999", b"DELE 4", b"UIDL 4", b"TOP 4 1"):
        assert wire.ask(command) == b"-ERR No such message\r\n"
    for command in (
        b"RETR",
        b"RETR x",
        b"RETR 1 2",
        b"RETR -1",
        b"TOP 1",
        b"TOP 1 x",
        b"DELE",
        b"LIST 9999999999",
    ):
        assert wire.ask(command) == b"-ERR Syntax error in arguments\r\n"
    assert wire.ask(b"USER x") == b"-ERR Not now\r\n"


def test_deletions_are_marks_until_quit(gateway, acme_mailbox):
    for number in (1, 2, 3):
        gateway.send(b"Subject: %d\r\n\r\n" % number, acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)

    assert wire.ask(b"DELE 1") == b"+OK Marked for deletion\r\n"
    assert wire.ask(b"DELE 1") == b"-ERR Message is marked for deletion\r\n"
    assert wire.ask(b"RETR 1") == b"-ERR Message is marked for deletion\r\n"
    assert wire.ask(b"LIST 1") == b"-ERR Message is marked for deletion\r\n"
    assert wire.ask(b"STAT").startswith(b"+OK 2 ")
    assert [line.split()[0] for line in listing(wire, b"LIST")] == [b"2", b"3"]
    assert wire.ask(b"RSET") == b"+OK 3 messages\r\n"
    assert wire.ask(b"STAT").startswith(b"+OK 3 ")
    wire.ask(b"DELE 2")
    assert wire.ask(b"QUIT") == b"+OK Bye\r\n"

    assert [without_trace(message)[:10] for message in gateway.collect(acme_mailbox)] == [
        b"Subject: 1",
        b"Subject: 3",
    ]


def test_a_connection_lost_before_quit_deletes_nothing_and_frees_the_maildrop(gateway, acme_mailbox, until):
    gateway.send(b"Subject: stays\r\n\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    wire.ask(b"RETR 1")
    wire.body()
    wire.ask(b"DELE 1")

    wire.close()

    until(lambda: _free(gateway, acme_mailbox))
    assert len(gateway.collect(acme_mailbox)) == 1


def _free(gateway, mailbox) -> bool:
    wire = gateway.pop3_wire()
    wire.ask(f"USER {mailbox.address}".encode())
    reply = wire.ask(f"PASS {mailbox.password}".encode())
    assert reply.startswith((b"+OK", b"-ERR [IN-USE]"))
    wire.send(b"QUIT\r\n")
    wire.rest()
    return reply.startswith(b"+OK")


def test_one_session_at_a_time(gateway, acme_mailbox):
    first = gateway.logged_in(acme_mailbox)
    second = gateway.pop3_wire()
    second.ask(f"USER {acme_mailbox.address}".encode())

    assert second.ask(f"PASS {acme_mailbox.password}".encode()) == (
        b"-ERR [IN-USE] Maildrop is open in another session\r\n"
    )
    assert first.ask(b"QUIT") == b"+OK Bye\r\n"
    second.ask(f"USER {acme_mailbox.address}".encode())
    assert second.ask(f"PASS {acme_mailbox.password}".encode()).startswith(b"+OK")


def test_mail_that_arrives_meanwhile_waits_for_the_next_session(gateway, acme_mailbox):
    gateway.send(b"Subject: 1\r\n\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)

    gateway.send(b"Subject: 2\r\n\r\n", acme_mailbox.address)

    assert wire.ask(b"STAT").startswith(b"+OK 1 ")
    wire.ask(b"DELE 1")
    wire.ask(b"QUIT")
    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == [b"Subject: 2\r\n\r\n"]


def test_ids_are_the_same_after_a_restart(start_gateway, acme_mailbox):
    first = start_gateway()
    for number in (1, 2):
        first.send(b"Subject: %d\r\n\r\n" % number, acme_mailbox.address)
    wire = first.logged_in(acme_mailbox)
    before = listing(wire, b"UIDL")
    wire.ask(b"QUIT")

    assert listing(start_gateway().logged_in(acme_mailbox), b"UIDL") == before


def test_pipelined_commands_are_answered_in_order(gateway, acme_mailbox):
    gateway.send(b"Subject: 1\r\n\r\n", acme_mailbox.address)
    wire = gateway.pop3_wire()

    wire.send(
        f"USER {acme_mailbox.address}\r\nPASS {acme_mailbox.password}\r\nSTAT\r\nDELE 1\r\nQUIT\r\n".encode()
    )

    replies = wire.rest().splitlines()
    assert [reply.split()[0] for reply in replies] == [b"+OK"] * 5
    assert replies[-1] == b"+OK Bye"
    assert gateway.collect(acme_mailbox) == []


def test_a_silent_client_is_closed_without_a_word_and_without_update(start_gateway, acme_mailbox):
    gateway = start_gateway(pop3_times=Times(idle=0.5))
    gateway.send(b"Subject: stays\r\n\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    wire.ask(b"DELE 1")

    assert wire.rest() == b""
    assert len(gateway.collect(acme_mailbox)) == 1


def test_a_client_that_stops_reading_is_closed(start_gateway, acme_mailbox, until):
    gateway = start_gateway(pop3_times=Times(write=0.5))
    gateway.send(b"x: y\r\n\r\n" + b"z" * 16_000_000 + b"\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)

    wire.send(b"RETR 1\r\n")

    until(lambda: _free(gateway, acme_mailbox))


def test_a_session_says_that_it_lives(start_gateway, acme_mailbox, until, lock_age):
    wire = start_gateway(maildrops={"renew_seconds": 0.1}).logged_in(acme_mailbox)

    first = lock_age(acme_mailbox)

    until(lambda: lock_age(acme_mailbox) != first)
    assert wire.ask(b"NOOP") == b"+OK\r\n"


def test_a_session_whose_maildrop_was_taken_over_ends(start_gateway, acme_mailbox, take_over):
    gateway = start_gateway(maildrops={"renew_seconds": 0.1})
    gateway.send(b"Subject: stays\r\n\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    wire.ask(b"DELE 1")

    take_over(acme_mailbox)

    assert wire.rest() == b""


@pytest.mark.parametrize("at", [120, -1], ids=["header", "chunk"])
def test_a_message_that_does_not_open_harms_no_other(gateway, acme_mailbox, blob_of, caplog, at):
    for number in (1, 2, 3):
        gateway.send(b"Subject: %d\r\n\r\n" % number, acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    ids = [line.split()[1].decode() for line in listing(wire, b"UIDL")]
    blob = blob_of(acme_mailbox, ids[1])
    octets = bytearray(blob.read_bytes())
    octets[at] ^= 1
    blob.write_bytes(octets)

    assert wire.ask(b"RETR 2") == b"-ERR [SYS/PERM] Message cannot be opened\r\n"
    assert wire.ask(b"RETR 1").startswith(b"+OK")
    wire.body()
    assert wire.ask(b"RETR 3").startswith(b"+OK")
    wire.body()
    assert wire.ask(b"QUIT") == b"+OK Bye\r\n"
    assert ids[1] in caplog.text
    again = [line.split()[1].decode() for line in listing(gateway.logged_in(acme_mailbox), b"UIDL")]
    assert again == [ids[0], ids[2]]


def test_a_message_that_breaks_in_its_middle_never_looks_whole(gateway, acme_mailbox, blob_of):
    gateway.send(b"x: y\r\n\r\n" + b"z" * 500_000 + b"\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    (line,) = listing(wire, b"UIDL")
    blob = blob_of(acme_mailbox, line.split()[1].decode())
    octets = bytearray(blob.read_bytes())
    octets[-1] ^= 1
    blob.write_bytes(octets)

    wire.send(b"RETR 1\r\n")
    answer = wire.rest()

    assert answer.startswith(b"+OK ")
    assert not answer.endswith(b"\r\n.\r\n")


def test_poplib_collects_by_tls_and_by_stls(gateway, acme_mailbox):
    gateway.send(b"Subject: by poplib\r\n\r\nbody\r\n", acme_mailbox.address)
    first = gateway.pop3(acme_mailbox)
    _, lines, octets = first.retr(1)
    first.quit()
    assert lines[-1] == b"body"
    assert octets == sum(len(line) + 2 for line in lines)
    second = poplib.POP3("127.0.0.1", gateway.ports.pop3)
    second.stls(context=gateway.tls)
    second.user(acme_mailbox.address)
    second.pass_(acme_mailbox.password)
    second.dele(1)
    second.quit()

    assert gateway.collect(acme_mailbox) == []


def test_the_log_has_a_line_for_each_session_and_never_a_password(gateway, acme_mailbox, caplog):
    caplog.set_level("DEBUG")
    gateway.send(b"Subject: canary-subject\r\n\r\ncanary-body\r\n", acme_mailbox.address)

    gateway.collect(acme_mailbox, delete=True)
    wire = gateway.pop3_wire()
    wire.ask(b"AUTH PLAIN " + plain(acme_mailbox, "canary-password"))
    wire.ask(f"USER {acme_mailbox.address}".encode())
    wire.ask(b"PASS canary-password")

    (line,) = [
        record.getMessage() for record in caplog.records if record.getMessage().startswith("collected ")
    ]
    assert f" mailbox={acme_mailbox.address} " in line
    assert " retrieved=1 " in line
    assert " deleted=1 " in line
    assert line.endswith(" end=quit")
    assert "canary" not in caplog.text
    assert acme_mailbox.password not in caplog.text
