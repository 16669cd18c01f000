"""`make mutate`: break each promise on the list in a copy of the code, and see that its guards notice.

Options: `-j N` side by side, `-k WORD` only breakages whose promise or file has the word. Ends with status 1 when a
breakage survives or its guards can't be run.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests import poolers
from tests.mutations.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]
FAILED = 1  # pytest's exit status for tests that ran and failed; any other is no proof
SECONDS = 600


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("-j", type=int, default=2, metavar="N")
    parser.add_argument("-k", default="", metavar="WORD")
    options = parser.parse_args()
    todo: queue.Queue[Breakage] = queue.Queue()
    for breakage in BREAKAGES:
        if options.k.lower() in f"{breakage.promise} {breakage.file}".lower():
            todo.put(breakage)
    total, survived = todo.qsize(), []

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="gh-mutate-") as folder:
            copy = Path(folder)
            _copy_to(copy)
            while True:
                try:
                    breakage = todo.get_nowait()
                except queue.Empty:
                    return
                trouble = _try(breakage, copy)
                print(
                    f"{'SURVIVED' if trouble else 'killed  '}  {breakage.promise}  [{breakage.file}]",
                    flush=True,
                )
                if trouble:
                    print(trouble, flush=True)
                    survived.append(breakage)

    threads = [threading.Thread(target=work) for _ in range(options.j)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"Breakages: {total}, killed: {total - len(survived)}, survived: {len(survived)}")
    return 1 if survived or not total else 0


def _copy_to(folder: Path) -> None:
    """The working tree as it is, uncommitted changes too, with the catalogs that were compiled for it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    compiled = [str(path.relative_to(ROOT)) for path in (ROOT / "locale").rglob("*.mo")]
    for name in [*filter(None, listed), *compiled]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if poolers.NEWER.is_dir():  # which runs from where it lies
        (folder / poolers.NEWER.relative_to(ROOT).parent).symlink_to(poolers.NEWER.parent)


def _try(breakage: Breakage, copy: Path) -> str:
    """What is wrong with its guards; nothing if one of them fails as it should."""
    file = copy / breakage.file
    whole = file.read_text()
    try:
        file.write_text(breakage.apply_to(whole))
    except ValueError as error:
        return f"  {error}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *breakage.guards],
            cwd=copy,
            # Bytecode is told from its source by seconds and size, and a breakage may change neither.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "GATEHOUSE_LONG": ""},
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"  its guards did not end within {SECONDS} seconds"
    finally:
        file.write_text(whole)
    if done.returncode == FAILED:
        return ""
    tail = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-8:])
    return f"  pytest ended with status {done.returncode}:\n{tail}"


if __name__ == "__main__":
    sys.exit(main())
