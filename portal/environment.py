"""Reading the environment strictly: what can't be understood is remembered for `portal.checks.variables`, never guessed at."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

import dj_database_url
from psycopg import pq

# A hint to all URLs that may have one.
IN_PASSWORDS = "In a password write %2F for /, %23 for #, %3F for ? and %40 for @."
_DATABASE = re.compile(r"(/[0-9]*)?")  # of a Redis, by its number
_SEVERAL_HOSTS = re.compile(r"(\w+://(?:[^/?#@]*@)?)([^/?#@]*,[^/?#@]*)([/?#].*)?", re.DOTALL)
POSTGRES_PORT = 5432
# What may not stand behind the `?` of a database's URL, and why.
REFUSED_OPTIONS = {
    "assume_role": "what is run in the database could leave that role; name it as the user, before the @",
    # libpq puts it before PGSSLMODE, and no check sees what it says.
    "service": "a file that nobody looks into would say how PostgreSQL is reached; say all of it in the URL",
}
# Of libpq, by which everything here speaks to PostgreSQL. The weakest first.
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LIBPQS_MODE = "prefer"  # where nobody says one
# What stands behind the `?` of a database's URL besides libpq's own: Django's, and dj-database-url's.
OTHER_OPTIONS = {"currentSchema", "isolation_level", "pool", "server_side_binding"}


class Problem(NamedTuple):
    """A variable, what is wrong with it, and how to mend it."""

    variable: str
    what: str
    hint: str


class WrongOptions(ValueError):
    """Of a database's URL: with them it would be reached otherwise than somebody thinks. What it says quotes none of it."""


class Environment:
    """Variables by name, with defaults; `problems` collects those that made no sense, for which the default serves."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[Problem] = []
        self.names: set[str] = set()  # of all that was asked for, set or not

    def text(self, name: str, default: str = "") -> str:
        self.names.add(name)
        return self._variables.get(name, "").strip() or default

    def verbatim(self, name: str, default: str) -> str:
        """What a library reads there by itself, to which an empty text is one."""
        self.names.add(name)
        return self._variables.get(name, default)

    def secret(self, name: str, default: str = "") -> str:
        """That of `NAME`, or what stands in the file that `NAME_FILE` names: a secret in a file is in no list of processes
        and in no description of a container.
        """
        value, file = self.text(name), self.text(f"{name}_FILE")
        if not file:
            return value or default
        if value:
            self.complain(f"{name}_FILE", f"{name} is set, too.", "Set one of the two.")
            return value
        try:
            if found := Path(file).read_text().strip():
                return found
            why = "it is empty"
        except (OSError, ValueError) as error:
            why = error.strerror or "" if isinstance(error, OSError) else "it is no text"
        # Not which, here and wherever a setting names a file: who typed the secret itself there would have it in each log.
        self.complain(f"{name}_FILE", f"its file is of no use: {why}.", "Name a file with the secret in it.")
        return default

    def choice(self, name: str, options: Sequence[str]) -> str:
        """One of them; the first is the default."""
        value = self.text(name, options[0]).lower()
        if value not in options:
            self.complain(name, f"there is no {value!r}.", f"Use {' or '.join(options)}.")
            return options[0]
        return value

    def flag(self, name: str) -> bool:
        value = self.text(name, "0").lower()
        if value in ("1", "true", "yes", "on"):
            return True
        if value not in ("0", "false", "no", "off"):
            self.complain(name, f"{value!r} is neither yes nor no.", "Use 1 or 0.")
        return False

    def number(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or int(value) < least or (most is not None and int(value) > most):
            bounds = f"from {least} up" if most is None else f"from {least} to {most}"
            self.complain(name, f"{value!r} is no whole number {bounds}.", f"The default is {default}.")
            return default
        return int(value)

    def path(self, name: str, default: Path) -> Path:
        """Of a folder, which need not be there yet."""
        try:
            path = Path(self.text(name, str(default))).expanduser().resolve()
            with suppress(PermissionError):  # not every process needs each folder
                path.exists()
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it leads nowhere"
            self.complain(name, f"it can't be the name of a folder: {why}.", "Name another one.")
            return default
        return path

    def complain(self, name: str, what: str, hint: str) -> None:
        self.problems.append(Problem(name, what, hint))


def generated_secrets(path: Path) -> dict[str, str]:
    """What the demo generated for itself, or nothing; an unreadable file counts as nothing and is reported when used."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def parts_of(url: str) -> SplitResult:
    """Of what is no URL the scheme is empty. Python would raise, and quote half of the password in it."""
    try:
        found = urlsplit(url)
        _ = found.port
    except ValueError:
        return urlsplit("//")
    return found


