"""No one connection and no one network takes the gateway from the others."""

import asyncio
import contextlib
import ssl

import pytest

from gateway.server import Configuration, Gateway, Ports
from gateway.smtp.connection import Times
from gateway.smtp.protocol import Limits
from tests.gateway.kit import SECONDS, Certificates

FLOOD = 10_000  # commands sent at once
ENDLESS = Limits(commands=10**9, errors=10**9)


@contextlib.asynccontextmanager
async def serving(certificates: Certificates, **changes):
    """A gateway in this very loop, so that its turns can be counted."""
    gateway = Gateway(
        Configuration.from_settings(
            bind="127.0.0.1",
            ports=Ports(0, 0, 0, 0),
            cert_file=certificates.cert_file,
            key_file=certificates.key_file,
            redis_url=None,
            stop_seconds=0.2,
            **changes,
        )
    )
    await gateway.start()
    try:
        yield gateway.ports
    finally:
        await gateway.stop()


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
        async with asyncio.timeout(SECONDS), serving(certificates, smtp_limits=ENDLESS) as ports:
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
    ],
)
def test_commands_that_lead_to_no_message_end_the_connection(start_gateway, commands):
    wire = start_gateway(smtp_limits=Limits(commands=10)).smtp_wire()

    wire.send((b"\r\n".join(commands) + b"\r\n") * 20)

    answer = wire.rest()
    assert answer.endswith(b"\r\n421 4.7.0 Too many commands without a message, closing\r\n")
    assert len([line for line in answer.splitlines() if line[3:4] == b" "]) <= 10 + 1


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
