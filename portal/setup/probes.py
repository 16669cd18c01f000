"""What a process with these settings sees of itself, its services and its machine, without a room of ours being loaded,
which takes longer than all of it. It changes nothing that lasts.
"""

import errno
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.checks import ERROR, run_checks
from redis import Redis, RedisError

from portal.checks import stores, variables, way  # noqa: F401 - importing stores registers its checks, too
from portal.checks.servers import redis_is_fit
from portal.doctor.findings import Finding, Level, told
from portal.environment import Environment

OLDEST_REDIS = (6, 2)
ROOM_OCTETS = 1024**3
OUTSIDE = (80, 443)  # of the web server in front
SECONDS = 5


def of_settings() -> list[Finding]:
    """Each check of ours that needs nothing but the settings, and of them the errors."""
    return [
        Finding.of_check(message)
        for message in run_checks(tags=[variables.TAG])
        if message.level >= ERROR and not message.is_silenced()
    ]


def of_way_to_database() -> list[Finding]:
    """Who could stand on it: for this nobody has to answer."""
    return [Finding.of_check(message) for message in way.nobody_passes_for_the_database(None)]


def of_way_to_redis() -> list[Finding]:
    return [Finding.of_check(message) for message in way.nobody_else_enters_redis(None)]


def of_redis() -> list[Finding]:
    """Reached, new enough, and set up for what we do."""
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
        ) as client:
            version = str(client.info("server")["redis_version"])
    except (RedisError, ValueError, OSError) as error:
        return [
            Finding(
                "redis",
                Level.ERROR,
                f"Redis cannot be used: {told(error)}",
                "Start it, or correct REDIS_URL and its password.",
            )
        ]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        return [
            Finding(
                "redis", Level.ERROR, f"Redis {version} is too old.", "Use Redis 6.2 or later, or Valkey."
            )
        ]
    return [
        Finding("redis", Level.OK, f"Redis or Valkey {version} answers."),
        *(Finding.of_check(message) for message in redis_is_fit(None, databases=["default"])),
    ]


def of_folder() -> list[Finding]:
    """A store that is one. Nothing is written: it will be another user's, and a file of root's would be in the way."""
    if not settings.STORE_URL.startswith("file:"):
        return []
    path = Path(settings.STORE_ROOT)
    try:
        there = next(parent for parent in (path, *path.parents) if parent.exists())
    except PermissionError:
        return [Finding("store", Level.ADVICE, f"{path} is closed to you, so nobody has looked at it.")]
    if not there.is_dir():
        return [Finding("store", Level.ERROR, f"{there} is no folder.", "Name another folder.")]
    if there == path and path.stat().st_mode & 0o007:
        return [
            Finding(
                "store", Level.WARNING, f"{path} is open to everybody on this machine.", f"chmod o-rwx {path}"
            )
        ]
    free = shutil.disk_usage(there).free
    level = Level.OK if free >= ROOM_OCTETS else Level.WARNING
    return [Finding("store", level, f"There is room for {free / 1024**3:.0f} GiB of mail at {there}.")]


def of_ports() -> list[Finding]:
    """Whether somebody else has them. Those of the gateway are the world's unless the file says otherwise."""
    wanted = {
        "GATEHOUSE_SMTP_PORT": 25,
        "GATEHOUSE_SMTPS_PORT": 465,
        "GATEHOUSE_POP3_PORT": 110,
        "GATEHOUSE_POP3S_PORT": 995,
        "GATEHOUSE_HTTP_PORT": 8000,
    }
    env = Environment(os.environ)
    numbers = [env.number(name, usual) for name, usual in wanted.items()]
    return [
        Finding(
            "ports",
            Level.WARNING,
            f"Something listens on port {number} already.",
            f"Unless it is this installation's own, stop it (`ss -ltnp sport = :{number}` says what it is)"
            + (": Debian's mail servers listen here." if number == 25 else "."),
        )
        for number in [*numbers, *OUTSIDE]
        if _is_taken(number)
    ]


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - as the servers will; nobody listens, and it is closed at once
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            # Not ours to bind, as 25 is root's: then whether somebody answers there.
            with socket.socket() as caller:
                caller.settimeout(SECONDS)
                return caller.connect_ex(("127.0.0.1", port)) == 0
    return False


PROBES: dict[str, Callable[[], list[Finding]]] = {
    "way-to-database": of_way_to_database,
    "way-to-redis": of_way_to_redis,
    "redis": of_redis,
    "folder": of_folder,
    "ports": of_ports,
}
