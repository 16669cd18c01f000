"""Whether the process in this container serves: `probe.py web` or `probe.py gateway`. Quick, so without Django.

The exit status says it, and one line on standard error why not.
"""

import os
import socket
import sys
import urllib.request

SECONDS = 4
# Of the gateway, with its defaults and how each greets.
GREETINGS = {"GATEHOUSE_SMTP_PORT": ("2525", b"220 "), "GATEHOUSE_POP3_PORT": ("2110", b"+OK ")}


def web() -> None:
    """Raises OSError while the portal, its database, its Redis or its store does not work."""
    port = os.environ.get("GATEHOUSE_HTTP_PORT", "").strip() or "8000"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=SECONDS):
        pass


def gateway() -> None:
    """Raises OSError when it takes no connection, or greets as nobody expects."""
    for variable, (default, greeting) in GREETINGS.items():
        port = os.environ.get(variable, "").strip() or default
        with socket.create_connection(("127.0.0.1", int(port)), SECONDS) as connection:
            connection.settimeout(SECONDS)
            if not connection.recv(512).startswith(greeting):
                raise ConnectionError(f"{variable}: no greeting on port {port}")


if __name__ == "__main__":
    try:
        {"web": web, "gateway": gateway}[sys.argv[1]]()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
