"""All processes of an installation, or of one of its machines, started as units start them."""

import subprocess
import sys
from pathlib import Path

import psutil

from gateway.server import Ports
from tests.breaking.workers import ROOT, environment_of_processes
from tests.gateway.kit import Certificates, Clients
from tests.ports import free_ports

SAID = 3000  # characters of each log's end


class Machine:
    """Web, worker, gateway and perhaps beat, with a folder that is their own."""

    def __init__(self, folder: Path, *, processes: int = 1, beat: bool = False, **behaviour: object) -> None:
        """So many `processes` has the worker; `behaviour` is what worker_settings and disk read."""
        folder.mkdir()
        self.folder, certificates = folder, Certificates(folder)
        self.web, *ports = free_ports(5)
        names = ("SMTP", "SMTPS", "POP3", "POP3S")
        variables = environment_of_processes() | {
            "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
            "BREAKING_BEAT_SCHEDULE": str(folder / "schedule"),
            "BREAKING_KILL_MARKS": str(folder),
            **{f"BREAKING_{name.upper()}": str(value) for name, value in behaviour.items()},
            "GATEHOUSE_STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
            "GATEHOUSE_HTTP_PORT": str(self.web),
            "GATEHOUSE_TLS_CERT_FILE": str(certificates.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(certificates.key_file),
            **{f"GATEHOUSE_{name}_PORT": str(port) for name, port in zip(names, ports, strict=True)},
        }
        commands = [
            ["web", "--processes", "1"],
            ["worker", "--processes", str(processes)],
            ["gateway"],
            *[["beat"]] * beat,
        ]
        self._processes: list[psutil.Popen] = []
        for command in commands:
            with (folder / f"{command[0]}.log").open("wb") as log:
                self._processes.append(
                    psutil.Popen(
                        [sys.executable, "manage.py", *command],
                        cwd=ROOT,
                        env=variables,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        self.clients = Clients(Ports(*ports), certificates.client_context)

    def is_whole(self) -> bool:
        """None of its processes has ended."""
        return all(process.poll() is None for process in self._processes)

    def dies(self) -> None:
        """All of it at once, and nobody is told."""
        for process in self._processes:
            for each in (*process.children(recursive=True), process) if process.poll() is None else ():
                each.kill()
            process.wait()

    def last_words(self) -> str:
        return "".join(
            f"--- {self.folder.name}/{log.name}\n{log.read_text(errors='replace')[-SAID:]}\n"
            for log in self.folder.glob("*.log")
        )
