"""Asking an identity provider: where it may lead us, how long we wait, and how many can wait at once."""

import json
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from accounts.openid import errors as openid_errors
from accounts.openid import outbound
from accounts.openid import protocol as openid
from accounts.openid.protocol import discover
from tests.accounts.openid.kit import PAGE, callback
from tests.tenants.kit import text

pytest_plugins = ["tests.accounts.openid.portal"]


CONNECTED: list[Any] = []


def note_connections(event: str, args: Any) -> None:
    if event == "socket.connect":
        CONNECTED.append(args)


@pytest.fixture(scope="module")
def watched():
    sys.addaudithook(note_connections)  # for as long as the process lives


@pytest.fixture
def connected(watched):
    """Whereto somebody connects while the test runs."""
    CONNECTED.clear()
    return CONNECTED


class Configuration(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        time.sleep(self.server.slowness)  # what a slow service is; nobody waits for a guess
        issuer = f"https://localhost:{self.server.server_address[1]}"
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        body = json.dumps({"issuer": issuer} | dict.fromkeys(names, issuer) | self.server.more).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format, *args):
        """Nothing to tell."""


@pytest.fixture
def secured(settings, tmp_path):
    """A service by HTTPS in a private network."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    settings.IDENTITY_PROVIDER_CA_FILE = str(tmp_path / "ca.pem")
    settings.IDENTITY_PROVIDER_NETWORKS = ["127.0.0.0/8", "::1/128"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Configuration)
    server.more, server.asked, server.slowness = {}, 0, 0
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.issuer = f"https://localhost:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_outside_the_demo_it_goes_by_https(secured, openid):
    assert discover(secured.issuer)["issuer"] == secured.issuer
    with pytest.raises(openid_errors.NotEncrypted):
        discover(openid.issuer)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "[::1]",
        "[fd00::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[ff02::1]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_what_is_not_public_is_not_even_connected_to_and_each_failure_reads_alike(host, connected):
    with pytest.raises(openid_errors.PrivateNetwork) as refused:
        discover(f"https://{host}:9")
    assert connected == []
    told = refused.value.message.replace(host.strip("[]"), "x")
    assert (
        told == openid_errors.Unreachable(host="x").message == openid_errors.AnswersTooMuch(host="x").message
    )


def test_private_networks_are_entered_only_where_the_platform_says_so(secured, settings):
    settings.IDENTITY_PROVIDER_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(openid_errors.PrivateNetwork):
        discover(secured.issuer)


def test_a_certificate_that_nobody_vouches_for_is_refused(secured, settings):
    settings.IDENTITY_PROVIDER_CA_FILE = ""
    with pytest.raises(openid_errors.Unreachable):
        discover(secured.issuer)


@pytest.mark.parametrize(
    "url", [7, None, "", "javascript:alert(1)", "http://localhost/", "//localhost/", "https://x/\n"]
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_every_address_that_the_service_names_is_held_to_the_same(secured, name, url):
    secured.more = {name: url}
    with pytest.raises((openid_errors.Incomplete, openid_errors.NotEncrypted)):
        discover(secured.issuer)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked(secured, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert discover(secured.issuer)["issuer"] == secured.issuer


def test_a_name_that_is_none_breaks_no_page(typed, cast, client_for):
    issuer = f"http://{'x' * 70}.localhost"
    answer = client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": issuer, "check": "1"})
    assert "does not answer" in text(answer)


def test_whoever_begins_a_sign_in_makes_us_ask_once_in_some_minutes(secured, northwinds, way_in, typed):
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    for _ in range(3):
        assert way_in().authorization("operator@northwind.example").startswith(secured.issuer)
    assert secured.asked == 1


def test_who_did_not_answer_is_left_alone_for_some_seconds(
    secured, northwinds, way_in, typed, cast, client_for
):
    secured.more = {"jwks_uri": None}
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    for _ in range(3):
        assert "does not work at present" in text(way_in().start("operator@northwind.example"))
    assert secured.asked == 1
    client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": secured.issuer, "check": "1"})
    assert secured.asked == 2


def test_questions_of_one_sign_in_share_the_time_of_one(secured, connected):
    with outbound.Deadline(60), outbound.Deadline(0):
        connected.clear()
        with pytest.raises(openid_errors.AnswersTooMuch):
            discover(secured.issuer)
        assert connected == []


def test_a_name_that_the_system_looks_up_for_long_keeps_nobody_waiting(secured, monkeypatch):
    """Whose name it is decides how long that takes: the system's own look-up knows no deadline."""
    told = threading.Event()
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: told.wait(10) and [])
    began = time.monotonic()
    try:
        with pytest.raises(openid_errors.AnswersTooMuch):
            discover(secured.issuer)
    finally:
        told.set()
    assert time.monotonic() - began < 5
    assert secured.asked == 0


