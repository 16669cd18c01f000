"""An installation by docs/deployment.md, by `make installation`: the commands of its chapter for systemd are run one after
the other, as they stand there, on an empty machine that boots for it, as far as a mail that is collected.
"""

import json
import re
import shlex
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from portal.onebox.embedded.process import wait_until
from portal.setup import file
from tests import s3
from tests.image import documents
from tests.image.documents import BASE, MAIL
from tests.image.world import ADDRESS, FOLDER, MAIL_PASSWORD, MAIL_SERVER, MAIL_USER, SERVICES

ROOT = Path(__file__).resolve().parents[2]
ALARMS_TO, SECONDS = "night@northwind.example", 60
PACKAGES = ROOT / ".gatehouse-installation"


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


def instead():
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
        ".venv/bin/python -m pip install --require-hashes --requirement requirements/image.lock": (
            f"cp -a {packages()}/lib/. .venv/lib/"
        ),
        ".venv/bin/python manage.py setup /etc/gatehouse/environment": (
            # At a terminal: tests/portal/test_setup.py. The authority is not the public one.
            f".venv/bin/python manage.py setup /etc/gatehouse/environment {answers}"
        ),
        "systemctl restart caddy": (
            f"printf 'CADDY_OPTIONS=\"acme_ca https://localhost:14000/dir\\nacme_ca_root {FOLDER}/ca.pem\"\\n' "
            ">> /etc/gatehouse/caddy; systemctl restart caddy"
        ),
        'manage create_mailbox acme "First mailbox"': (
            'manage create_mailbox acme "First mailbox" --json > /srv/mailbox'
        ),
        **documents.KEEPING_THE_OPERATOR,
        # It is asked at the end.
        "manage doctor": ":",
    }


def pooler():
    """As the document has it, but for a PostgreSQL that is too old for transactions, and without a network between."""
    here = {
        "db.example.com": "127.0.0.1",
        "10.0.0.6": "127.0.0.1",
        "pool_mode = transaction": "pool_mode = session",
    }
    text = documents.with_other(documents.block_with("pool_mode ="), here)
    return re.sub(r"^(track_|server_tls_|client_tls_).*\n", "", text, flags=re.MULTILINE)


def redis_with_tls():
    """What the document has for a Redis with a network between, but for a password that is there already."""
    text = documents.block_with("tls-port")
    return documents.with_other(text, {"requirepass …\n": "", "10.0.0.7": ADDRESS})


def change_of_places():
    """What docs/upgrades.md has for the moment at which a release takes the place of the one before."""
    return documents.block_with("systemctl stop", "upgrades.md")


def shown_before():
    """And the line before it that says what was changed here."""
    line = "docker/systemd/install --changes /opt/gatehouse"
    assert documents.commands("upgrades.md", "### With systemd").count(line) == 1
    return line


def from_one_user():
    """And what it has once for an installation of a release in which all processes were one user, before the last line."""
    *change, start = change_of_places().splitlines()
    return "\n".join([*change, documents.block_with("chmod -R g+rwX", "upgrades.md"), start])


def answers(told):
    password = MAIL_PASSWORD.replace("/", "%2F").replace("@", "%40")
    return {
        "GATEHOUSE_BASE_DOMAIN": BASE,
        "GATEHOUSE_MAIL_DOMAIN": MAIL,
        "GATEHOUSE_TIME_ZONE": "Europe/Zurich",
        "GATEHOUSE_ALARMS_TO": ALARMS_TO,
        "GATEHOUSE_SMTP_URL": f"smtp://{MAIL_USER}:{password}@{MAIL_SERVER}:587",
        "GATEHOUSE_STORE_URL": told["url"],
        "GATEHOUSE_S3_ENDPOINT": told["endpoint"],
        "GATEHOUSE_S3_REGION": s3.REGION,
        "GATEHOUSE_S3_ACCESS_KEY_ID": s3.ACCESS_KEY_ID,
        "GATEHOUSE_S3_SECRET_ACCESS_KEY": s3.SECRET_ACCESS_KEY,
    }


