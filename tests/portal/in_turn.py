"""Runs commands of `manage.py` one after the other in one process: JSON on standard input names them, JSON says how each ended."""

import io
import json
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

import django

from portal.management.refusing import Commands


def run(words):
    out, errors = io.StringIO(), io.StringIO()
    sys.stdin = io.StringIO("typed\n")
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            Commands(["manage.py", *words]).execute()
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
            status = 1
    return status, out.getvalue(), errors.getvalue()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    django.setup()  # what is logged goes where it went at the beginning
    json.dump([run(words) for words in asked], sys.stdout)
