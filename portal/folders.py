"""Folders of the state directory."""

from pathlib import Path


def private_dir(path: Path) -> Path:
    """Make the directory, and those above it that are missing, for its owner alone.

    An existing one keeps what its owner decided: a group that backs them up, say, was let in by somebody. What is open in
    the state directory by no decision is shut whenever the demo starts (portal.onebox.embedded.permissions).
    """
    if not path.is_dir():
        private_dir(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
