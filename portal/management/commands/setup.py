"""`manage.py setup`"""

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email

from portal.doctor.findings import Finding, Level
from portal.management.commands.doctor import address_of
from portal.setup import file, questions, trial
from portal.setup.questions import Question, Way
from tenants.management.output import ScriptableCommand, counted

NOTES = {Level.OK: "ok", Level.ADVICE: "note", Level.WARNING: "note", Level.ERROR: "not right"}
# Services whose passwords this has only just made: they are given them by the next commands.
NOT_YET = {"DATABASE_URL": "docker/postgres/roles.sql", "REDIS_URL": "`requirepass` in its configuration"}
NEXT = {
    Way.UNITS: "the database and Redis, `upgrade`, the units and Caddy (docs/deployment.md, With systemd)",
    Way.COMPOSE: "`docker compose --file docker/compose.yaml up --detach` (docs/deployment.md, With Compose)",
}


class Command(ScriptableCommand):
    help = (
        "Ask for what an installation needs to know, try each answer, and write its settings and new secrets to a file: "
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
        if not options["no_input"] and not sys.stdin.isatty():
            raise CommandError("This asks at a terminal. Without one give --no-input, and --answers FILE.")
        target, before = options["file"], _text_of(options["file"])
        known = _values_of(target, before) | _answers_of(options["answers"])
        setup = _Setup(way, known, options["address"])
        setup.values |= questions.made(way, setup.values, own_bucket=options["own_bucket"])
        try:
            if options["no_input"]:
                setup.take_as_they_are()
            else:
                self.stdout.write(
                    "Return takes what stands in brackets, - empties it, Ctrl-C ends this and nothing is written."
                )
                setup.ask(self)
            self._write(target, before, setup, options)
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Ended. Nothing was written.") from None

    def _write(self, target: Path, before: str, setup: "_Setup", options: Mapping[str, Any]) -> None:
        asks = not options["no_input"]
        there = _values_of(target, before) if before else {}
        changed = sorted(name for name, value in setup.values.items() if there.get(name) != value)
        if options["no_input"] and before and changed and not options["overwrite"]:
            raise CommandError(
                f"{target} is there, and would get another {', '.join(changed)}. Say --overwrite if that is meant."
            )
        findings, records = setup.conclusion()
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
            self._conclude(target, bool(changed), findings, records, setup.way)
        if errors and not changed:
            raise CommandError(f"{counted(len(errors), 'error')}.")

    def _conclude(
        self,
        target: Path,
        was_changed: bool,
        findings: Sequence[Finding],
        records: Sequence[Mapping[str, Any]],
        way: Way,
    ) -> None:
        for finding in findings:
            self.tell(finding)
        self.stdout.write("\nDNS records wanted, as lines of a zone file:")
        for record in records:
            self.stdout.write(record["line"] + ("  ; is there" if record["is_there"] else ""))
        if was_changed:
            self.stdout.write(
                f"\n{target} is written, for its owner alone. Keep a copy elsewhere: without it a backup is worth little."
            )
        else:
            self.stdout.write(f"\n{target} is as it was.")
        self.stdout.write(
            f"Next: {NEXT[way]}; then `create_user` for yourself, `create_provider`, `create_customer`. Identity providers "
            "are set up in the portal, under Team. `doctor` says what is wrong at any time."
        )

    def tell(self, finding: Finding) -> None:
        self.stdout.write(f"  {NOTES[finding.level]}: {finding.seen}")
        if finding.advice and finding.level > Level.OK:
            self.stdout.write(f"    -> {finding.advice}")

    def agrees(self, question: str) -> bool:
        return self.typed(f"{question} [no] ").lower() in ("y", "yes")

    def typed(self, prompt: str) -> str:
        self.stdout.write(prompt, ending="")
        self.stdout.flush()
        return input().strip()

    def typed_unseen(self, prompt: str) -> str:
        return getpass.getpass(prompt).strip()


class _Setup:
    """The answers so far, in the order of the questions."""

    def __init__(self, way: Way, known: Mapping[str, str], addresses: Sequence[str]) -> None:
        self.way, self.addresses = way, addresses
        self.values = dict(known)
        self.fresh: set[str] = set()  # questions with a password that is new today

    def take_as_they_are(self) -> None:
        """Raises CommandError for what is missing, and what can't be right by itself."""
        missing = []
        for question in questions.asked(self.way):
            if not question.when(self.values) or self.values.get(f"{question.name}_FILE"):
                continue
            typed = self.values.get(question.name) or question.default(self.values)
            try:
                if question.kept_as is None:
                    typed = question.understood(typed, self.values) if typed else ""
            except ValueError as error:
                raise CommandError(f"{question.name}: {error}") from error
            self._take(question, typed)
            if question.is_needed and not typed:
                missing.append(question.name)
        if missing:
            raise CommandError(f"There is no answer for {', '.join(missing)}: give it by --answers FILE.")

    def ask(self, terminal: Command) -> None:
        for question in questions.asked(self.way):
            if question.when(self.values) and not self.values.get(f"{question.name}_FILE"):
                self._ask(question, terminal)

    def conclusion(self) -> tuple[list[Finding], list[dict[str, Any]]]:
        """All of it, once more where it was asked for, but for what can't be so yet. Raises CommandError for settings with
        which nothing would start.
        """
        parts = ["settings", "names", "mail-out"]
        if self.way == Way.UNITS:
            waiting = {"DATABASE_URL": "database", "REDIS_URL": "redis"}
            parts += [part for name, part in waiting.items() if name not in self.fresh]
            parts += ["folder", "ports"]
        if questions.is_bucket(self.values):
            parts.append("store")
        findings, records = trial.tried(self._environment(), parts, addresses=self.addresses)
        if impossible := [finding for finding in findings if _is_of_settings(finding)]:
            raise CommandError(f"{impossible[0].seen} {impossible[0].advice}")
        findings += [
            Finding("later", Level.ADVICE, f"{name} has a new password.", f"Give it to the service: {how}.")
            for name, how in NOT_YET.items()
            if name in self.fresh
        ]
        return findings, records

    def _ask(self, question: Question, terminal: Command) -> None:
        terminal.stdout.write(f"\n{question.why}")
        while True:
            now = self.values.get(question.name) or question.default(self.values)
            before = dict(self.values)
            try:
                typed = self._typed(question, now, terminal)
            except ValueError as error:
                terminal.stdout.write(f"  {error}")
                continue
            self._take(question, typed)
            findings, _ = trial.tried(self._environment(), question.tries, addresses=self.addresses)
            impossible = [finding for finding in findings if _is_of_settings(finding, question)]
            if question.name in self.fresh and not impossible:
                findings = []
            for finding in findings:
                terminal.tell(finding)
            if impossible:
                self.values = before
                continue
            if any(finding.level == Level.ERROR for finding in findings if not finding.id.startswith("dns.")):
                if not terminal.agrees("Keep it all the same?"):
                    self.values = before
                    continue
            elif question.name == "GATEHOUSE_SMTP_URL" and typed:
                self._send(terminal)
            return

    def _typed(self, question: Question, now: str, terminal: Command) -> str:
        """Raises ValueError with what would do."""
        prompt = f"{question.asks} [{questions.shown(question, now)}]: "
        text = terminal.typed_unseen(prompt) if question.is_secret else terminal.typed(prompt)
        if text == "-":
            text = ""
        elif not text:
            text = now
        if not file.may_stand(text):
            raise ValueError("No ' can stand in the file.")
        if text and text != now:
            text = question.understood(text, self.values)
        if question.is_needed and not text:
            raise ValueError("This is needed.")
        if text and questions.wants_password(question, text):
            had = questions.password_of(now) or self.values.get(question.kept_as or "", "")
            offered = "the one that is there" if had else "a new one" if question.kept_as else "none"
            password = terminal.typed_unseen(f"Its password, which is not shown [{offered}]: ") or had
            text = questions.with_password(questions.without_password(text), password)
        return text

    def _take(self, question: Question, value: str) -> None:
        if value and question.kept_as and questions.wants_password(question, value):
            password = questions.password_of(value) or self.values.get(question.kept_as, "")
            if not password:
                password = questions.new_password()
                self.fresh.add(question.name)
            value = questions.with_password(questions.without_password(value), password)
            self.values[question.kept_as] = password
        if value or question.name in self.values:
            self.values[question.name] = value

    def _send(self, terminal: Command) -> None:
        to = terminal.typed("Send a mail there to try it; to whom? []: ")
        if not to:
            return
        try:
            validate_email(to)
        except ValidationError:
            terminal.stdout.write(f"  {to!r} is no email address; none was sent.")
            return
        for finding in trial.tried(self._environment(), ["mail-out"], mail_to=to)[0]:
            terminal.tell(finding)

    def _environment(self) -> dict[str, str]:
        """What the processes get of it."""
        if self.way != Way.COMPOSE:
            return self.values
        return self.values | {name: url.format_map(self.values) for name, url in questions.IN_COMPOSE.items()}


def _is_of_settings(finding: Finding, question: Question | None = None) -> bool:
    """Whether it can't be right whatever services say. That a bucket wants keys is for the questions that follow."""
    asks_on = (
        finding.id == "gatehouse.E021" and question and question.name != "GATEHOUSE_S3_SECRET_ACCESS_KEY"
    )
    services = (
        "gatehouse.E015",
        "gatehouse.E016",
        "gatehouse.E022",
        "gatehouse.E023",
        "gatehouse.E025",
        "gatehouse.E026",
        "gatehouse.E031",
    )
    return (
        finding.level == Level.ERROR
        and finding.id.startswith("gatehouse.E")
        and finding.id not in services
        and not asks_on
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CommandError(f"{path} can't be read: {why}.") from error


def _values_of(path: Path, text: str) -> dict[str, str]:
    try:
        return file.read(text)
    except ValueError as error:
        raise CommandError(f"{path}: {error}.") from error


def _answers_of(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return _values_of(path, sys.stdin.read() if str(path) == "-" else path.read_text())