def test_from_an_empty_machine_to_a_mail_that_is_collected(machine):
    world = machine.root / FOLDER[1:]
    told = json.loads((world / "ready.json").read_text())
    file.write(machine.root / "srv/answers", file.written("", answers(told)))
    lines = documents.commands("deployment.md", "## With systemd")
    documents.type_in(machine, lines, instead(), "/root")
    manage = documents.alias(lines)

    posted = world / "posted"
    assert wait_until(lambda: posted.read_text().split() == [ALARMS_TO], SECONDS), "the trial of the alarm"

    # docs/operations.md: a key, a file for that unit alone, a backup to a folder that it may write to.
    machine.run(
        f"""{manage} umask 077; cp /etc/redis/redis.conf /srv/redis.conf
        manage new_recovery_key > /srv/paper
        grep '^GATEHOUSE_RECOVERY_PUBLIC_KEY=' /srv/paper > /etc/gatehouse/backup
        echo GATEHOUSE_BACKUP_PLACE=file:///mnt/backups >> /etc/gatehouse/backup
        install --directory --owner gatehouse-backup /mnt/backups
        systemctl start gatehouse-backup || {{ journalctl --unit gatehouse-backup --no-pager >&2; exit 1; }}
        systemctl enable --now gatehouse-backup.timer
        manage check_backup file:///mnt/backups"""
    )
    assert list((machine.root / "mnt/backups/sets").iterdir())
    # One that fails is heard of.
    machine.run(
        """mv /mnt/backups /mnt/elsewhere; systemctl start gatehouse-backup && exit 1
        mv /mnt/elsewhere /mnt/backups; systemctl reset-failed gatehouse-backup"""
    )
    assert wait_until(lambda: posted.read_text().split() == [ALARMS_TO] * 2, SECONDS)
    assert "a unit failed unit=gatehouse-backup.service" in machine.run("journalctl --no-pager").stdout

    # A pooler comes between, and Redis speaks TLS: setup takes it for an answer, and the rest of the file stays.
    (machine.root / "etc/pgbouncer/pgbouncer.ini").write_text(pooler())
    (machine.root / "srv/time-outs").write_text(documents.block_with("-- time-outs", "database-roles.md"))
    with (machine.root / "etc/redis/redis.conf").open("a") as configuration:
        configuration.write(redis_with_tls())
    more = {
        "DATABASE_URL": "postgresql://gatehouse_app@127.0.0.1:6432/gatehouse",
        "REDIS_URL": f"rediss://{SERVICES}:6379/0?ssl_ca_certs={FOLDER}/ca.pem",
    }
    file.write(machine.root / "srv/more", file.written("", more))
    machine.run(
        f"""set -e; cd /opt/gatehouse; umask 027
        . /etc/gatehouse/environment
        printf '"gatehouse_app" "%s"\n' "$DATABASE_PASSWORD" > /etc/pgbouncer/userlist.txt
        chgrp postgres /etc/pgbouncer/userlist.txt
        runuser -u postgres -- psql --file - < /srv/time-outs
        install --owner redis {FOLDER}/services.pem /etc/redis/cert.pem
        install --owner redis --mode 600 {FOLDER}/services.key /etc/redis/key.pem
        systemctl restart pgbouncer redis-server
        .venv/bin/python manage.py setup /etc/gatehouse/environment --no-input --overwrite --answers /srv/more
        .venv/bin/python manage.py setup /etc/gatehouse/environment --no-input
        systemctl restart gatehouse-web gatehouse-worker gatehouse-beat gatehouse-gateway
        until curl --silent --fail http://127.0.0.1:8000/readyz; do sleep 0.2; done"""
    )
    assert ":6432/" in (machine.root / "etc/gatehouse/environment").read_text()

    another_release_takes_its_place(machine)
    workers_answer(machine)

    documents.sees_pages(machine)
    documents.sends_and_collects(machine, told["folder"])

    # All is well, but for records that this world's DNS does not know, and the rule that its bucket lacks.
    said = machine.run(
        f"{manage}manage doctor --address {ADDRESS} --authority gatehouse.test "
        f"--mail-to me@northwind.example --json"
    ).stdout
    found = json.loads(said[said.index("{") :])
    assert found["ok"]
    assert {each["id"] for each in found["findings"] if each["level"] not in ("ok", "advice")} <= {
        "gatehouse.W004",
        "gatehouse.W005",
    }
    assert "me@northwind.example" in posted.read_text()
    no_process_sees_what_is_anothers(machine)
    several_users_keep_one_folder(machine, manage)
    it_burns_and_comes_back(machine, lines)
    it_comes_back_where_it_was(machine)


