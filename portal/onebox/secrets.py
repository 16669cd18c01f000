"""Secrets that the demo makes for itself. Outside it they come from the environment only, for which
`manage.py setup` makes new ones.
"""

import base64
import json
import os
import secrets
from pathlib import Path

FILE_NAME = "secrets.json"
WORKER_KEY_OCTETS = 32  # the seed from which X-Wing derives both of its private keys


def ensure(state_dir: Path) -> Path:
    """Make `secrets.json`, or complete it; what is in it stays, for everything waiting is sealed under it.

    Readable by its owner alone, and never half written. Raises ValueError when the file is there but unreadable.
    """
    path = state_dir / FILE_NAME
    known = _read(path)
    wanted = {"SECRET_KEY": new_secret_key, "GATEHOUSE_WORKER_KEY": new_worker_key}
    missing = {name: make() for name, make in wanted.items() if not known.get(name)}
    if missing:
        write_private(path, json.dumps(known | missing, indent=2).encode() + b"\n")
    return path


def new_worker_key() -> str:
    """A private key for the workers, as GATEHOUSE_WORKER_KEY takes it: base64url of the seed."""
    return base64.urlsafe_b64encode(secrets.token_bytes(WORKER_KEY_OCTETS)).decode().rstrip("=")


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place as a whole, mode 0600 from its first octet on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def new_secret_key() -> str:
    """As SECRET_KEY takes it."""
    return secrets.token_urlsafe(64)


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not a JSON object.")  # noqa: TRY004  a wrong file, not a wrong call
    return found
