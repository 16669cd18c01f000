"""The two fields on top of a message."""

from datetime import UTC, datetime

import pytest

from gateway.smtp.trace import Arrival, trace

ARRIVAL = Arrival(
    helo="mail.example",
    peer="192.0.2.7",
    host="gateway.localhost",
    extended=True,
    secure=True,
    smtputf8=False,
    sender="journal@acme.example",
    id="0123456789abcdef",
    at=datetime(2026, 11, 24, 8, 30, tzinfo=UTC),
)


def test_trace_of_a_secure_arrival():
    assert trace(ARRIVAL, "mbx-1@gateway.localhost") == (
        b"Return-Path: <journal@acme.example>\r\n"
        b"Received: from mail.example ([192.0.2.7])\r\n"
        b"\tby gateway.localhost with ESMTPS id 0123456789abcdef\r\n"
        b"\tfor <mbx-1@gateway.localhost>; Tue, 24 Nov 2026 08:30:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("extended", "secure", "smtputf8", "protocol"),
    [
        (False, False, False, "SMTP"),
        (True, False, False, "ESMTP"),
        (True, True, False, "ESMTPS"),
        (True, False, True, "UTF8SMTP"),
        (True, True, True, "UTF8SMTPS"),
    ],
)
def test_protocol_names(extended, secure, smtputf8, protocol):
    assert ARRIVAL._replace(extended=extended, secure=secure, smtputf8=smtputf8).protocol == protocol


def test_a_hostile_greeting_and_an_ipv6_peer():
    octets = trace(ARRIVAL._replace(helo="(a)<b>;c", peer="2001:db8::1", sender=""), "m@g")

    assert octets.startswith(b'Return-Path: <>\r\nReceived: from "(a)<b>;c" ([IPv6:2001:db8::1])\r\n')
