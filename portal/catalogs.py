"""Compiled message catalogs, made from the `.po` files at start: `.mo` files are results and not kept in git.

`python -m portal.catalogs` compiles what is out of date; with `--check` it only reads, and names every catalog
that can't be read, has a fuzzy or missing translation, lacks a placeholder of its original, or no longer
has just the texts of the code, and every text of a template that is not marked for translation.
"""

import argparse
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from django.utils.translation.template import templatize

from portal.unmarked import unmarked_in

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("accounts", "tenants", "mailboxes", "gateway", "portal")
# Babel's names for gettext (`_` among them), and Django's own.
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


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
    """Texts of the code that a catalog lacks, and texts of a catalog that the code no longer has, a line each.

    Raises TemplateSyntaxError for a page with an unfinished `{% blocktranslate %}`.
    """
    wanted = _extracted(root)
    for source in _sources(root):
        found = _texts(_read(source))
        yield from (f"{source.relative_to(root)}: {text!r} is missing" for text in sorted(wanted - found))
        yield from (
            f"{source.relative_to(root)}: {text!r} is in use no more" for text in sorted(found - wanted)
        )


def _extracted(root: Path) -> set[str]:
    """What `makemessages` would find. Babel reads it, so that linting takes no GNU gettext."""
    texts = Catalog()
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*")):
        if path.suffix == ".py":
            code = path.read_text()
        elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
            # Django writes a page as calls of gettext amid filler. Its indentation means nothing to Python.
            lines = templatize(path.read_text(), origin=str(path)).splitlines()
            code = "\n".join(line.strip() for line in lines)
        else:
            continue
        for _, message, _, context in extract("python", BytesIO(code.encode()), keywords=KEYWORDS):
            texts.add(message, context=context)
    return _texts(texts)


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
        found = [*complaints(), *strays(), *unmarked_in(ROOT)]
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