def another_release_takes_its_place(machine):
    """docs/upgrades.md: the folder that was installed beside, as this one was. It brings another Caddyfile and drop-in and has
    one unit less; here somebody has changed the Caddyfile and a unit, and has a drop-in of their own."""
    said = machine.run(
        f"""set -e
        cat > /opt/gatehouse/docker/systemd/gatehouse-old.service <<< $'[Service]\nExecStart=/bin/true'
        cp /opt/gatehouse/docker/systemd/gatehouse-old.service /etc/systemd/system/
        cp -a /opt/gatehouse /opt/gatehouse-new; cd /opt/gatehouse-new
        rm docker/systemd/gatehouse-old.service
        echo '# of the new release' >> docker/caddy/Caddyfile
        echo '# of the new release' >> docker/systemd/gatehouse-.service.d/common.conf
        echo '# of the operator' >> /etc/caddy/Caddyfile
        echo '# of the operator' >> /etc/systemd/system/gatehouse-web.service
        mkdir /etc/systemd/system/gatehouse-web.service.d
        printf '[Service]\nEnvironment=ONLY=HERE\n' > /etc/systemd/system/gatehouse-web.service.d/override.conf
        {shown_before()}
        grep '# of the new release' /etc/caddy/Caddyfile && exit 1
        {change_of_places()}
        until curl --silent --fail http://127.0.0.1:8000/readyz; do sleep 0.2; done
        systemctl is-active gatehouse-{{web,worker,beat,gateway,certificate}} caddy; test -d /opt/gatehouse-before
        tail --lines 1 /etc/caddy/Caddyfile /etc/caddy/Caddyfile.yours /etc/systemd/system/gatehouse-.service.d/common.conf
        tail --lines 1 /etc/systemd/system/gatehouse-web.service
        systemctl show --property Environment gatehouse-web
        ls /etc/systemd/system"""
    ).stdout
    shown, _, after = said.partition("==> /etc/caddy/Caddyfile <==")
    assert "\n+# of the operator\n" in shown and "Caddyfile.yours" in shown
    assert "/etc/systemd/system/gatehouse-web.service: yours stays" in shown
    assert after.split("\n")[1] == "# of the new release" and after.count("# of the new release") == 2
    assert after.count("# of the operator") == 2
    assert "ONLY=HERE" in after and "gatehouse-old.service" not in after


def workers_answer(machine):
    """A page and a mail come without them, and they start last on a busy machine."""
    machine.run(
        """for _ in $(seq 240); do
            runuser -u postgres -- psql --tuples-only --no-align --dbname gatehouse --command \\
                "SELECT now() - at < '15 s' FROM public.tenants_workeranswer" | grep --quiet t && exit
            sleep 0.5
        done
        journalctl --no-pager --lines 60 --unit gatehouse-worker --unit gatehouse-beat
        exit 1"""
    )


