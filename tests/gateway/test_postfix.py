"""End to end with the mail system that most customers have in front: what Postfix relays, we keep."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.kit import Wire, without_trace
from tests.gateway.test_smtp_senders import MORE_SENDERS, SENDERS, path_of
from tests.ports import free_port

DAEMONS = Path("/usr/lib/postfix/sbin")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.customer.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
transport_maps = inline:{{ customer.test=discard: }}
relayhost = [127.0.0.1]:{gateway}
always_bcc = {mailbox}
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@pytest.fixture
def postfix() -> Iterator[Callable[[int, str], tuple[int, Path]]]:
    """Starts one with its default settings, and a copy of all mail for one address; gives its port and its log."""
    if not shutil.which("postfix") or os.geteuid() != 0:
        if "CI" in os.environ and os.geteuid() == 0:
            pytest.fail("Postfix is missing; .ci/run installs it")
        pytest.skip("needs Postfix, and root to start it")
    # Not pytest's own folder: Postfix works as another user, who may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    folder.chmod(0o755)

    def run(*words: str) -> None:
        subprocess.run(["postfix", "-c", str(folder), *words], check=True, capture_output=True, timeout=60)

    def start(gateway: int, mailbox: str) -> tuple[int, Path]:
        port = free_port()
        values = {"folder": folder, "daemons": DAEMONS, "gateway": gateway, "mailbox": mailbox, "port": port}
        (folder / "main.cf").write_text(MAIN.format(**values))
        (folder / "master.cf").write_text(MASTER.format(**values))
        (folder / "queue").mkdir()
        (folder / "data").mkdir()
        shutil.chown(folder / "data", "postfix")
        run("start")
        return port, folder / "log"

    yield start
    subprocess.run(["postfix", "-c", str(folder), "abort"], check=False, capture_output=True, timeout=60)
    shutil.rmtree(folder)


def test_what_postfix_relays_we_keep(gateway, acme_mailbox, postfix, until):
    port, log = postfix(gateway.ports.smtp, acme_mailbox.address)
    cases = [path_of(case) for case in SENDERS["take"]]
    wire = Wire(port)
    assert wire.reply().startswith(b"220 ")
    assert wire.ask("EHLO büro-pc".encode()).startswith(b"250-")

    relayed = {}
    for number, path in enumerate([*cases, *MORE_SENDERS, b""]):
        if not wire.ask(b"MAIL FROM:<" + path + b">").startswith(b"250 "):
            continue  # Postfix would not have it either
        assert wire.ask(b"RCPT TO:<someone@customer.test>").startswith(b"250 ")
        assert wire.ask(b"DATA").startswith(b"354 ")
        assert wire.ask(b"Subject: %d\r\n\r\nbody\r\n." % number).startswith(b"250 "), path
        relayed[number] = path
    wire.close()

    def outcomes() -> list[str]:
        return re.findall(rf"to=<{acme_mailbox.address}>.* status=(.*)", log.read_text("utf-8", "replace"))

    until(lambda: len(outcomes()) >= len(relayed))
    assert [outcome for outcome in outcomes() if not outcome.startswith("sent ")] == []
    kept = {}
    for message in gateway.collect(acme_mailbox):
        subject = re.search(rb"^Subject: (\d+)\r$", without_trace(message), re.MULTILINE)
        kept[int(subject[1])] = message.partition(b"\r\n")[0]
    assert kept.keys() == relayed.keys()
    for number, path in relayed.items():
        if path in cases:
            assert kept[number] == b"Return-Path: <" + path + b">"
    assert len(relayed) > len(cases)
