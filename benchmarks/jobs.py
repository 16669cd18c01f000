"""How fast waiting mail is re-encrypted and deleted by real workers, against the bare work on the same files."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from benchmarks.installation import Installation
from benchmarks.mailbox import filled
from benchmarks.measure import ROUNDS, Result, compare
from benchmarks.messages import OCTETS, message
from mailboxes import services
from mailboxes.models import Job, Mailbox, Message
from mailboxes.store import store
from mailboxes.vault import MessageContext, PrivateKey, Secret, generate_key_pair, open_sealed, seal
from tenants.models import Customer

ROOT = Path(__file__).resolve().parents[1]

MESSAGES = 5_000
DEADLINE = 600.0
POLL_SECONDS = 0.01


def measure(installation: Installation) -> list[Result]:
    """Re-encryption by one worker and by two, and deletion."""
    customer = Customer.objects.get(slug="acme")
    mailbox, password = filled(customer, "Re-encryption", (message(number) for number in range(MESSAGES)))
    bare = _Bare(installation.folder / "bare")
    run = _Resets(customer, mailbox, password)
    with workers(1, installation.folder / "worker.log"):
        one = compare(
            f"re-encryption of {MESSAGES:,}, one worker",
            amount=MESSAGES,
            unit="messages/s",
            ours=run.reset_and_wait,
            baseline=bare.rewrite,
            baseline_name="read, open, seal, write, fsync",
        )
    with workers(2, installation.folder / "worker.log"):
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            run.reset_and_wait()
            seconds.append(time.perf_counter() - began)
    two = Result("the same, two workers", "messages/s", MESSAGES / median(seconds), one.ours, "one worker")
    return [one, two, _deletion(installation, customer, mailbox)]


class _Resets:
    """Reset after reset, each with the password of the one before."""

    def __init__(self, customer: Customer, mailbox: Mailbox, password: Secret) -> None:
        self.customer, self.mailbox, self.password = customer, mailbox, password

    def reset_and_wait(self) -> None:
        self.password, job = services.reset_password(
            self.customer, self.mailbox, by=SYSTEM, current_password=self.password.reveal()
        )
        assert job
        done(self.customer, job.pk)


class _Bare:
    """The same work on the same number of octets by one loop that promises nothing but the flush of each file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.keys = generate_key_pair()
        self.contexts = [MessageContext(uuid4(), uuid4(), uuid4()) for _ in range(MESSAGES)]
        for number, context in enumerate(self.contexts):
            with (folder / str(number)).open("wb") as file:
                file.writelines(seal([message(number)], self.keys.public, context=context))
        os.sync()

    def rewrite(self) -> None:
        """Into new files, as re-encryption must."""
        private: PrivateKey = self.keys.private
        anew = Path(tempfile.mkdtemp(dir=self.folder.parent))
        for number, context in enumerate(self.contexts):
            sealed = (self.folder / str(number)).read_bytes()
            pieces = seal(open_sealed([sealed], private, context=context), self.keys.public, context=context)
            with (anew / str(number)).open("wb", buffering=0) as file:
                for piece in pieces:
                    file.write(piece)
                os.fsync(file.fileno())


def _deletion(installation: Installation, customer: Customer, mailbox: Mailbox) -> Result:
    """Each round deletes a mailbox of its own, and a copy of its files."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        if number:
            mailbox, _ = filled(customer, f"Deletion {number}", [os.urandom(OCTETS)] * MESSAGES)
        folder = Path(store().path(f"{customer.pk.hex}/{mailbox.pk.hex}"))
        copy = installation.folder / "copy"
        shutil.copytree(folder, copy)
        os.sync()
        with tenant_context(customer):
            names = [
                str(copy / Path(*Path(blob).parts[2:]))
                for blob in Message.objects.filter(mailbox=mailbox).values_list("blob", flat=True)
            ]
        services.suspend_mailbox(customer, mailbox, by=SYSTEM)
        with workers(1, installation.folder / "worker.log"):
            seconds[0].append(timed(lambda mailbox=mailbox: _delete(customer, mailbox)))
        seconds[1].append(timed(lambda names=names: [os.unlink(name) for name in names]))  # noqa: PTH108
        shutil.rmtree(copy)
    return Result(
        f"deletion of {MESSAGES:,}, one worker",
        "messages/s",
        MESSAGES / median(seconds[0]),
        MESSAGES / median(seconds[1]),
        "unlinking the same files",
    )


def _delete(customer: Customer, mailbox: Mailbox) -> None:
    done(customer, services.start_deletion(customer, mailbox, by=SYSTEM).pk)


def done(customer: Customer, job_id: UUID) -> None:
    """Wait until the job is done. Raises RuntimeError when it ends otherwise."""
    deadline = time.monotonic() + DEADLINE
    while (job := services.job_for(SYSTEM, customer, job_id)).state in Job.WORKABLE:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the job is not done after {DEADLINE:.0f} s")
        time.sleep(POLL_SECONDS)
    if job.state != Job.State.DONE:
        raise RuntimeError(f"the job is {job.state}: {job.error}")


@contextlib.contextmanager
def workers(number: int, log: Path) -> Iterator[None]:
    """So many worker processes, ready to work."""
    command = [sys.executable, "manage.py", "worker", "--processes", str(number)]
    with log.open("ab") as output:
        before = log.stat().st_size
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 60
            while b"ready" not in log.read_bytes()[before:]:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the worker did not start:\n{log.read_text()}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(60)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
