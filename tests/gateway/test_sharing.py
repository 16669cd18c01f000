"""No one connection and no one network takes the gateway from the others."""

import asyncio
import contextlib
import select
import socket
import ssl
import struct

import pytest

from gateway.peers import Places
from gateway.pop3.connection import Times as Pop3Times
from gateway.smtp.connection import Times
from gateway.smtp.protocol import Limits
from gateway.smtp.text import Pace
from tests.gateway.kit import SECONDS, Wire, serving

FLOOD = 10_000  # commands sent at once
ENDLESS = Limits(commands=10**9, errors=10**9)


async def read_through(reader: asyncio.StreamReader, counted: list[int]) -> None:
    while octets := await reader.read(64 * 1024):
        counted[0] += octets.count(b"\r\n")


async def count_turns(turns: list[int]) -> None:
    while True:
        turns[0] += 1
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("port", "secure", "command"),
    [
        ("smtp", False, b"NOOP\r\n"),
        ("smtps", True, b"VRFY x\r\n"),
        ("smtp", False, b"NOOP\r\n\r\n"),
        ("pop3s", True, b"NOOP\r\n"),
        ("pop3", False, b"CAPA\r\n"),
    ],
)
def test_a_flood_of_commands_gets_one_answer_in_each_turn(certificates, port, secure, command):
    """An honest greeting takes so many turns of the loop; what the flood gets done meanwhile grows with them only."""

    async def attack() -> tuple[int, int]:
        async with asyncio.timeout(SECONDS), serving(certificates, smtp_limits=ENDLESS) as gateway:
            ports = gateway.ports
            tls = certificates.client_context if secure else None
            reader, writer = await asyncio.open_connection("127.0.0.1", getattr(ports, port), ssl=tls)
            answered, turns = [0], [0]
            tasks = [
                asyncio.create_task(read_through(reader, answered)),
                asyncio.create_task(count_turns(turns)),
            ]
            writer.write(command * FLOOD)
            while answered[0] < 50:
                await asyncio.sleep(0)
            before = answered[0], turns[0]
            greeting = await greeted(ports.smtp)
            during = answered[0] - before[0], turns[0] - before[1]
            for task in tasks:
                task.cancel()
            writer.transport.abort()
            assert greeting.startswith(b"220 ")
            return during

    answered, turns = asyncio.run(attack())

    lines_in_an_answer = 12  # CAPA's, and some to spare
    assert answered <= lines_in_an_answer * (turns + 2), f"{answered} lines in {turns} turns"


async def greeted(port: int, tls: ssl.SSLContext | None = None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        return await reader.readline()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "commands",
    [
        [b"NOOP"],
        [b"RSET"],
        [b"EHLO again.example"],
        [b"VRFY someone"],
        [b"HELP"],
        [b"MAIL FROM:<a@b.example>", b"RSET"],
        [b"EHLO again.example", b"MAIL FROM:<a@b.example>", b"NOOP"],
        [b"BDAT 3\r\nx", b"BDAT 0"],
    ],
)
def test_commands_that_lead_to_no_message_end_the_connection(start_gateway, commands):
    wire = start_gateway(smtp_limits=Limits(commands=10)).smtp_wire()

    wire.send((b"\r\n".join(commands) + b"\r\n") * 20)

    answer = wire.rest()
    assert answer.endswith(b"\r\n421 4.7.0 Too many commands without a message, closing\r\n")
    assert len([line for line in answer.splitlines() if line[3:4] == b" "]) <= 10 + 1


def test_large_chunks_of_a_refused_text_end_the_connection_too(start_gateway):
    wire = start_gateway(smtp_limits=Limits(asked=10)).smtp_wire()

    wire.send((b"BDAT 2000\r\n" + b"x" * 2000) * 20)

    replies = wire.rest().splitlines()
    assert replies == [b"503 5.5.1 Send MAIL first"] * 10 + [
        b"421 4.7.0 Too many commands without a message, closing"
    ]


def test_a_message_that_is_kept_pays_for_the_commands_before_it(start_gateway, acme_mailbox):
    wire = start_gateway(smtp_limits=Limits(commands=4, asked=1)).smtp_wire()

    for _ in range(5):
        assert wire.ask(b"MAIL FROM:<a@b.example>").startswith(b"250 ")
        assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"250 ")
        assert wire.ask(b"DATA").startswith(b"354 ")
        assert wire.ask(b"Subject: x\r\n\r\n.").startswith(b"250 2.0.0 OK")

    wire.ask(b"MAIL FROM:<a@b.example>")
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"250 ")
    last = wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    assert last == b"421 4.7.0 Too many commands without a message, closing\r\n"


