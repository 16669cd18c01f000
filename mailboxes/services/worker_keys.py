"""The workers' key pair: anyone here locks to its public half, only workers have the private one."""

import base64
from functools import lru_cache

from django.conf import settings

from mailboxes.vault import PrivateKey


def public_key() -> bytes:
    """What a worker lock is sealed to: GATEHOUSE_WORKER_PUBLIC_KEY, or else the public half of GATEHOUSE_WORKER_KEY.

    Raises BadKey without either.
    """
    return _public(settings.WORKER_PUBLIC_KEY, settings.WORKER_KEY)


def private_key() -> PrivateKey:
    """What opens worker locks. Raises BadKey where there is none, as in a web process that needs none."""
    return PrivateKey.from_text(settings.WORKER_KEY)


@lru_cache(maxsize=4)
def _public(public: str, private: str) -> bytes:
    return base64.b64decode(public) if public else PrivateKey.from_text(private).public
