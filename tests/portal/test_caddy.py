"""The web server in front as docker/caddy/ sets it up: a real Caddy before the real portal, and a real authority (Pebble)
from which it gets certificates.
"""

import contextlib
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
import trustme
from django.db.models import Value
from django.db.models.functions import Replace

from gateway.renewal import copy_pair
from portal.onebox.embedded.process import spawn, wait_until
from tenants.models import Domain
from tests.accounts.openid.names import NameServer
from tests.breaking.workers import environment_of_processes
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
CADDYFILE = ROOT / "docker/caddy/Caddyfile"
SECONDS = 60
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
PROGRAMS = ("caddy", "pebble")


@pytest.fixture
def programs():
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{' and '.join(missing)} not installed; .ci/run installs them.")
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed.")


class Tap(socketserver.ThreadingTCPServer):
    """Stands between Caddy and the portal, and knows what went through."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Through)
        self.behind = port
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def of(self, path):
        """The requests for this path, as octets."""
        return [request for request in self.requests if request.split(b" ", 2)[1].startswith(path.encode())]


class _Through(socketserver.BaseRequestHandler):
    def handle(self):
        with (
            contextlib.suppress(ConnectionError),  # Caddy leaves as it likes
            socket.create_connection(("127.0.0.1", self.server.behind), SECONDS) as behind,
        ):
            back = threading.Thread(target=self.back, args=[behind], daemon=True)
            back.start()
            try:
                while octets := self.request.recv(1 << 20):
                    if octets.split(b" ", 1)[0] in (b"GET", b"POST"):
                        self.server.requests.append(octets)
                    elif self.server.requests:
                        self.server.requests[-1] += octets
                    behind.sendall(octets)
                behind.shutdown(socket.SHUT_WR)
            finally:
                back.join(SECONDS)  # an answer may come before all is sent, and after nothing more is taken

    def back(self, behind):
        try:
            while octets := behind.recv(1 << 20):
                self.request.sendall(octets)
        except OSError:
            return


class Front:
    """All of it, from outside."""

    def __init__(self, folder, tap, http, https, manager, log):
        self.folder, self.tap, self.http, self.https, self.log = folder, tap, http, https, log
        self.trust = ssl.create_default_context()
        self.trust.set_alpn_protocols(["http/1.1"])
        self._manager = manager

    def knows_the_authority(self):
        root = requests.get(f"{self._manager}/roots/0", verify=self.folder / "ca.pem", timeout=SECONDS).text
        self.trust.load_verify_locations(cadata=root)

    def certificates(self):
        """The names of the files, in Caddy's storage."""
        return {path.name for path in (self.folder / "data").rglob("*.crt")}

    def connects(self, host, alpn="http/1.1"):
        """A connection under TLS whose certificate is checked. Raises OSError (ssl.SSLError) without one."""
        context = self.trust
        context.set_alpn_protocols([alpn])
        plain = socket.create_connection(("127.0.0.1", self.https), SECONDS)
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def asks(self, host, path, *headers):
        with self.connects(host) as connection:
            lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            return answer_of(connection)

    def asks_in_clear(self, host, path):
        with socket.create_connection(("127.0.0.1", self.http), SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return answer_of(connection)


def answer_of(connection):
    return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")


@pytest.fixture
def front(programs, committed_db, tmp_path):
    """Web server, name server, authority and Caddy, each a process of its own; whatever is left is killed."""
    Domain.objects.update(domain=Replace("domain", Value("portal.localhost"), Value(BASE)))
    web, http, https, directory, management = free_ports(5)
    tap, names = Tap(web), NameServer(of_all="127.0.0.1")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_pem.write_to_path(str(tmp_path / "pebble.key"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "pebble.pem"))
    (tmp_path / "pebble.json").write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"127.0.0.1:{directory}",
                    "managementListenAddress": f"127.0.0.1:{management}",
                    "certificate": str(tmp_path / "pebble.pem"),
                    "privateKey": str(tmp_path / "pebble.key"),
                    "httpPort": http,
                    "tlsPort": https,
                }
            }
        )
    )
    options = [f"acme_ca https://127.0.0.1:{directory}/dir", f"acme_ca_root {tmp_path}/ca.pem", "admin off"]
    settings = {"GATEHOUSE_BASE_DOMAIN": BASE, "GATEHOUSE_MAIL_DOMAIN": MAIL}
    log = tmp_path / "front.log"
    commands = [
        (
            [sys.executable, "manage.py", "web", "--processes", "1"],
            {**environment_of_processes(), **settings, "GATEHOUSE_BEHIND_PROXY": "1"}
            | {"GATEHOUSE_HTTP_PORT": str(web), "GATEHOUSE_STATE_DIR": str(tmp_path / "state")},
        ),
        (
            ["pebble", "-config", tmp_path / "pebble.json", "-dnsserver", names.address],
            {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        ),
        (
            ["caddy", "run", "--config", CADDYFILE, "--adapter", "caddyfile"],
            {**os.environ, **settings, "GATEHOUSE_WEB": tap.address, "CADDY_OPTIONS": "\n".join(options)}
            | {"CADDY_HTTP_PORT": str(http), "CADDY_HTTPS_PORT": str(https), "HOME": str(tmp_path)}
            | {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
            | {"CADDY_BUFFERING": "buffered_by_2_6" if is_2_6() else "buffered"},
        ),
    ]
    processes = []
    try:
        with log.open("ab") as output:
            # Caddy asks the authority at once; the portal takes longest, and is asked later.
            for port, (command, environment) in zip((None, management, https), commands, strict=True):
                processes.append(spawn(command, env=environment, cwd=ROOT, output=output))
                assert port is None or wait_until(lambda port=port: is_open(port), SECONDS)
            assert wait_until(lambda: is_open(web), SECONDS)
        front = Front(tmp_path, tap, http, https, f"https://127.0.0.1:{management}", log)
        front.knows_the_authority()
        yield front
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(SECONDS)
        names.stop()
        tap.shutdown()
        tap.server_close()
        sys.stdout.write(log.read_text(errors="replace"))


def is_2_6():
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    return said.removeprefix("v").startswith("2.6.")


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_hosts_of_ours_get_certificates_and_nobody_else_does(front):
    customer, stranger = f"acme.{BASE}", f"nowhere.{BASE}"

    # The gateway's name has one from the start, by itself: two at once would share an account that Caddy 2.6 spoils.
    assert wait_until(lambda: front.certificates() == {f"{MAIL}.crt"}, SECONDS)
    assert copy_pair(front.folder / "data/caddy", MAIL, front.folder), "which the gateway's is copied from"
    assert front.asks(MAIL, "/accounts/login/").startswith("HTTP/1.1 404")

    # A customer's host, at its first visit.
    page = front.asks(customer, "/accounts/login/")
    assert page.startswith("HTTP/1.1 200") and "csrfmiddlewaretoken" in page
    assert front.connects(customer, alpn="h2").selected_alpn_protocol() == "h2"

    # The operators'.
    assert front.asks(BASE, "/accounts/login/").startswith("HTTP/1.1 200")

    # That of the policy that senders ask for, at their first question.
    policy = front.asks(f"mta-sts.{MAIL}", "/.well-known/mta-sts.txt")
    assert policy.startswith("HTTP/1.1 200") and f"\r\nmx: {MAIL}\r\n" in policy

    # A stranger's, below ours and elsewhere: not even a request at the authority.
    for host in (stranger, "www.evil.test"):
        with pytest.raises(ssl.SSLError):
            front.connects(host)
    assert f"{customer}.crt" in front.certificates() and f"{stranger}.crt" not in front.certificates()
    assert [
        b"domain=" + host.encode() in b"".join(front.tap.of("/tls-ask")) for host in (customer, stranger)
    ] == [True, True]

    # Nobody outside asks for whom we serve.
    asked = len(front.tap.of("/tls-ask"))
    for path in (
        "/tls-ask?domain=acme",
        "/TLS-ASK?domain=acme",
        "//tls-ask?domain=acme",
        "/tls%2dask?domain=acme",
    ):
        assert front.asks(customer, path).startswith("HTTP/1.1 404")
    assert len(front.tap.of("/tls-ask")) == asked

    # Nobody is served in clear.
    answer = front.asks_in_clear(customer, "/mailboxes/")
    assert answer.startswith("HTTP/1.1 308") and f"Location: https://{customer}/mailboxes/" in answer

    # What a client claims to be reaches nobody.
    front.asks(customer, "/accounts/login/?mark", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http")
    (seen,) = front.tap.of("/accounts/login/?mark")
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in seen and b"X-Forwarded-Proto: https\r\n" in seen
    assert b"203.0.113.9" not in seen

    # Half a request is nobody's business but Caddy's.
    body = b"login=slow%40acme.example&password=x"
    with front.connects(customer) as slow:
        slow.sendall(
            b"POST /accounts/login/?slow HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
            % (customer.encode(), len(body), body[:10])
        )
        assert front.asks(customer, "/accounts/login/?meanwhile").startswith("HTTP/1.1 200")
        assert front.tap.of("/accounts/login/?meanwhile") and not front.tap.of("/accounts/login/?slow")
        slow.sendall(body[10:])
        assert answer_of(slow).startswith("HTTP/1.1 403"), "without a token"
    (seen,) = front.tap.of("/accounts/login/?slow")
    assert seen.endswith(body)

    # The portal itself refuses what is too large. Of this request there is as much as Caddy takes before it asks the portal,
    # and little more: it answers, and closes upon who still sends.
    with front.connects(customer) as large:
        large.sendall(
            b"POST /accounts/login/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 3000000\r\n"
            b"Connection: close\r\n\r\n" % customer.encode() + b"x" * 1_130_000
        )
        assert large.recv(65536).startswith(b"HTTP/1.1 413")