def test_at_least_as_many_commands_as_an_honest_sender_needs_are_allowed():
    assert Limits().commands >= 100
    assert Limits().asked >= 1000
    assert Times().without_mail >= 600


def test_a_connection_without_mail_does_not_live_for_ever(start_gateway):
    wire = start_gateway(smtp_times=Times(without_mail=0.5)).smtp_wire()
    answers = []

    while (answer := wire.ask(b"NOOP")).startswith(b"250 "):
        answers.append(answer)
        if len(answers) > 90:  # below the limit of commands: the time alone decides
            answer = wire.reply()
            break

    assert answer == b"421 4.4.2 Waited too long, closing\r\n"


class Visitor:
    """Has a place, or had one."""

    def __init__(self, peer: str, *, at_work: bool = False) -> None:
        self.peer = peer
        self.at_work = at_work
        self.gone = False

    def give_way(self) -> None:
        self.gone = True


def come(places: Places, *peers: str, at_work: bool = False) -> list[Visitor]:
    visitors = [Visitor(peer, at_work=at_work) for peer in peers]
    return [visitor for visitor in visitors if places.take(visitor)]


def test_while_there_is_room_a_network_may_have_it_all():
    places = Places(total=10)

    assert len(come(places, *["192.0.2.1"] * 12)) == 10


def test_a_stranger_takes_the_place_that_the_largest_network_has_held_idle_for_longest():
    places = Places(total=5)
    busy = come(places, "192.0.2.1", at_work=True)
    idle = come(places, "192.0.2.2", "192.0.2.2", "192.0.2.3")
    other = come(places, "198.51.100.1")

    (stranger,) = come(places, "203.0.113.1")

    assert [visitor.gone for visitor in busy + idle + other + [stranger]] == [False, True, *[False] * 4]


def test_networks_share_all_places_evenly_whoever_comes_first():
    places = Places(total=12)
    first = come(places, *["192.0.2.1"] * 12, at_work=True)

    second = come(places, *["2001:db8:1::1"] * 20, at_work=True)
    third = come(places, *["3fff:1:2::1", "3fff:1:2:1::1"] * 10, at_work=True)

    assert [sum(not visitor.gone for visitor in group) for group in (first, second, third)] == [4, 4, 4]
    assert come(places, "192.0.2.1", "2001:db8:1::1", at_work=True) == []


def test_a_neighbour_of_the_greedy_finds_a_place_as_well():
    places = Places(total=6)
    greedy = come(places, *["192.0.2.1"] * 6)

    neighbour = come(places, "192.0.2.2", "192.0.2.2", "192.0.2.2", "192.0.2.2")

    assert [visitor.gone for visitor in greedy] == [True] * 3 + [False] * 3
    assert len(neighbour) == 3


def test_a_thousand_networks_with_a_place_each_keep_no_stranger_out():
    places = Places(total=3)
    idle = come(places, "192.0.2.1", "198.51.100.1")
    come(places, "203.0.113.1", at_work=True)

    assert len(come(places, "2001:db8::1", at_work=True)) == 1
    assert [visitor.gone for visitor in idle] == [True, False]
    assert len(come(places, "3fff:1::1", at_work=True)) == 1
    assert come(places, "3fff:2::1") == [], "nobody is thrown out of his work for an equal"


def test_a_provider_with_a_thousand_sites_keeps_no_stranger_out_and_its_sites_share_what_it_has():
    places = Places(total=4)
    sites = come(places, *(f"2001:db8:{site}::1" for site in range(4)), at_work=True)

    assert len(come(places, *["192.0.2.1"] * 4, at_work=True)) == 2
    assert sum(site.gone for site in sites) == 2
    assert len(come(places, "3fff:1::1", at_work=True)) == 1
    assert come(places, "2001:db8:9::1") == []


def test_a_place_given_back_twice_is_free_once():
    places = Places(total=2, per_network=1)
    (visitor,) = come(places, "192.0.2.1")

    assert come(places, "192.0.2.2") == []
    places.give_back(visitor)
    places.give_back(visitor)
    assert len(come(places, "192.0.2.1", "198.51.100.1")) == 2
    assert places.take(Visitor("203.0.113.1")), "of a waiting one"


