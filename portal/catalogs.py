"""Compiled message catalogs, made from the `.po` files at start: `.mo` files are results and not kept in git.

`python -m portal.catalogs` compiles what is out of date; with `--check` it only reads, and names every catalog
that can't be read, has a fuzzy or missing translation, lacks a placeholder of its original, or lacks a text
that the code has by now (this takes GNU gettext).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

ROOT = Path(__file__).resolve().parent.parent


def compile_catalogs(root: Path = ROOT) -> list[Path]:
    """Write the `.mo` beside each `.po` that is newer; returns those written. Raises PoFileError."""
    written = []
    for source in _sources(root):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        draft = target.with_suffix(".mo.new")
        with draft.open("wb") as file:
            write_mo(file, _read(source))  # fuzzy entries are left out
        draft.replace(target)  # a process that is reading the old one goes on with it
        written.append(target)
    return written


def complaints(root: Path = ROOT) -> Iterator[str]:
    """What stands in the way of a complete translation, a line each."""
    for source in _sources(root):
        try:
            catalog = _read(source)
        except PoFileError as error:
            yield f"{source}: {error}"
            continue
        for message in catalog:
            if not message.id:
                continue
            where = f"{source.relative_to(root)}: {message.id!r}"
            texts = message.string if isinstance(message.string, (list, tuple)) else [message.string]
            if message.fuzzy:
                yield f"{where} is fuzzy"
            elif not all(texts):
                yield f"{where} is not translated"
            else:
                yield from (f"{where}: {error}" for error in message.check(catalog))


def strays(root: Path = ROOT) -> Iterator[str]:
    """Texts of the code that a catalog lacks, and texts of a catalog that the code no longer has, a line each."""
    if shutil.which("xgettext") is None:
        yield "Whether the catalogs are up to date can't be told: GNU gettext is missing (apt-get install gettext)."
        return
    wanted = _texts(_extracted(root))
    for source in _sources(root):
        found = _texts(_read(source))
        yield from (f"{source.relative_to(root)}: {text!r} is missing" for text in sorted(wanted - found))
        yield from (
            f"{source.relative_to(root)}: {text!r} is in use no more" for text in sorted(found - wanted)
        )


def _extracted(root: Path) -> Catalog:
    """What `makemessages` finds, in a copy, so that looking changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for room in ("accounts", "tenants", "mailboxes", "gateway", "portal"):
            shutil.copytree(root / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(root / "manage.py", copy)
        (copy / "locale").mkdir()
        command = [
            sys.executable,
            "manage.py",
            "makemessages",
            "--locale",
            "en",
            "--no-location",
            "--verbosity",
            "0",
        ]
        settings = {"DJANGO_SETTINGS_MODULE": "portal.settings"}
        subprocess.run(command, cwd=copy, check=True, env=os.environ | settings)
        return _read(copy / "locale" / "en" / "LC_MESSAGES" / "django.po")


def _texts(catalog: Catalog) -> set[str]:
    ids = (message.id for message in catalog if message.id)
    return {text if isinstance(text, str) else text[0] for text in ids}


def _sources(root: Path) -> list[Path]:
    return sorted(root.glob("locale/*/LC_MESSAGES/*.po")) + sorted(root.glob("*/locale/*/LC_MESSAGES/*.po"))


def _read(source: Path) -> Catalog:
    with source.open("rb") as file:
        return read_po(file, locale=source.parent.parent.name, abort_invalid=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m portal.catalogs", description="Compile message catalogs."
    )
    parser.add_argument("--check", action="store_true", help="write nothing, report what is incomplete")
    if parser.parse_args().check:
        found = [*complaints(), *strays()]
        print("\n".join(found) or "Every catalog is complete.")
        return 1 if found else 0
    try:
        for path in compile_catalogs():
            print(f"Compiled {path.relative_to(ROOT)}.")
    except PoFileError as error:
        print(f"A catalog cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
