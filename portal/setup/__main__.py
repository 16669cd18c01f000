"""`python -m portal.setup settings database …` looks at these parts with the settings of its environment; prints JSON."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

import django

from portal.doctor.findings import without_secrets
from portal.setup.looks import LOOKS


def main(parts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    found = [finding for part in parts if part in LOOKS for finding in LOOKS[part]()]
    records: list[Any] = []
    if any(part not in LOOKS for part in parts):
        django.setup()
        doctoring = import_module("portal.setup.doctoring")  # which needs it
        for part in parts:
            if part not in LOOKS:
                more, wanted = doctoring.look(part, options)
                found += more
                records += wanted
    return {
        "findings": [
            asdict(finding)
            | {"seen": without_secrets(finding.seen), "advice": without_secrets(finding.advice)}
            for finding in found
        ],
        "records": [asdict(record) | {"line": record.line} for record in records],
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    sys.stdout.write(json.dumps(main(sys.argv[1:], json.load(sys.stdin))))
