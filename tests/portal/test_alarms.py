"""Who hears of a unit that failed: `manage.py tell_failure`, as gatehouse-failed@.service runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accounts.post import MailServer

ROOT = Path(__file__).resolve().parents[2]


def tell(tmp_path, **environment):
    """With nothing but these settings, and a database that is away."""
    return subprocess.run(
        [sys.executable, "manage.py", "tell_failure", "gatehouse-backup.service"],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "SECRET_KEY": "of a portal whose database is away, and of some length",
            "GATEHOUSE_BASE_DOMAIN": "portal.gatehouse.test",
            "GATEHOUSE_STATE_DIR": str(tmp_path),
            "DATABASE_URL": "postgresql://gatehouse_app@127.0.0.1:1/gatehouse",
            **environment,
        },
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_unit_that_failed_is_told_by_mail_and_in_the_log(tmp_path):
    with MailServer().serving() as mail:
        address = f"smtp://127.0.0.1:{mail.port}?tls=no"
        told = tell(
            tmp_path, GATEHOUSE_SMTP_URL=address, GATEHOUSE_ALARMS_TO="night@northwind.example, b@c.example"
        )
    assert told.returncode == 0, told.stderr
    assert "CRITICAL" in told.stderr and "a unit failed unit=gatehouse-backup.service" in told.stderr
    assert mail.taken == ["night@northwind.example", "b@c.example"]

    told = tell(tmp_path, GATEHOUSE_SMTP_URL=address, GATEHOUSE_ALARMS_TO="night@northwind.example")
    assert told.returncode == 1 and "did not get out" in told.stderr and "a unit failed" in told.stderr


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "set GATEHOUSE_ALARMS_TO."),
        ({"GATEHOUSE_ALARMS_TO": "nobody"}, "set GATEHOUSE_ALARMS_TO."),
        ({"GATEHOUSE_ALARMS_TO": "night@northwind.example"}, "Set GATEHOUSE_SMTP_URL."),
    ],
    ids=["no address", "none that is one", "no mail server"],
)
def test_where_nobody_can_be_told_the_log_has_it_and_the_status_says_so(tmp_path, environment, why):
    """systemd shows the unit that tells as failed, then; what becomes a file nobody reads."""
    told = tell(tmp_path, **environment)
    assert told.returncode == 1 and "a unit failed" in told.stderr
    assert "Nobody is told by mail: " in told.stderr and why in told.stderr
    assert not list(tmp_path.rglob("*.eml"))


def crons():
    """The command of the line that docs/operations.md has for cron with Compose."""
    (line,) = re.findall(r"^0 2 \* \* \* root (.*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    return line


@pytest.mark.parametrize("status", [0, 1])
def test_with_compose_a_nights_backup_that_fails_is_told_in_a_container_that_can(tmp_path, status):
    """By the very line, as cron's shell runs it."""
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\ncase "$*" in *" run "*) exit {status};; esac\n'
    )
    docker.chmod(0o755)
    line = crons().replace("/srv/gatehouse", str(tmp_path))
    subprocess.run(["sh", "-c", line], env={"PATH": f"{tmp_path}:{os.defpath}"}, check=True)
    backup, *told = (tmp_path / "asked").read_text().splitlines()
    assert "run --rm --no-TTY backup backup s3://bucket/prefix" in backup
    assert [" exec --no-TTY gateway " in each and each.endswith("tell_failure backup") for each in told] == (
        [True] if status else []
    )
    compose = (ROOT / "docker/compose.yaml").read_text()
    gateway = compose[compose.index("\n  gateway:") : compose.index("\n  migrate-public:")]
    assert "GATEHOUSE_ALARMS_TO" in gateway and "*mail" in gateway
