"""Folders of the state directory."""

from pathlib import Path


def private_dir(path: Path) -> Path:
    """Make the directory, and those above it that are missing, for its owner alone; an existing one keeps what its owner
    decided.
    """
    if not path.is_dir():
        private_dir(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
