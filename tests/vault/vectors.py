"""The test vectors, as data."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent.parent / "vectors"


def load(folder: str) -> list[Any]:
    """Every vector of a folder, as a parameter named for it."""
    paths = sorted((HERE / folder).glob("*.json"))
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]


def container_of(vector: dict[str, Any]) -> bytes:
    """The container that a vector is about: one of the stored ones, changed as it says."""
    octets = bytearray((HERE / "containers" / vector["container"]).read_bytes())
    for change in vector["changes"]:
        match change:
            case ["flip", at, bit]:
                octets[at] ^= 1 << bit
            case ["cut", at]:
                del octets[at:]
            case ["replace", at, count, new]:
                octets[at : at + count] = bytes.fromhex(new)
            case ["recheck"]:
                octets[1218:1226] = hashlib.sha256(octets[:1218]).digest()[:8]
            case _:
                raise ValueError(change)
    return bytes(octets)
