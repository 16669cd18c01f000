"""Who hears of a unit that failed: `manage.py tell_failure`, as gatehouse-failed@.service runs it."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_who_set_no_address_has_the_log(tmp_path):
    told = tell(tmp_path)
    assert told.returncode == 0 and "a unit failed" in told.stderr and "GATEHOUSE_ALARMS_TO" in told.stderr