def parts_with_password(url: str) -> SplitResult:
    """Of what is no URL, or not one as it is meant, the scheme is empty: where the host ends within the password, at its
    `/`, `?` or `#`, the rest, with the `@` that should stand before the host, would pass for a path, and be shown.
    """
    found = parts_of(url)
    behind_host = found.path + found.query
    return urlsplit("//") if "@" in behind_host or "#" in url else found


def parts_of_several(url: str) -> SplitResult:
    """As `parts_with_password`, also of a URL with several hosts, of which nobody may ask for the one port."""
    return (
        urlsplit(url)
        if all(parts_with_password(one).scheme for one in _once_for_each_host(url))
        else urlsplit("//")
    )


def _once_for_each_host(url: str) -> list[str]:
    several = _SEVERAL_HOSTS.fullmatch(url)
    before, hosts, behind = several.groups("") if several else (url, "", "")
    return [f"{before}{host}{behind}" for host in hosts.split(",")]


def database_of(url: str, *, engine: str) -> dict[str, Any]:
    """What Django calls a database, of a URL with one host or, as libpq writes them, several: a server and its standbys, of
    which the one that takes writes is meant. Raises ValueError, of which WrongOptions says why.
    """
    urls = _once_for_each_host(url)
    if any(parts_with_password(one).scheme not in ("postgres", "postgresql") for one in urls):
        raise ValueError("it is no URL of a PostgreSQL")
    _require_options(urls[0])
    found: list[dict[str, Any]] = [{**dj_database_url.parse(one, engine=engine)} for one in urls]
    if len(urls) == 1:
        return found[0]
    if not all(one["HOST"] for one in found):
        raise ValueError("a host is missing")
    return {
        **found[0],
        "HOST": ",".join(one["HOST"] for one in found),
        "PORT": ",".join(str(one["PORT"] or POSTGRES_PORT) for one in found),
        "OPTIONS": {"target_session_attrs": "read-write", **found[0].get("OPTIONS", {})},
    }


def _require_options(url: str) -> None:
    """Raises WrongOptions. dj-database-url leaves out one without a value: of `sslmode=`, in which a variable was not there,
    nobody would hear, and PostgreSQL would be spoken to without TLS.
    """
    options = parse_qsl(parts_of(url).query, keep_blank_values=True)
    names = [name for name, _ in options]
    for name in REFUSED_OPTIONS.keys() & set(names):
        raise WrongOptions(f"behind its ? stands {name}: {REFUSED_OPTIONS[name]}")
    libpq = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    if not libpq | OTHER_OPTIONS >= set(names):
        raise WrongOptions("behind its ? stands an option that PostgreSQL's clients don't know")
    if len(names) > len(set(names)):
        raise WrongOptions("behind its ? an option stands twice")
    if not all(value for _, value in options):
        raise WrongOptions("behind its ? stands an option without a value")
    if dict(options).get("sslmode", SSL_MODES[-1]) not in SSL_MODES:
        raise WrongOptions("its sslmode is none that there is")


def is_redis(url: str) -> bool:
    """Whether it leads to a Redis: to a host and a database there by its number, or to a socket.

    Behind its `?` stands what caches and tasks both understand there. Of a password, above all, tasks fail, or ignore it.
    """
    found = parts_with_password(url)
    named = [name for name, _ in parse_qsl(found.query, keep_blank_values=True)]
    options = set(named)
    if len(named) > len(options):  # of two that say something else each library takes another one
        return False
    if found.scheme == "unix":
        return not found.hostname and found.path.startswith("/") and options <= {"db"}
    by_network = found.scheme in ("redis", "rediss") and bool(found.hostname)
    of_tls = found.scheme == "rediss" and all(name.startswith("ssl_") for name in options)
    return by_network and bool(_DATABASE.fullmatch(found.path)) and (of_tls or not options)
