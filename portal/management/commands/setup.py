"""`manage.py setup`"""

import errno
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.doctor import variables
from portal.doctor.findings import Finding, Level
from portal.management.commands.doctor import address_of
from portal.setup import file, questions
from portal.setup.conversation import Conversation, Refused
from portal.setup.questions import Way
from portal.setup.trial import NotTried, Trials
from tenants.management.output import ScriptableCommand, counted, harmless

NOTES = {Level.OK: "ok", Level.ADVICE: "note", Level.WARNING: "note", Level.ERROR: "not right"}
NEXT = {
    Way.UNITS: "the database and Redis, `upgrade`, the units and Caddy (docs/deployment.md, With systemd)",
    Way.COMPOSE: "`docker compose --file docker/compose.yaml up --detach` (docs/deployment.md, With Compose)",
}
UNREAD = {
    Way.UNITS: "docker/compose.yaml alone, and by no unit",
    Way.COMPOSE: "no container: docker/compose.yaml hands it on to none",
}
# What is said of a file that the other way wrote: whose it is, and what would do.
OTHER_WAY = {
    Way.UNITS: "{file} has the settings of systemd's units, and Compose would read little of them. For the units leave out "
    "--compose: manage.py setup {file}. For Compose give it a file of its own: manage.py setup --compose docker/.env.",
    Way.COMPOSE: "{file} has the settings of docker/compose.yaml, and systemd's units would find no database in them. For "
    "Compose say so: manage.py setup --compose {file}. For the units give them a file of their own: "
    "manage.py setup /etc/gatehouse/environment.",
}


