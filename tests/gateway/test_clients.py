"""Other people's clients against the gateway. Each is skipped, with the reason, where it is not installed."""

import os
import shutil
import subprocess

import pytest

from tests.gateway.kit import SENDER, without_trace

BODY = b"Subject: by a real client\r\nFrom: carol@acme.example\r\n\r\nfirst line\r\n..\r\n.dot\r\n\r\nlast line\r\n"


def run(
    *command: str, folder, text: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {**os.environ, "HOME": str(folder), "FETCHMAILHOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command,
        check=False,
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=30,
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def private(path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)  # all of them refuse a readable file with a password
    return str(path)


@pytest.fixture
def waiting(gateway, acme_mailbox):
    assert gateway.send(BODY, acme_mailbox.address).startswith(b"250 ")
    return acme_mailbox


def lines_of(folder) -> list[str]:
    """All lines that a client delivered below a folder, with whatever it put on top."""
    found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(found).replace(b"\r\n", b"\n").decode().splitlines()


@pytest.mark.parametrize("tls", [[], ["-tls"], ["--tls-on-connect"]], ids=["clear", "starttls", "tls"])
def test_swaks_sends(gateway, acme_mailbox, tmp_path, tls):
    port = gateway.ports.smtps if "--tls-on-connect" in tls else gateway.ports.smtp
    to = acme_mailbox.address

    done = run(
        "swaks", "--server", "127.0.0.1", "--port", str(port), "--from", SENDER, "--to", to, "--body", "hello", *tls,
        folder=tmp_path,
    )  # fmt: skip

    assert "250 2.0.0 OK, kept as" in done.stdout
    assert b"\r\nhello\r\n" in gateway.collect(acme_mailbox)[0]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_sends(gateway, acme_mailbox, certificates, tmp_path, scheme):
    (tmp_path / "mail").write_bytes(BODY)
    port = gateway.ports.smtp if scheme == "smtp" else gateway.ports.smtps

    run(
        "curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", str(certificates.ca_file),
        "--mail-from", SENDER, "--mail-rcpt", acme_mailbox.address, "--upload-file", "mail",
        f"{scheme}://localhost:{port}/client.example", "--resolve", f"localhost:{port}:127.0.0.1",
        folder=tmp_path,
    )  # fmt: skip

    assert without_trace(gateway.collect(acme_mailbox)[0]) == BODY


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl_collects_exactly(gateway, waiting, certificates, tmp_path, scheme):
    port = gateway.ports.pop3 if scheme == "pop3" else gateway.ports.pop3s
    config = private(tmp_path / "curlrc", f'user = "{waiting.address}:{waiting.password}"\n')

    run(
        "curl", "--silent", "--show-error", "--config", config, "--ssl-reqd", "--cacert", str(certificates.ca_file),
        "--resolve", f"localhost:{port}:127.0.0.1", "--output", "got", f"{scheme}://localhost:{port}/1",
        folder=tmp_path,
    )  # fmt: skip

    assert without_trace((tmp_path / "got").read_bytes()) == BODY


def mpop(opened, port: int, certificates, folder, *, starttls: str, check: bool = True) -> None:
    for part in ("new", "cur", "tmp"):
        (folder / "mail" / part).mkdir(parents=True, exist_ok=True)
    config = private(
        folder / "mpoprc",
        f"account default\nhost 127.0.0.1\nport {port}\nuser {opened.address}\npassword {opened.password}\n"
        f"tls on\ntls_starttls {starttls}\ntls_trust_file {certificates.ca_file}\nkeep off\n"
        f"uidls_file {folder}/uidls\ndelivery maildir {folder}/mail\n",
    )
    run("mpop", "--file", config, folder=folder, check=check)


@pytest.mark.parametrize("starttls", ["on", "off"], ids=["stls", "tls"])
def test_mpop_collects_and_deletes(gateway, waiting, certificates, tmp_path, starttls):
    port = gateway.ports.pop3 if starttls == "on" else gateway.ports.pop3s

    mpop(waiting, port, certificates, tmp_path, starttls=starttls)

    assert {"first line", "..", ".dot", "last line"} <= set(lines_of(tmp_path / "mail"))
    assert gateway.collect(waiting) == []


def test_mpop_collects_the_rest_when_one_message_can_not_be_opened(
    gateway, acme_mailbox, certificates, tmp_path, blob_of
):
    """It stops at the first error, and begins with the first message again when it comes back."""
    for number in range(16):
        assert gateway.send(b"Subject: m%d\r\n\r\nx\r\n" % number, acme_mailbox.address).startswith(b"250 ")
    pop = gateway.pop3(acme_mailbox)
    blob = blob_of(acme_mailbox, pop.uidl(3).split()[2].decode())
    pop.quit()
    octets = bytearray(blob.read_bytes())
    octets[-20] ^= 1
    blob.write_bytes(octets)

    for _ in range(2):
        mpop(acme_mailbox, gateway.ports.pop3s, certificates, tmp_path, starttls="off", check=False)

    subjects = {line for line in lines_of(tmp_path / "mail") if line.startswith("Subject: ")}
    assert subjects == {f"Subject: m{number}" for number in range(16) if number != 2}


@pytest.mark.parametrize("how", ["stls", "tls"])
def test_fetchmail_collects_and_deletes(gateway, waiting, certificates, tmp_path, how):
    (tmp_path / "mail").mkdir()
    port, tls = (gateway.ports.pop3, "sslproto TLS1.2+") if how == "stls" else (gateway.ports.pop3s, "ssl")
    config = private(
        tmp_path / "fetchmailrc",
        f'poll localhost service {port} protocol POP3 user "{waiting.address}" password "{waiting.password}"\n'
        f'{tls} sslcertck sslcertfile "{certificates.ca_file}" fetchall mda "/bin/cat > {tmp_path}/mail/one"\n',
    )

    run(
        "fetchmail",
        "--nosyslog",
        "--fetchmailrc",
        config,
        "--pidfile",
        str(tmp_path / "pid"),
        folder=tmp_path,
    )

    assert {"first line", "..", ".dot", "last line"} <= set(lines_of(tmp_path / "mail"))
    assert gateway.collect(waiting) == []


def test_getmail_collects_and_deletes(gateway, waiting, certificates, tmp_path):
    """By TLS from the start; getmail knows no STLS."""
    (tmp_path / "mail").mkdir()
    private(
        tmp_path / "getmailrc",
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {gateway.ports.pop3s}\n"
        f"username = {waiting.address}\npassword = {waiting.password}\nca_certs = {certificates.ca_file}\n"
        f"[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
        f'arguments = ("-c", "cat > {tmp_path}/mail/one")\n[options]\ndelete = true\n',
    )

    run("getmail", "--getmaildir", str(tmp_path), "--rcfile", "getmailrc", folder=tmp_path)

    assert {"first line", "..", ".dot", "last line"} <= set(lines_of(tmp_path / "mail"))
    assert gateway.collect(waiting) == []
