"""An installation by docs/deployment.md, by `make installation`: the commands of its chapter for systemd are run one after
the other, as they stand there, on an empty machine that boots for it, as far as a mail that is collected.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from portal.onebox.embedded.process import wait_until
from portal.setup import file
from tests import s3
from tests.image.machine import Machine, refusal
from tests.image.world import ADDRESS, MAIL_PASSWORD, MAIL_SERVER, MAIL_USER

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/deployment.md"
PACKAGES = ROOT / ".gatehouse-installation"
WORLD = "/srv/world"
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
SECONDS = 120
MESSAGE = b"Subject: first\r\n\r\nOn Monday, by the documents.\r\n"


def commands():
    """The lines of the chapter's blocks, in order; one that goes on is one."""
    (chapter,) = re.findall(r"^## With systemd\n(.*?)^## ", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    return [line for block in blocks for line in block.splitlines() if line]


def packages():
    """What requirements/image.lock names, for Debian's own Python, by the document's own lines; once for each lock."""
    lock = ROOT / "requirements/image.lock"
    folder = PACKAGES / sha256(lock.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        shutil.rmtree(PACKAGES, ignore_errors=True)
        making = PACKAGES / "making"
        subprocess.run(["/usr/bin/python3", "-m", "venv", making], check=True)
        install = [making / "bin/pip", "install", "--quiet", "--require-hashes", "--requirement", lock]
        subprocess.run(install, check=True, capture_output=True)
        making.rename(folder)
    return folder


def instead(world):
    """What of the document can't be done here, and what is done instead."""
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)
    files = " ".join(shlex.quote(name) for name in [*copied, "docker"])
    services = "postgresql redis-server caddy"
    answers = f"--no-input --address {ADDRESS} --answers /srv/answers"
    return {
        "apt-get update": ":",
        "apt-get install --yes git python3-venv postgresql redis-server caddy": (
            # They are there; their services are as after a first installation.
            f"dpkg -s git python3-venv {services} > /dev/null; "
            "pg_dropcluster --stop 15 main || :; pg_createcluster 15 main > /dev/null; rm -rf /var/lib/redis/*; "
            f"systemctl start {services}"
        ),
        "git clone <this repository> /opt/gatehouse": (
            f"mkdir /opt/gatehouse; (cd {shlex.quote(str(ROOT))}; tar --create --exclude=__pycache__ {files}) | "
            "tar --extract --no-same-owner --directory /opt/gatehouse"
        ),
        ".venv/bin/pip install --require-hashes --requirement requirements/image.lock": (
            f"cp -a {packages()}/lib/. .venv/lib/"
        ),
        ".venv/bin/python manage.py setup /etc/gatehouse/environment": (
            # At a terminal: tests/portal/test_setup.py. The authority is not the public one.
            f".venv/bin/python manage.py setup /etc/gatehouse/environment {answers}"
        ),
        "systemctl restart caddy": (
            f"printf 'CADDY_OPTIONS=\"acme_ca https://localhost:14000/dir\\nacme_ca_root {WORLD}/ca.pem\"\\n' "
            ">> /etc/gatehouse/caddy; systemctl restart caddy"
        ),
        'manage create_mailbox acme "First mailbox"': (
            'manage create_mailbox acme "First mailbox" --json > /srv/mailbox'
        ),
        # What the authority of this world vouches for, the machine trusts; and it is asked at the end.
        "manage doctor": ":",
    }


def pooler():
    """What the document and docs/database-roles.md have of a pooler, for a PostgreSQL that is too old for transactions."""
    (block,) = re.findall(
        r"^`pgbouncer.ini`:\n\n```\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    here = {
        "10.0.0.5": "127.0.0.1",
        "10.0.0.6": "127.0.0.1",
        "pool_mode = transaction": "pool_mode = session",
    }
    lines = [line for line in block.splitlines() if not re.match("track_|server_tls_|client_tls_", line)]
    text = "\n".join(lines)
    for there, instead_of_it in here.items():
        text = text.replace(there, instead_of_it)
    roles = (ROOT / "docs/database-roles.md").read_text()
    (time_outs,) = re.findall(r"```sql\n(-- time-outs that hold behind a pooler\n.*?)```", roles, re.DOTALL)
    return text + "\n", time_outs


def change_of_places():
    """What docs/upgrades.md has for the moment at which a release takes the place of the one before."""
    text = (ROOT / "docs/upgrades.md").read_text()
    (block,) = re.findall(r"^```\n(systemctl stop .*?)^```$", text, re.MULTILINE | re.DOTALL)
    return block


@pytest.fixture
def machine():
    if why := refusal():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    machine = Machine(ADDRESS)
    outside = None
    try:
        (machine.root / WORLD[1:]).mkdir()
        log = (machine.root / "srv/world.log").open("wb")
        words = machine.inside(sys.executable, "-m", "tests.image.world", WORLD)
        words[words.index("-i") : words.index("-i") + 1] = ["-i", f"--chdir={ROOT}", "CI=1"]
        outside = subprocess.Popen(words, stdout=log, stderr=log)
        ready = machine.root / WORLD[1:] / "ready.json"
        assert wait_until(ready.exists, SECONDS), (machine.root / "srv/world.log").read_text()
        yield machine
    finally:
        if outside:
            outside.kill()
            outside.wait()
        machine.stop()


def answers(world):
    told = json.loads((world / "ready.json").read_text())
    password = MAIL_PASSWORD.replace("/", "%2F").replace("@", "%40")
    return {
        "GATEHOUSE_BASE_DOMAIN": BASE,
        "GATEHOUSE_MAIL_DOMAIN": MAIL,
        "GATEHOUSE_TIME_ZONE": "Europe/Zurich",
        "GATEHOUSE_SMTP_URL": f"smtp://{MAIL_USER}:{password}@{MAIL_SERVER}:587",
        "GATEHOUSE_STORE_URL": told["url"],
        "GATEHOUSE_S3_ENDPOINT": told["endpoint"],
        "GATEHOUSE_S3_REGION": s3.REGION,
        "GATEHOUSE_S3_ACCESS_KEY_ID": s3.ACCESS_KEY_ID,
        "GATEHOUSE_S3_SECRET_ACCESS_KEY": s3.SECRET_ACCESS_KEY,
    }


def test_from_an_empty_machine_to_a_mail_that_is_collected(machine):
    world = machine.root / WORLD[1:]
    file.write(machine.root / "srv/answers", file.written("", answers(world)))
    # The mail server's authority is one that the machine trusts.
    machine.run(
        f"cp {WORLD}/ca.pem /usr/local/share/ca-certificates/world.crt; update-ca-certificates > /dev/null 2>&1"
    )
    lines = commands()
    replaced = instead(world)
    assert not set(replaced) - set(lines), "The document says it otherwise by now."
    script = "\n".join(
        ["set -e", "shopt -s expand_aliases", "cd /root", *(replaced.get(line, line) for line in lines)]
    )
    (machine.root / "srv/script").write_text(script)
    said = machine.run("bash -x /srv/script 2>&1", seconds=400, check=False)
    journal = machine.run("journalctl --no-pager --lines=80", check=False).stdout
    assert said.returncode == 0, said.stdout[-6000:] + journal

    # docs/operations.md: a key, a file for that unit alone, a backup to a folder that it may write to.
    (alias,) = [line for line in lines if line.startswith("alias manage=")]
    machine.run(
        f"""set -e; shopt -s expand_aliases; umask 077
        {alias}
        manage new_recovery_key | grep '^GATEHOUSE_RECOVERY_PUBLIC_KEY=' > /etc/gatehouse/backup
        echo GATEHOUSE_BACKUP_PLACE=file:///mnt/backups >> /etc/gatehouse/backup
        install --directory --owner gatehouse /mnt/backups
        systemctl start gatehouse-backup || {{ journalctl --unit gatehouse-backup --no-pager >&2; exit 1; }}
        systemctl enable --now gatehouse-backup.timer
        manage check_backup file:///mnt/backups"""
    )
    assert list((machine.root / "mnt/backups/sets").iterdir())

    # A pooler comes between: setup takes it for an answer, and the rest of the file stays.
    (machine.root / "etc/pgbouncer/pgbouncer.ini").write_text(pooler()[0])
    (machine.root / "srv/time-outs").write_text(pooler()[1])
    file.write(
        machine.root / "srv/more", "DATABASE_URL=postgresql://gatehouse_app@127.0.0.1:6432/gatehouse\n"
    )
    machine.run(
        """set -e; cd /opt/gatehouse; umask 027
        . /etc/gatehouse/environment
        printf '"gatehouse_app" "%s"\n' "$DATABASE_PASSWORD" > /etc/pgbouncer/userlist.txt
        chgrp postgres /etc/pgbouncer/userlist.txt
        runuser -u postgres -- psql --file - < /srv/time-outs
        systemctl restart pgbouncer
        .venv/bin/python manage.py setup /etc/gatehouse/environment --no-input --overwrite --answers /srv/more
        .venv/bin/python manage.py setup /etc/gatehouse/environment --no-input
        systemctl restart gatehouse-web gatehouse-worker gatehouse-beat gatehouse-gateway
        until curl --silent --fail http://127.0.0.1:8000/readyz; do sleep 0.2; done"""
    )
    assert ":6432/" in (machine.root / "etc/gatehouse/environment").read_text()

    # docs/upgrades.md: the folder that was installed beside, as this one was, takes its place.
    machine.run(
        f"""set -e; cp -a /opt/gatehouse /opt/gatehouse-new
        {change_of_places()}
        until curl --silent --fail http://127.0.0.1:8000/readyz; do sleep 0.2; done
        systemctl is-active gatehouse-{{web,worker,beat,gateway,certificate}}; test -d /opt/gatehouse-before"""
    )

    # Whoever trusts the authority trusts the names.
    machine.run(
        f"curl --silent --show-error --fail --cacert {WORLD}/ca.pem https://localhost:15000/roots/0 "
        "> /usr/local/share/ca-certificates/authority.crt; update-ca-certificates > /dev/null 2>&1"
    )
    for host in (BASE, f"acme.{BASE}"):
        page = machine.run(f"curl --silent --show-error --fail --location https://{host}/").stdout
        assert "csrfmiddlewaretoken" in page

    # As the README sends and collects: TLS, verified for the gateway's name.
    box = json.loads((machine.root / "srv/mailbox").read_text())
    (machine.root / "srv/mail").write_bytes(MESSAGE)
    machine.run(
        f"curl --silent --show-error --ssl-reqd --mail-from me@example.com --mail-rcpt {box['address']} "
        f"--upload-file /srv/mail smtp://{MAIL}:25"
    )
    lying = machine.run(
        "grep --recursive --count --text 'by the documents' /tmp/gh-s3-* | grep --invert ':0$'", check=False
    )
    assert lying.stdout == "", "sealed, in the bucket too"
    collected = machine.run(
        f"curl --silent --show-error --user {box['address']}:{box['password']} pop3s://{MAIL}:995/1"
    ).stdout
    assert collected.replace("\r\n", "\n").rstrip().endswith(MESSAGE.decode().replace("\r\n", "\n").rstrip())

    # All is well, but for records that this world's DNS does not know, and the rule that its bucket lacks.
    (doctor,) = [line for line in lines if line.startswith("alias manage=")]
    told = machine.run(
        f"shopt -s expand_aliases\n{doctor}\nmanage doctor --address {ADDRESS} --authority gatehouse.test "
        f"--mail-to me@northwind.example --json"
    ).stdout
    found = json.loads(told[told.index("{") :])
    assert found["ok"]
    assert {each["id"] for each in found["findings"] if each["level"] not in ("ok", "advice")} <= {
        "gatehouse.W004",
        "gatehouse.W005",
    }
    assert "me@northwind.example" in (world / "posted").read_text()
