"""The stylesheet of our pages: a file for each kind of thing to those who write it, one file to browsers, which wait for
each file before they paint.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

from portal.folders import private_dir

FOLDER = Path(__file__).resolve().parent.parent / "static" / "portal"
PARTS = ("layout", "controls", "states", "content")
SHEETS = (
    "tokens",
    "base",
    "frame",
    *PARTS,
    "charts",
    "pages",
    "narrow",
    "print",
)  # the first names the layers
NAME = "portal/gatehouse.css"  # beside the fonts that it names


class StylesheetFinder(BaseFinder):
    """Django's door for static files that lie in no app's folder: whoever asks gets the file as it would be now."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=settings.STATE_DIR / "stylesheet")

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path != NAME:
            return []
        made = str(_made_at(Path(self.storage.path(NAME))))
        return [made] if find_all else made

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        _made_at(Path(self.storage.path(NAME)))
        yield NAME, self.storage


def _made_at(path: Path) -> Path:
    """Several processes may make it at once, and one that reads it sees all of it."""
    text = "\n".join((FOLDER / f"{sheet}.css").read_text(encoding="utf-8") for sheet in SHEETS)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        private_dir(path.parent)
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as draft:
            draft.write(text)
        Path(draft.name).replace(path)
    return path
