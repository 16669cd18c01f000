"""An empty machine for an installation: this one's programs, nothing of its data, its own systemd, network and processes.

What is written goes into memory, over the root of this machine, and is gone with it. As root on Linux.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from portal.onebox.embedded.process import wait_until

ROOT = Path(__file__).resolve().parents[2]
BOOT_SECONDS = 60
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Its root is this machine's, and whatever is written lies over it. The groups of processes are its own, or systemd would
# make them among this machine's. Of what is mounted here nothing is there.
BOOT = """
set -eu
folder=$1 address=$2
mount --make-rprivate /
mount -t tmpfs -o size=6g tmpfs "$folder"
mkdir "$folder/over" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/over,workdir=$folder/work" "$folder/root"
root=$folder/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
# The checkout, wherever it lies: on a disk of its own, or where another folder is now.
mkdir -p "$root$4"
mount --bind "$4" "$root$4"
mount -o remount,bind,ro "$root$4"
ip link set lo up
ip address add "$address/32" dev lo
rm -f "$root/etc/resolv.conf" "$root/etc/fstab"
echo nameserver 127.0.0.1 > "$root/etc/resolv.conf"
: > "$root/etc/fstab"
# Who is in a mere chroot may have no namespace of users, which Debian's unit of Redis wants.
cd "$root"
pivot_root . mnt
umount --lazy /mnt
exec env -i container=other PATH="$3" /lib/systemd/systemd --unit=basic.target --log-target=journal
"""


class Machine:
    def __init__(self, address: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gh-machine-"))
        group = _cgroup_root() / self._folder.name
        group.mkdir()
        self._group = group
        apart = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
        ]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as it runs
        self._process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', "sh", group, *apart]
            + ["sh", "-c", BOOT, "sh", self._folder, address, PATH, ROOT],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            assert wait_until(self._has_booted, BOOT_SECONDS), self._said()
        except BaseException:
            self.stop()
            raise

    @property
    def root(self) -> Path:
        """Its files, as they are seen from here."""
        return Path(f"/proc/{self._first}/root")

    def run(self, script: str, seconds: float = 300, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As root at its terminal, in a shell; what it says is shown."""
        done = subprocess.run(
            self.inside("bash", "-c", script),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout[-8000:]
        return done

    def inside(self, *words: str) -> list[str]:
        enter = ["nsenter", f"--target={self._first}", "--all", "--root", "--wd"]
        return [*enter, "env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", *words]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        deadline = time.monotonic() + BOOT_SECONDS
        for group in sorted(self._group.rglob("*/"), reverse=True) + [self._group]:
            while group.is_dir():
                try:
                    group.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.05)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    @property
    def _first(self) -> int:
        """Its systemd, by the number that it has here."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def _has_booted(self) -> bool:
        assert self._process.poll() is None, self._said()
        try:
            if not (self.root / "run/systemd/private").exists():
                return False
        except (OSError, IndexError):
            return False
        state = self.run("systemctl is-active basic.target", check=False).stdout.strip()
        return state == "active"


def _cgroup_root() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise AssertionError("This machine has no cgroup2.")


def refusal() -> str:
    """Why there can be no machine here; empty if there can."""
    if sys.platform != "linux" or os.geteuid():
        return "Only root can have a machine of its own."
    missing = [
        name
        for name in ("unshare", "nsenter", "caddy", "pebble", "redis-server", "pg_createcluster")
        if shutil.which(name) is None
    ]
    if missing:
        return f"{', '.join(missing)} not installed; .ci/run installs them."
    return ""