def test_a_stranger_is_greeted_although_one_network_has_taken_every_place(start_gateway):
    gateway = start_gateway(smtp_places=3, pop3_places=2)
    greedy = []
    for last in (2, 3, 4):
        greedy.append(Wire(gateway.ports.smtp, source=f"127.0.0.{last}"))
        assert greedy[-1].reply().startswith(b"220 ")
    refused = Wire(gateway.ports.smtp, source="127.0.0.2")
    stranger = Wire(gateway.ports.smtp, source="127.0.9.9")

    assert refused.rest() == b"421 4.7.0 Too many connections, please come back later\r\n"
    assert stranger.reply().startswith(b"220 ")
    assert greedy[0].rest() == b"421 4.7.0 Others need this connection's place, please come back later\r\n"
    assert greedy[1].ask(b"NOOP").startswith(b"250 ")

    archivers = []
    for _ in range(2):
        archivers.append(Wire(gateway.ports.pop3, source="127.0.0.2"))
        assert archivers[-1].line().startswith(b"+OK ")
    refused_archiver = Wire(gateway.ports.pop3, source="127.0.0.2")
    other = Wire(gateway.ports.pop3, source="127.0.9.9")

    assert refused_archiver.rest() == b"-ERR [SYS/TEMP] Too many connections, please come back later\r\n"
    assert other.line().startswith(b"+OK ")
    assert archivers[0].rest() == b""
    for wire in (*greedy, refused, stranger, *archivers, refused_archiver, other):
        wire.close()


def test_who_only_says_to_be_at_work_gives_way_to_a_stranger(start_gateway, acme_mailbox, monkeypatch):
    """One from each of many networks said MAIL and no more: that filled all places for five minutes."""
    gateway, seen = start_gateway(smtp_places=2), []

    def comes(network: int, *commands: bytes) -> Wire:
        seen.append(Wire(gateway.ports.smtp, source=f"127.0.{network}.1"))
        assert seen[-1].reply().startswith(b"220 ")
        for command in (b"EHLO x", b"MAIL FROM:<a@b.example>", *commands):
            assert seen[-1].ask(command).startswith(b"250")
        return seen[-1]

    claims = [comes(network) for network in (1, 2)]
    knows = f"RCPT TO:<{acme_mailbox.address}>".encode()
    sender = comes(3, knows)
    assert claims[0].rest().startswith(b"421 4.7.0 Others need")
    assert sender.ask(b"RSET").startswith(b"250 ")
    assert sender.ask(b"MAIL FROM:<a@b.example>").startswith(b"250 ")
    assert sender.ask(knows).startswith(b"250 ")
    comes(4, knows)
    assert claims[1].rest().startswith(b"421 4.7.0 Others need")

    assert Wire(gateway.ports.smtp, source="127.0.5.1").rest().startswith(b"421 4.7.0 Too many")
    monkeypatch.setattr("gateway.smtp.protocol.SILENT_SECONDS", 0)
    comes(5)
    assert sender.rest().startswith(b"421 4.7.0 Others need")
    for wire in seen:
        wire.close()


def test_who_never_begins_tls_is_counted_and_gives_way(start_gateway):
    for number in (1, 3):
        gateway = start_gateway(smtp_places=2, pop3_places=2)
        port = gateway.ports[number]
        silent = [Wire(port, source="127.0.0.2") for _ in range(2)]

        refused = Wire(port, source="127.0.0.2")
        assert refused.rest() == b""
        stranger = Wire(port, gateway.tls, source="127.0.9.9")

        assert stranger.line()[:3] in (b"220", b"+OK")
        assert silent[0].rest() == b""
        for wire in (*silent, refused, stranger):
            wire.close()


@pytest.mark.parametrize("port", ["smtp", "smtps", "pop3", "pop3s"])
@pytest.mark.parametrize("instead", [b"GET / HTTP/1.0\r\n\r\n", b"", None])
def test_a_handshake_that_fails_gives_its_place_back(certificates, port, instead, caplog):
    """Noise, an end, or a reset in place of TLS: then the only place is free for the next one, who needs not take it."""
    upgrade = {"smtp": [b"EHLO x", b"STARTTLS"], "pop3": [b"STLS"]}.get(port, [])

    async def fail_in_turn() -> None:
        async with (
            asyncio.timeout(SECONDS),
            serving(certificates, smtp_places=1, pop3_places=1) as gateway,
        ):
            number = getattr(gateway.ports, port)
            places = gateway._smtp_places if port.startswith("smtp") else gateway._pop3_places
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", number)
                for command in [None, *upgrade] if upgrade else []:
                    if command:
                        writer.write(command + b"\r\n")
                    while (await reader.readline())[3:4] == b"-":
                        pass
                while not places.taken:
                    await asyncio.sleep(0)
                if instead is None:
                    gone = struct.pack("ii", 1, 0)  # a reset, not an end
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
                    writer.transport.abort()
                elif instead:
                    writer.write(instead)
                else:
                    writer.write_eof()
                while places.taken or gateway._protocols or gateway._connections or gateway._entering:
                    await asyncio.sleep(0.01)
                writer.transport.abort()

    asyncio.run(fail_in_turn())

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_who_never_goes_on_with_tls_gives_way(start_gateway):
    gateway = start_gateway(smtp_places=1)
    silent = Wire(gateway.ports.smtp, source="127.0.0.2")
    silent.reply()
    silent.ask(b"EHLO x")
    assert silent.ask(b"STARTTLS").startswith(b"220 ")
    stranger = Wire(gateway.ports.smtp, source="127.0.9.9")

    assert stranger.reply().startswith(b"220 ")
    assert silent.rest() == b""
    silent.close()
    stranger.close()


