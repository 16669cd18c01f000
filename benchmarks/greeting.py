"""How long an honest sender waits for its greeting while others flood the gateway with commands."""

import signal
import socket
import subprocess
import sys

from benchmarks.measure import Result, compare

GREETINGS = 200  # in one turn, one after the other
CONNECTIONS = 8  # of the flood
COMMANDS = b"NOOP\r\n" * 20_000  # sent at once by each of them
SECONDS = 60


def measure(smtp_port: int) -> list[Result]:
    """Greetings beside a flood, and the same without it."""
    command = [sys.executable, "-m", "benchmarks.greeting", str(smtp_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
        try:
            assert flood.stdout is not None
            flood.stdout.readline()  # it has begun

            def beside_the_flood() -> None:
                flood.send_signal(signal.SIGCONT)
                _greet(smtp_port)
                flood.send_signal(signal.SIGSTOP)

            flood.send_signal(signal.SIGSTOP)
            return [
                compare(
                    f"SMTP greeting, {CONNECTIONS} connections flooding",
                    amount=GREETINGS,
                    unit="greetings/s",
                    ours=beside_the_flood,
                    baseline=lambda: _greet(smtp_port),
                    baseline_name="the same without a flood",
                )
            ]
        finally:
            flood.kill()


def _greet(port: int) -> None:
    for _ in range(GREETINGS):
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            if not connection.recv(4096).startswith(b"220 "):
                raise RuntimeError("no greeting")


def _flood(port: int) -> None:
    """For ever: as many commands as the gateway takes from a connection, then another one in its place."""
    connections: list[socket.socket] = []
    begun = False
    while True:
        while len(connections) < CONNECTIONS:
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=SECONDS))
            try:
                connections[-1].settimeout(0.5)
                connections[-1].sendall(COMMANDS)
            except OSError:
                pass  # it was closed while we were still sending
        if not begun:
            print("flooding", flush=True)  # once, for nobody reads on
            begun = True
        for connection in connections:
            try:
                while connection.recv(64 * 1024):
                    pass
            except OSError:
                pass
            connection.close()
        connections.clear()


if __name__ == "__main__":
    _flood(int(sys.argv[1]))