class Command(ScriptableCommand):
    help = (
        "Ask for an installation's settings, try each, and write them to a file: with new secrets, "
        "/etc/gatehouse/environment for systemd's units, docker/.env for Compose. What the file has already are the "
        "defaults, so it may be run again; with --no-input it tries what is there."
    )
    requires_system_checks = ()  # what they ask for is only about to be made

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="the environment file, which need not be there yet")
        parser.add_argument(
            "--compose", action="store_true", help="for docker/compose.yaml, which has services of its own"
        )
        parser.add_argument(
            "--own-bucket",
            action="store_true",
            help="with --compose: messages lie in a bucket of the compose file's own S3-compatible store",
        )
        parser.add_argument(
            "--answers",
            type=Path,
            metavar="FILE",
            help="answers, as NAME=value a line; `-` reads them from standard input",
        )
        parser.add_argument(
            "--no-input", action="store_true", help="ask nothing: answers, what is there, and defaults"
        )
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="with --no-input: change a file that is there, which is refused otherwise",
        )
        parser.add_argument(
            "--address",
            action="append",
            type=address_of,
            default=[],
            metavar="IP",
            help="a public address of this installation, to which DNS should lead; more than once for more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        way = Way.COMPOSE if options["compose"] else Way.UNITS
        if options["own_bucket"] and way != Way.COMPOSE:
            raise CommandError("The units have no bucket of their own: answer with one of yours.")
        if not options["no_input"] and not (sys.stdin and sys.stdin.isatty()):
            raise CommandError("This asks at a terminal. Without one give --no-input, and --answers FILE.")
        # What a link leads to is what processes read; by realpath, for of links in a circle resolve() makes a RuntimeError.
        target = Path(os.path.realpath(options["file"]))
        before = _text_of(target)
        there, answers = _values_of(target, before), _answers_of(options["answers"])
        if (written := questions.written_for(there)) not in (None, way):
            raise CommandError(OTHER_WAY[written].format(file=target))
        misspelt = self._misspelt(there, answers, options)
        known = there | answers
        known |= questions.made(way, known, own_bucket=options["own_bucket"])
        try:
            with Trials() as trials:
                conversation = Conversation(way, known, options["address"], trials)
                if options["no_input"]:
                    _take(conversation, misspelt)
                else:
                    self.stdout.write(
                        "Return takes what stands in brackets, - empties it, Ctrl-C ends this and nothing is written."
                    )
                    conversation.ask(self)
                self._write(target, before, conversation, options)
        except (Refused, NotTried) as error:
            raise CommandError(_lines(error)) from error
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Ended. Nothing was written.") from None

    def _misspelt(
        self, there: Mapping[str, str], answers: Mapping[str, str], options: Mapping[str, Any]
    ) -> list[str]:
        """Of a name that nothing reads a default would serve, in silence: told, or with --no-input for the caller to refuse.
        Raises CommandError for answers' where somebody is there to read it.
        """
        places = {str(options["answers"]): answers, str(options["file"]): there}
        said = [
            f"{place}: {variables.said(name, nearest)} Correct the name, or take the line out."
            for place, values in places.items()
            for name, nearest in variables.unknown(values).items()
        ]
        if options["no_input"]:
            return said
        if variables.unknown(answers):
            raise CommandError(_lines(Refused(*said)))
        for line in said:
            self.stdout.write(f"  {NOTES[Level.WARNING]}: {line}")
        return []

    def _write(self, target: Path, before: str, setup: Conversation, options: Mapping[str, Any]) -> None:
        asks = not options["no_input"]
        there = _values_of(target, before) if before else {}
        changed = sorted(name for name, value in setup.values.items() if there.get(name) != value)
        if options["no_input"] and before and changed and not options["overwrite"]:
            raise CommandError(
                f"{target} is there, and would get another {', '.join(changed)}. Say --overwrite if that is meant."
            )
        findings, records = setup.conclusion()
        findings += [
            Finding("variables", Level.WARNING, f"{name} is read by {UNREAD[setup.way]}.", "Take it out.")
            for name in variables.unread(setup.values, by_compose=setup.way == Way.COMPOSE)
        ]
        if before and not changed and target.stat().st_mode & 0o077:
            findings.append(
                Finding(
                    "file", Level.ERROR, f"{target} is open to others than its owner.", f"chmod 600 {target}"
                )
            )
        if changed and asks:
            self.stdout.write(f"\n{target} gets {', '.join(changed)}.")
            if before and not self.agrees("Change it?"):
                raise CommandError("Nothing was written.")
        if _text_of(target) != before:
            raise CommandError(
                f"{target} was changed by somebody else meanwhile. Nothing was written; begin anew."
            )
        if changed:
            try:
                file.write(target, file.written(before, setup.values))
            except OSError as error:
                raise CommandError(f"{target} can't be written: {error.strerror}.") from error
        errors = [finding for finding in findings if finding.level == Level.ERROR]
        if options["json"]:
            facts = {
                "file": str(target),
                "changed": changed,
                "ok": not errors,
                "findings": [
                    {
                        "id": each.id,
                        "level": each.level.name.lower(),
                        "seen": each.seen,
                        "advice": each.advice,
                    }
                    for each in findings
                ],
                "records": records,
            }
            self.stdout.write(json.dumps(facts))
        else:
            self._conclude(target, bool(before), bool(changed), findings, records, setup.way)
        if errors and not changed:
            raise CommandError(f"{counted(len(errors), 'error')}.")

    def _conclude(
        self,
        target: Path,
        was_there: bool,
        was_changed: bool,
        findings: Sequence[Finding],
        records: Sequence[Mapping[str, Any]],
        way: Way,
    ) -> None:
        for finding in findings:
            self.tell(finding)
        self.stdout.write("\nDNS records wanted, as lines of a zone file:")
        for record in records:
            self.stdout.write(harmless(record["line"]) + ("  ; is there" if record["is_there"] else ""))
        if was_changed:
            self.stdout.write(
                f"\n{target} is written, for its owner alone. Backups have its secrets, sealed to their recovery key, "
                "without which they are worth nothing; until there is one, keep a copy elsewhere."
            )
        else:
            self.stdout.write(f"\n{target} is as it was.")
        if was_there:  # as in a restore, in which upgrading and making people comes first nowhere
            return
        self.stdout.write(
            f"Next: {NEXT[way]}; then `create_user` for yourself, `create_provider`, `create_customer`; then backups, "
            "which begin with `new_recovery_key` (docs/operations.md). Identity providers are set up in the portal, under Team. `doctor` says what is wrong at any time."
        )

    def say(self, text: str) -> None:
        self.stdout.write(text)

    def tell(self, finding: Finding) -> None:
        self.stdout.write(f"  {NOTES[finding.level]}: {harmless(finding.seen)}")
        if finding.advice and finding.level > Level.OK:
            self.stdout.write(f"    -> {harmless(finding.advice)}")

    def agrees(self, question: str, *, usually: bool = False) -> bool:
        typed = self.typed(f"{question} [{'yes' if usually else 'no'}] ").lower()
        return typed in ("y", "yes") or (usually and not typed)

    def typed(self, prompt: str) -> str:
        return self._text(self._shown, prompt)

    def typed_unseen(self, prompt: str) -> str:
        return self._text(getpass.getpass, prompt)

    def _shown(self, prompt: str) -> str:
        self.stdout.write(prompt, ending="")
        self.stdout.flush()
        return input()

    def _text(self, read: Callable[[str], str], prompt: str) -> str:
        """Asked again for what is no text, whatever the question: nobody has answered it yet."""
        while True:
            try:
                typed = read(prompt).strip()
                typed.encode()  # where the locale is C.UTF-8 odd octets come as surrogates
            except UnicodeError:
                self.stdout.write(
                    "\n  That is no text in UTF-8: set the terminal to it, or type other letters."
                )
            else:
                return typed


def _take(conversation: Conversation, misspelt: Sequence[str]) -> None:
    """Raises Refused for all that is wrong at once, and NotTried."""
    try:
        conversation.take_as_they_are()
    except Refused as error:
        raise Refused(*misspelt, *error.wrong) from error
    if misspelt:
        raise Refused(*misspelt)


def _lines(error: Refused | NotTried) -> str:
    """One in a line, and several below each other."""
    if not isinstance(error, Refused) or len(error.wrong) < 2:
        return f"{error} Nothing was written."
    return "\n".join(
        (
            f"{len(error.wrong)} things are wrong. Nothing was written.",
            *(f"- {line}" for line in error.wrong),
        )
    )


def _text_of(path: Path) -> str:
    try:
        return _read(path)
    except FileNotFoundError:
        return ""


def _read(path: Path, octets: Callable[[], bytes] | None = None) -> str:
    """Raises FileNotFoundError."""
    try:
        return (octets or path.read_bytes)().decode()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise CommandError(f"{path} can't be read: {why}.") from error


def _values_of(path: Path, text: str, read: Callable[[str], dict[str, str]] = file.read) -> dict[str, str]:
    try:
        return read(text)
    except ValueError as error:
        raise CommandError(f"{path}: {error}.") from error


def _answers_of(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        text = _read(path, _standard_input) if str(path) == "-" else _read(path)
    except FileNotFoundError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error
    return _values_of(path, text, file.answers)


def _standard_input() -> bytes:
    """As octets, of which the locale makes nothing else. Raises OSError."""
    if sys.stdin is None:  # as of `<&-`
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()
