"""Tries answers, one lot a line (portal/setup/trial.py): each in a child that is forked before any setting is read, so what
takes long to load is loaded once, and nothing of one trial is left for the next.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import django
from django.conf import settings

from portal.doctor.findings import Finding, without_secrets
from portal.setup.probes import PROBES, of_settings


def tried(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings can't be; if they can, what the other parts find, and the DNS records wanted."""
    if impossible := of_settings():
        return {"impossible": _told(impossible), "findings": [], "records": []}
    found: list[Finding] = []
    records: list[Any] = []
    services = [part for part in asked["parts"] if part not in PROBES]
    for part in asked["parts"]:
        if part in PROBES:
            found += PROBES[part]()
    if services:
        django.setup()
        probes = import_module("portal.setup.probes_of_services")  # which needs it
        for part in services:
            more, wanted = probes.probed(part, asked)
            found += more
            records += wanted
    return {
        "impossible": [],
        "findings": _told(found),
        "records": [asdict(record) | {"line": record.line} for record in records],
    }


def _told(findings: list[Finding]) -> list[dict[str, Any]]:
    return [
        asdict(each) | {"seen": without_secrets(each.seen), "advice": without_secrets(each.advice)}
        for each in findings
    ]


def _answered(line: str) -> str:
    asked = json.loads(line)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _answer(asked, writing)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        return json.dumps({"failed": f"it took longer than {asked['seconds']} s"})
    return json.dumps({"failed": f"it ended with status {code}"}) if code else text


def _answer(asked: Mapping[str, Any], writing: int) -> NoReturn:
    signal.alarm(asked["seconds"])
    try:
        os.environ.clear()
        os.environ.update({"DJANGO_SETTINGS_MODULE": "portal.settings", **asked["environment"]})
        answer = tried(asked)
    except Exception as error:  # whatever it is, it was not tried
        # Not what the error says: there may be a secret in it.
        where = traceback.extract_tb(error.__traceback__)[-1]
        answer = {"failed": f"{type(error).__name__} in {Path(where.filename).name}, line {where.lineno}"}
    with os.fdopen(writing, "w") as out:
        json.dump(answer, out)
    os._exit(0)


def main() -> None:
    if settings.configured:
        raise RuntimeError("A module that probes need read a setting while it was loaded.")
    for line in sys.stdin:
        sys.stdout.write(_answered(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
