"""Compiled message catalogs, made from the `.po` files at start: `.mo` files are results and not kept in git.

`python -m portal.languages.catalogs` compiles what is out of date, without the translations that can't stand in the place of
their original; with `--check` it only reads, and names every catalog that can't be read, has a fuzzy or missing
translation or one that does not fit, or no longer has just the texts of the code, and every text of a template that
is not marked for translation.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from django.utils.translation.template import templatize

from portal.languages import validation
from portal.languages.unmarked import unmarked_in

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
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
    """Write the `.mo` beside each `.po` that is newer; returns those written. Raises PoFileError.

    What does not fit its original is left out, so that English stands in its place.
    """
    # What an earlier release has compiled, or another program, may hold what this one leaves out.
    rules = max(_changed(Path(__file__)), _changed(Path(validation.__file__)))
    written = []
    for source in _sources(root):
        target = source.with_suffix(".mo")
        if target.exists() and _changed(target) >= max(_changed(source), rules):
            continue
        catalog = _read(source)
        for message, reason in list(validation.invalid(catalog)):
            log.warning("%s: %r %s. It is left out.", source, message.id, reason)
            catalog.delete(message.id, message.context)
        draft = target.with_suffix(".mo.new")
        with draft.open("wb") as file:
            write_mo(file, catalog)  # fuzzy entries are left out
        draft.replace(target)  # a process that is reading the old one goes on with it
        written.append(target)
    return written


def left_out(source: Path) -> list[str]:
    """The originals of what is left out when this catalog is compiled. Raises PoFileError."""
    return [validation.texts_of(message.id)[0] for message, reason in validation.invalid(_read(source))]


def complaints(root: Path = ROOT) -> Iterator[str]:
    """What stands in the way of a complete translation, a line each."""
    for source in _sources(root):
        try:
            catalog = _read(source)
        except PoFileError as error:
            yield f"{source}: {error}"
            continue
        where = source.relative_to(root)
        for message in catalog:
            if not message.id:
                continue
            if message.fuzzy:
                yield f"{where}: {message.id!r} is fuzzy"
            elif not all(validation.texts_of(message.string)):
                yield f"{where}: {message.id!r} is not translated"
        yield from (f"{where}: {message.id!r} {reason}" for message, reason in validation.invalid(catalog))


def strays(root: Path = ROOT) -> Iterator[str]:
    """Texts of the code that a catalog lacks, and texts of a catalog that the code no longer has, a line each.

    Raises TemplateSyntaxError for a page with an unfinished `{% blocktranslate %}`.
    """
    wanted = _extracted(root)
    for source in _sources(root):
        found = _texts(_read(source))
        yield from (f"{source.relative_to(root)}: {text} is missing" for text in sorted(wanted - found))
        yield from (
            f"{source.relative_to(root)}: {text} is in use no more" for text in sorted(found - wanted)
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
    """Quoted, with their contexts: one word may be several texts."""
    return {_quoted(message) for message in catalog if message.id}


def _quoted(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[0]
    return f"{text!r} ({message.context})" if message.context else repr(text)


def _sources(root: Path) -> list[Path]:
    return sorted(root.glob("locale/*/LC_MESSAGES/*.po")) + sorted(root.glob("*/locale/*/LC_MESSAGES/*.po"))


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def _read(source: Path) -> Catalog:
    with source.open("rb") as file:
        return read_po(file, locale=source.parent.parent.name, abort_invalid=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m portal.languages.catalogs", description="Compile message catalogs."
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