@pytest.mark.parametrize("protocol", ["smtp", "pop3"])
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
def test_a_handshake_that_is_not_gone_on_with_ends(certificates, protocol, begun):
    async def fall_silent() -> None:
        async with (
            asyncio.timeout(SECONDS),
            serving(
                certificates, smtp_times=Times(handshake=0.2), pop3_times=Pop3Times(handshake=0.2)
            ) as gateway,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", getattr(gateway.ports, protocol))
            for command in [
                b"",
                *([b"EHLO x\r\n", b"STARTTLS\r\n"] if protocol == "smtp" else [b"STLS\r\n"]),
            ]:
                writer.write(command)
                while (await reader.readline())[3:4] == b"-":
                    pass
            writer.write(begun)
            while gateway._smtp_places.taken or gateway._pop3_places.taken or gateway._connections:
                await asyncio.sleep(0.01)
            writer.transport.abort()

    asyncio.run(fall_silent())


@pytest.fixture
def impatient(start_gateway, acme_mailbox):
    """A gateway that waits half a second for a text, and a connection on which one may begin."""
    gateway = start_gateway(smtp_times=Times(text=Pace(seconds=0.5, octets_per_second=1000)))
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    yield wire
    assert gateway.collect(acme_mailbox) == []


@pytest.mark.parametrize("opening", [b"DATA\r\n", b"BDAT 1000000 LAST\r\n"])
def test_a_text_that_trickles_ends_although_something_comes_all_the_time(impatient, opening):
    impatient.send(opening)
    if opening.startswith(b"DATA"):
        assert impatient.reply().startswith(b"354 ")

    assert trickle(impatient, b"x", pieces=100), "it was heard before the trickle ended"

    assert impatient.rest() == b"421 4.4.2 Waited too long, closing\r\n"


def test_chunks_that_trickle_end_too(impatient):
    answer, pieces = b"250 2.0.0 Chunk taken\r\n", 0
    while answer == b"250 2.0.0 Chunk taken\r\n" and pieces < 1000:
        trickle(impatient, b"BDAT 1\r\nx", pieces=1)
        answer, pieces = impatient.reply(), pieces + 1
        select.select([impatient.socket], [], [], 0.05)

    assert answer == b"421 4.4.2 Waited too long, closing\r\n"


def test_a_slow_line_may_take_as_long_as_its_octets_need(start_gateway, acme_mailbox):
    gateway = start_gateway(smtp_times=Times(text=Pace(seconds=0.3, octets_per_second=10)))
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    assert wire.ask(b"DATA").startswith(b"354 ")

    trickle(wire, b"Subject: x\r\n", pieces=20)
    wire.send(b".\r\n")

    assert wire.reply().startswith(b"250 2.0.0 OK")


def trickle(wire: Wire, octets: bytes, *, pieces: int) -> bool:
    """Send a little, wait a little, until something is heard or all was sent; whether something was."""
    for _ in range(pieces):
        with contextlib.suppress(OSError):
            wire.send(octets)
        if select.select([wire.socket], [], [], 0.05)[0]:
            return True
    return False


def test_a_limit_is_asked_for_when_the_size_is_announced_and_when_it_is_known(gateway, acme, acme_mailbox):
    acme.mailbox_quota_octets = 1000
    acme.save()
    full = b"452 4.2.2 Mailbox is full, please try again later\r\n"
    wire = gateway.smtp_wire()

    assert wire.ask(b"MAIL FROM:<a@b.example> SIZE=1001").startswith(b"250 ")
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()) == full
    assert gateway.send(b"x: y\r\n\r\n" + b"z" * 1_000_000 + b"\r\n", acme_mailbox.address) == full
    assert gateway.send(b"x: small\r\n\r\n", acme_mailbox.address).startswith(b"250 ")

    assert len(gateway.collect(acme_mailbox)) == 1