def test_who_comes_back_waits_for_no_more_than_one_answers_time(
    secured, northwinds, way_in, monkeypatch, caplog
):
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    secured.more = {"access_token": "x", "id_token": "x"}
    visitor = way_in()
    state = parse_qs(urlsplit(visitor.authorization("operator@northwind.example")).query)["state"][0]
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 1)
    secured.slowness = 0.7  # for the token, and again for the keys
    visitor.client.get(callback("northwind"), {"code": "x", "state": state})
    assert "answers-too-much" in caplog.text


def test_who_waits_for_a_service_before_anybody_comes_back_takes_few_threads(
    secured, northwinds, way_in, typed, cast, client_for
):
    """Anybody may begin a sign-in, and an owner press *Check*: the service decides how long that takes."""
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    owner, form = client_for(cast.owner, host=None), typed | {"issuer": secured.issuer, "check": "1"}

    def nobody_is_asked():
        assert "does not work at present" in text(way_in().start("operator@northwind.example"))
        assert "does not answer in time" in text(owner.post(PAGE, form))

    with outbound.one_of_few(secured.issuer), outbound.one_of_few(secured.issuer):
        nobody_is_asked()
    with outbound.one_of_few("a"), outbound.one_of_few("b"), outbound.one_of_few("c"):
        nobody_is_asked()
    assert secured.asked == 0
    assert "does not work at present" not in text(way_in().start("operator@northwind.example"))
    assert secured.asked == 1


def test_who_is_one_too_many_is_led_to_where_the_service_was_last(secured, northwinds, way_in, monkeypatch):
    """A whole office signs in at nine, when nobody has asked the service for a while."""
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    monkeypatch.setattr(openid, "CONFIGURATION_SECONDS", 0)
    way_in().authorization("operator@northwind.example")
    with outbound.one_of_few(secured.issuer), outbound.one_of_few(secured.issuer):
        assert way_in().authorization("operator@northwind.example").startswith(secured.issuer)
    assert secured.asked == 1


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_address_longer_than_any_is_not_taken_to_pieces(secured, name):
    """Of letters with marks that took the square of its length, while all threads waited."""
    secured.more = {name: "https://a" + "\u0301\u0316" * 40_000}
    with pytest.raises(openid_errors.NotEncrypted) as refused:
        discover(secured.issuer)
    assert len(refused.value.message) < 300


def test_check_asks_each_time(secured, typed, cast, client_for):
    for _ in range(2):
        client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": secured.issuer, "check": "1"})
    assert secured.asked == 2


# --- Slow services ---
@pytest.fixture
def hurried(monkeypatch, playground):
    """So that nobody waits for long here either."""
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 1)


@pytest.fixture
def dripping(hurried):
    """A service that sends what it is told to, and then an octet at a time, as long as somebody listens."""
    threads = []

    def drip(peer, begin):
        with peer, suppress(OSError):
            peer.sendall(begin)
            while not over.wait(0.05):
                peer.sendall(b"x")

    def serve(begin):
        def accept():
            with suppress(OSError):
                drip(listener.accept()[0], begin)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return listener.getsockname()[1]

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield serve
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "begin"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: "),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),  # the beginning of a long TLS record
    ],
    ids=["status", "header", "text", "text of some length", "handshake"],
)
def test_who_answers_in_drops_is_not_waited_for(dripping, scheme, begin):
    address = f"{scheme}://127.0.0.1:{dripping(begin)}"
    began = time.monotonic()
    with pytest.raises(openid_errors.AnswersTooMuch):
        discover(address)
    assert time.monotonic() - began < 2.5


def test_who_leads_elsewhere_is_not_read_to_the_end(dripping):
    port = dripping(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
    with pytest.raises(openid_errors.LeadsElsewhere):
        discover(f"http://127.0.0.1:{port}")


def test_who_takes_no_connection_is_not_waited_for_longer(hurried):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        callers = [
            socket.socket() for _ in range(3)
        ]  # more than wait in front of it: the next gets no answer
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        began = time.monotonic()
        with pytest.raises(openid_errors.AnswersTooMuch):
            discover(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert time.monotonic() - began < 2.5
        for caller in callers:
            caller.close()