def no_process_sees_what_is_anothers(machine):
    """Asked by each user of what it finds in all environments, as whoever takes that process over would."""
    own = {"worker": {"GATEHOUSE_WORKER_KEY"}, "beat": set(), "gateway": set(), "web": {"GATEHOUSE_SMTP_URL"}}
    own["worker"] |= own["web"]
    for name, secrets in own.items():
        found = machine.run(
            f"setpriv --reuid gatehouse-{name} --regid gatehouse --init-groups sh -c '"
            'cat /proc/[0-9]*/environ | tr "\\0" "\\n" | cut -d= -f1; id --user; cat /var/lib/gatehouse-tls/key.pem\' 2>&1',
            check=False,
        ).stdout
        for secret in ("GATEHOUSE_WORKER_KEY", "GATEHOUSE_SMTP_URL", "DATABASE_OWNER_PASSWORD"):
            assert (f"\n{secret}\n" in found) == (secret in secrets), (name, secret)
        # Its own it reads, so the others' are shut; the gateway's port below 1024 takes more than its user has.
        assert ("\nSECRET_KEY\n" in found) == (name != "gateway"), found[-500:]
        assert ("PRIVATE KEY" in found) == (name == "gateway"), name
    environment = machine.run(
        "cat /proc/$(systemctl show --property MainPID --value gatehouse-certificate)/environ"
    )
    names = {line.partition("=")[0] for line in environment.stdout.split("\0")}
    assert {name for name in names if re.search("KEY|PASSWORD|URL", name)} == set()


def several_users_keep_one_folder(machine, manage):
    """The store is a folder: the gateway writes into it, workers re-encrypt and delete what it wrote, a backup reads it.
    On the way the installation becomes one of a release in which all were one user, and is upgraded."""
    said = machine.run(
        f"""{manage}
        ready() {{ until curl --silent --fail http://127.0.0.1:8000/readyz > /dev/null; do sleep 0.2; done; }}
        sed -i 's/^GATEHOUSE_STORE_URL=/GATEHOUSE_STORE_OTHER_URL=/' /etc/gatehouse/environment
        systemctl restart gatehouse-web gatehouse-worker gatehouse-gateway
        ready
        manage create_mailbox acme "In a folder" --json > /srv/second
        of() {{ /usr/bin/python3 -c "import json; print(json.load(open('$1'))['$2'])"; }}
        address=$(of /srv/second address) password=$(of /srv/second password)
        send() {{ curl --silent --show-error --ssl-reqd --mail-from me@example.com --mail-rcpt $address \\
            --upload-file /srv/mail smtp://{MAIL}:25; }}
        send
        chown -R gatehouse:gatehouse /var/lib/gatehouse /mnt/backups
        chmod -R go= /var/lib/gatehouse
        rm -rf /opt/gatehouse-before; cp -a /opt/gatehouse /opt/gatehouse-new
        {from_one_user()}
        ready
        until send; do sleep 0.2; done
        systemctl start gatehouse-backup || {{ journalctl --unit gatehouse-backup --no-pager >&2; exit 1; }}
        manage check_store
        printf %s "$password" | manage reset_mailbox_password acme $address --current-password-stdin --json > /srv/reset
        manage job acme $(of /srv/reset job) --wait
        password=$(of /srv/reset password)
        curl --silent --show-error --user "$address:$password" pop3s://{MAIL}:995/2
        manage suspend_mailbox acme $address
        manage delete_mailbox acme $address --wait
        find /var/lib/gatehouse/store -type f
        systemctl --failed --quiet list-units"""
    ).stdout
    assert "On Monday, by the documents." in said
    assert "/var/lib/gatehouse/store/" not in said, "the workers remove what the gateway wrote"


RESTORE = "### A restore with systemd"
BY_KEY = 'manage restore "$place"'


def restores(machine, blocks, before=()):
    """By the lines of docs/operations.md, in one shell with those before; the key comes from the paper each time."""
    lines = [line for block in blocks for line in block.splitlines()]
    asks = [line for line in lines if line.startswith(BY_KEY)]
    assert len(asks) == 2, "to write the secrets, and to bring all of it"
    typed = {line: f"{line} < /srv/key" for line in asks}
    typed |= {"manage doctor": ":"}
    if before:
        typed |= {words: said for words, said in instead().items() if words in before or words in lines}
    documents.type_in(machine, [*before, *lines], typed, "/root")


