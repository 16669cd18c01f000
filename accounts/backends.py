"""The name under which sessions keep who let their person in. It stands in each of them: under another name, everybody
would be signed out by an upgrade, and go in and out while two releases serve side by side.
"""

from accounts.adapters import backends


class AuthenticationBackend(backends.AuthenticationBackend):
    """What it does stands there."""
