"""What an installation finds outside: DNS, an authority, a mail server, a bucket. `python -m tests.image.world`.

All on this machine, for as long as this runs; what clients need of it lies in the folder.
"""

import asyncio
import json
import os
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from tests import s3
from tests.accounts.openid import names

ADDRESS = "5.45.96.1"  # one that the internet could have; here it is this machine's alone
MAIL_SERVER, MAIL_USER, MAIL_PASSWORD = "mail.gatehouse.test", "portal", "s3cret/of@mail"
AUTHORITY, SERVICES = "acme.gatehouse.test", "services.gatehouse.test"
FOLDER = "/srv/world"  # with `ca.pem`, and `services.pem` and `.key` for all of these names


class NameServer(names.NameServer):
    def server_bind(self) -> None:
        self.server_address = ("", 53)  # for containers, too
        super().server_bind()


class Post:
    """Takes all mail over TLS of who signs in, and writes down for whom."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.touch()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        with self._file.open("a") as file:
            file.write("".join(f"{address}\n" for address in envelope.rcpt_tos))
        return "250 OK"


def judge(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = (MAIL_USER.encode(), MAIL_PASSWORD.encode())
    return AuthResult(success=(data.login, data.password) == right)


async def post(folder: Path, context: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    taking = Post(folder / "posted")
    server = await loop.create_server(
        lambda: SMTP(
            taking,
            loop=loop,
            hostname=MAIL_SERVER,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=judge,
        ),
        ADDRESS,
        587,
    )
    await server.serve_forever()


def main(folder: Path) -> None:
    NameServer(of_all=ADDRESS)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = authority.issue_cert("localhost", MAIL_SERVER, AUTHORITY, SERVICES)
    pair = (folder / "services.pem", folder / "services.key")
    leaf.cert_chain_pems[0].write_to_path(str(pair[0]))
    leaf.private_key_pem.write_to_path(str(pair[1]))
    settings = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": str(pair[0]),
        "privateKey": str(pair[1]),
        "httpPort": 80,
        "tlsPort": 443,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    subprocess.Popen(
        ["pebble", "-config", folder / "pebble.json", "-dnsserver", "127.0.0.1:53"],
        env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    threading.Thread(target=lambda: asyncio.run(post(folder, context)), daemon=True).start()
    with s3.serving() as bucket:
        name = bucket.bucket()
        told = {"url": f"s3://{name}/mail", "endpoint": bucket.endpoint, "folder": str(bucket.folder)}
        (folder / "ready.new").write_text(json.dumps(told))
        (folder / "ready.new").rename(folder / "ready.json")
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(FOLDER))
