"""What one POP3 client may ask of everybody's patience, and what none is refused."""

import asyncio
import select

import pytest
from django.db import connection
from django_tenants.utils import tenant_context

from gateway.pop3.connection import Times
from gateway.pop3.maildrops import AT_ONCE
from gateway.pop3.session import MAX_BEFORE_SIGN_IN, MAX_NOWHERE
from gateway.server import Configuration, Gateway, Ports
from mailboxes.models import MailboxKey
from mailboxes.vault import new_password
from tests.breaking.kit import LONG
from tests.gateway.kit import SECONDS

NOWHERE = b"-ERR Too many commands that lead nowhere\r\n"


@pytest.fixture
def put_messages(acme):
    """So many messages as far as the database knows; there is nothing to retrieve."""

    def put(opened, count: int) -> None:
        with tenant_context(acme), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO mailboxes_message (uid, mailbox_id, key_id, octets, blob, received_at)"
                " SELECT gen_random_uuid(), %s, %s, number, 'none/' || number, now()"
                " FROM generate_series(1, %s) AS number",
                [opened.mailbox.pk, MailboxKey.objects.get(mailbox=opened.mailbox).pk, count],
            )

    return put


def test_others_get_their_turn_between_any_two_commands_of_one_connection(certificates):
    """Counted in turns of the event loop that another task gets while lines that came in one piece are worked off."""
    commands = MAX_BEFORE_SIGN_IN - 1

    async def turns_of_another() -> int:
        configuration = Configuration.from_settings(
            bind="127.0.0.1",
            ports=Ports(0, 0, 0, 0),
            cert_file=certificates.cert_file,
            key_file=certificates.key_file,
            redis_url=None,
        )
        gateway, turns, answered = Gateway(configuration), 0, asyncio.Event()

        async def other() -> None:
            nonlocal turns
            while not answered.is_set():
                turns += 1
                await asyncio.sleep(0)

        await gateway.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports.pop3)
            await reader.readline()
            writer.write(b"NOOP\r\n" * commands)
            await asyncio.sleep(0)
            waiting = asyncio.ensure_future(other())
            async with asyncio.timeout(SECONDS):
                await reader.readexactly(len(b"+OK\r\n") * commands)
            answered.set()
            await waiting
            writer.close()
        finally:
            await gateway.stop()
        return turns

    assert asyncio.run(turns_of_another()) >= commands


def test_who_only_talks_before_signing_in_is_told_no_more(talking):
    wire = talking.pop3_wire()

    wire.send(b"NOOP\r\n" * (MAX_BEFORE_SIGN_IN + 5))

    assert wire.rest() == b"+OK\r\n" * MAX_BEFORE_SIGN_IN + NOWHERE


def test_who_only_talks_after_signing_in_is_told_no_more(gateway, acme_mailbox):
    wire = gateway.logged_in(acme_mailbox)

    wire.send(b"STAT\r\n" * (MAX_NOWHERE + 5))

    assert wire.rest() == b"+OK 0 0\r\n" * MAX_NOWHERE + NOWHERE


def test_a_client_that_asks_for_each_message_is_never_refused(gateway, acme_mailbox, put_messages):
    """As mpop and fetchmail do with a full maildrop, more often than a talker may say anything."""
    count = MAX_NOWHERE + 100
    put_messages(acme_mailbox, count)
    wire = gateway.logged_in(acme_mailbox)

    for number in range(1, count + 1):
        wire.send(b"LIST %d\r\nUIDL %d\r\nDELE %d\r\nSTAT\r\n" % (number, number, number))
        replies = [wire.line() for _ in range(4)]
        assert [reply[:3] for reply in replies] == [b"+OK"] * 4, replies
    assert replies[-1] == b"+OK 0 0\r\n"
    assert wire.ask(b"RSET") == b"+OK %d messages\r\n" % count
    assert wire.ask(b"STAT") == b"+OK %d %d\r\n" % (count, count * (count + 1) // 2)


def test_a_mailbox_has_few_sign_ins_under_way_at_once_and_the_rest_is_told(
    gateway, acme_mailbox, hold_messages
):
    wires = [gateway.pop3_wire() for _ in range(AT_ONCE + 1)]
    with hold_messages(acme_mailbox):  # so that none of them ends meanwhile
        for wire in wires:
            wire.send(f"USER {acme_mailbox.address}\r\nPASS {acme_mailbox.password}\r\n".encode())
            assert wire.line() == b"+OK Now the password\r\n"
        (told, *_), _, _ = select.select([wire.socket for wire in wires], [], [], SECONDS)
        (refused,) = (wire for wire in wires if wire.socket is told)
        assert refused.line().startswith(b"-ERR [SYS/TEMP] Too many sign-ins to this mailbox at once")

    replies = sorted(wire.line()[:8] for wire in wires if wire is not refused)
    assert replies == [b"+OK 0 me"] + [b"-ERR [IN"] * (AT_ONCE - 1)


def test_sign_ins_of_its_neighbours_keep_no_archiver_out(gateway, acme_mailbox, hold_messages):
    credentials = acme_mailbox.address, acme_mailbox.password
    assert gateway.sign_ins(credentials, source="127.0.9.9")[0].startswith(b"+OK")
    archiver = gateway.pop3_wire(source="127.0.9.9")
    neighbours = [gateway.pop3_wire(source="127.0.9.77") for _ in range(AT_ONCE + 1)]
    with hold_messages(acme_mailbox):
        for wire in (*neighbours, archiver):
            if wire is archiver:
                select.select([wire.socket for wire in neighbours], [], [], SECONDS)  # by then one was told
            wire.send("USER {}\r\nPASS {}\r\n".format(*credentials).encode())
            assert wire.line() == b"+OK Now the password\r\n"

    assert archiver.line()[:8] in (b"+OK 0 me", b"-ERR [IN")


def test_a_refusal_that_is_put_off_counts_as_no_sign_in_under_way(start_gateway, acme_mailbox, until, caplog):
    gateway = start_gateway(maildrops={"refusal_seconds": SECONDS}, stop_seconds=0.5)
    guessers = [gateway.pop3_wire() for _ in range(AT_ONCE)]
    for wire in guessers:
        wire.send(f"USER {acme_mailbox.address}\r\nPASS {new_password().reveal()}\r\n".encode())
    until(lambda: caplog.text.count("login refused") == AT_ONCE)

    gateway.logged_in(acme_mailbox).ask(b"QUIT")
    assert [wire.line() for wire in guessers] == [b"+OK Now the password\r\n"] * AT_ONCE
    assert select.select([wire.socket for wire in guessers], [], [], 0)[0] == [], "none has its answer yet"


def test_one_archiver_may_have_a_hundred_sessions(gateway, make_mailbox):
    boxes = [make_mailbox(f"Archived {number}") for number in range(100 if LONG else 10)]
    others = [gateway.pop3_wire() for _ in range(100 - len(boxes))]

    sessions = [gateway.logged_in(box) for box in boxes]

    assert all(wire.ask(b"NOOP") == b"+OK\r\n" for wire in (*sessions, *others))


def test_life_before_signing_in_has_an_end_and_life_after_it_has_none(start_gateway, acme_mailbox):
    gateway = start_gateway(pop3_times=Times(sign_in=3.0))
    signed_in = gateway.logged_in(acme_mailbox)
    talker = gateway.pop3_wire()
    talker.ask(b"NOOP")

    assert talker.rest() == b"", "and it came later than the one that signed in"
    assert signed_in.ask(b"NOOP") == b"+OK\r\n"