def it_burns_and_comes_back(machine, lines):
    """Nothing is left but the backups and the paper; the lines of docs/deployment.md to the end of its services, and then
    those of docs/operations.md, bring it back on what is a new machine."""
    new, _there, *rest = documents.blocks("operations.md", RESTORE)
    machine.run(
        f"""{documents.alias(lines)}
        printf 'Subject: before\r\n\r\nBefore the fire, by the documents.\r\n' > /srv/before
        address=$(/usr/bin/python3 -c "import json; print(json.load(open('/srv/mailbox'))['address'])")
        curl --silent --show-error --ssl-reqd --mail-from me@example.com --mail-rcpt $address \
            --upload-file /srv/before smtp://{MAIL}:25
        systemctl start gatehouse-backup
        grep --only-matching --extended-regexp '([A-Z2-7]{{4}}-){{13}}[A-Z2-7]{{4}}' /srv/paper > /srv/key
        cp /etc/gatehouse/backup /srv/backup; grep -v STORE /srv/answers | grep -v _S3_ > /srv/rest; mv /srv/rest /srv/answers
        systemctl stop gatehouse.target gatehouse-backup.timer 'gatehouse-*.service' caddy redis-server pgbouncer
        cp /srv/redis.conf /etc/redis/redis.conf; sed -i '/^requirepass/d' /etc/redis/redis.conf
        rm -rf /opt/gatehouse* /var/lib/gatehouse* /etc/gatehouse /etc/systemd/system/gatehouse*
        rm -rf /etc/systemd/system/caddy.service.d /etc/caddy/*; echo :8080 > /etc/caddy/Caddyfile
        systemctl daemon-reload"""
    )
    first = lines[: lines.index("export PGPASSWORD=$DATABASE_OWNER_PASSWORD")]
    # What was written by hand.
    by_hand = "cp /srv/backup /etc/gatehouse/backup"
    restores(machine, [new, by_hand + "\n", *rest], first)
    is_back(machine)


def it_comes_back_where_it_was(machine):
    """On the machine that is there, whose database and store are put aside."""
    _new, there, *rest = documents.blocks("operations.md", RESTORE)
    restores(machine, [there, *rest])
    machine.run(
        """set -e; test -d /var/lib/gatehouse/store-before
        systemctl is-active gatehouse-backup.timer gatehouse-web gatehouse-gateway
        runuser -u postgres -- psql --dbname gatehouse_before --command 'SELECT count(*) FROM tenants_customer'"""
    )
    is_back(machine)


def is_back(machine):
    """Its mail opens with the password of before, more comes, and it is deleted where it came back; a backup is taken."""
    box = json.loads((machine.root / "srv/mailbox").read_text())
    user = f"--user {box['address']}:{box['password']}"
    said = machine.run(
        f"""set -e; shopt -s expand_aliases
        alias manage=/opt/gatehouse/docker/systemd/manage
        until curl --silent --fail http://127.0.0.1:8000/readyz > /dev/null; do sleep 0.2; done
        until curl --silent --show-error {user} pop3s://{MAIL}:995/ > /srv/list; do sleep 0.5; done
        for number in $(cut -d' ' -f1 /srv/list); do curl --silent {user} pop3s://{MAIL}:995/$number; done
        manage check_store
        grep gatehouse_owner /etc/gatehouse/backup && exit 1
        grep gatehouse_app /etc/gatehouse/environment
        systemctl start gatehouse-backup || {{ journalctl --unit gatehouse-backup --no-pager --lines 30; exit 1; }}
        ls -ld /var/lib/gatehouse/store; ls -l /var/lib/gatehouse/store"""
    ).stdout
    assert "Before the fire, by the documents." in said and "On Monday, by the documents." in said
    documents.sees_pages(machine)
    workers_answer(machine)
