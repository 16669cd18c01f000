"""The answers so far, in the order of the questions: what can't be is asked again, or refused."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from portal.doctor.findings import Finding, Level

from . import file, questions
from .questions import Question, Way
from .trial import NotTried, Outcome, Trials

# Services whose passwords are new: they are given them by the commands that follow.
NOT_YET = {"DATABASE_URL": "docker/postgres/roles.sql", "REDIS_URL": "`requirepass` in its configuration"}
OF_THIS_MACHINE = ("folder", "ports")  # which containers do not see
KEYS = ("GATEHOUSE_S3_ACCESS_KEY_ID", "GATEHOUSE_S3_SECRET_ACCESS_KEY")


class Refused(Exception):
    """With these answers nothing would start."""


class Terminal(Protocol):
    """Somebody who answers."""

    def say(self, text: str) -> None: ...
    def tell(self, finding: Finding) -> None: ...
    def agrees(self, question: str) -> bool: ...
    def typed(self, prompt: str) -> str: ...
    def typed_unseen(self, prompt: str) -> str: ...


class Conversation:
    """`values` is what will stand in the file."""

    def __init__(self, way: Way, known: Mapping[str, str], addresses: Sequence[str], trials: Trials) -> None:
        self.way, self.values = way, dict(known)
        self._addresses, self._trials = addresses, trials
        self.fresh: set[str] = set()  # questions with a password that is new today

    def take_as_they_are(self) -> None:
        """Raises Refused for what is missing, and what can't be right by itself."""
        self._refuse_files()
        for name, value in self.values.items():
            if why := file.why_not(value):
                raise Refused(f"{name}: {why}")
        missing: list[str] = []
        for question in questions.asked(self.way):
            if not question.when(self.values) or self.values.get(f"{question.name}_FILE"):
                continue
            # Defaults are made of the answers before.
            typed = self.values.get(question.name) or ("" if missing else question.default(self.values))
            try:
                if question.kept_as is None:
                    typed = question.understood(typed, self.values) if typed else ""
            except ValueError as error:
                raise Refused(f"{question.name}: {error}") from error
            if why := file.why_not(typed):
                raise Refused(f"{question.name}: {why}")
            self._take(question, typed)
            if question.is_needed and not typed:
                missing.append(question.name)
        if missing:
            raise Refused(f"There is no answer for {', '.join(missing)}: give it by --answers FILE.")

    def ask(self, terminal: Terminal) -> None:
        """Raises Refused for what is wrong in the file and not asked for."""
        self._refuse_files()
        _refuse(self._tried([], without=questions.asked(self.way)))
        for question in questions.asked(self.way):
            if question.when(self.values) and not self.values.get(f"{question.name}_FILE"):
                self._ask(question, terminal)

    def conclusion(self) -> tuple[list[Finding], list[dict[str, Any]]]:
        """All of it, once more where it was asked for, but for what can't be so yet. Raises Refused for settings with which
        nothing would start, and NotTried.
        """
        parts = ["names", "mail-out"]
        if self.way == Way.UNITS:
            waiting = {"DATABASE_URL": "database", "REDIS_URL": "redis"}
            parts += [part for name, part in waiting.items() if name not in self.fresh]
            parts += ["folder", "ports"]
        if questions.is_bucket(self.values):
            parts.append("store")
        outcome = self._tried(parts)
        _refuse(outcome)
        findings = outcome.findings
        if not self.values.get("GATEHOUSE_ALARMS_TO"):
            findings.append(
                Finding(
                    "alarms",
                    Level.WARNING,
                    "Nobody is mailed when a night's backup fails.",
                    "Set GATEHOUSE_ALARMS_TO, and GATEHOUSE_SMTP_URL by which the mail goes.",
                )
            )
        findings += [
            Finding("later", Level.ADVICE, f"{name} has a new password.", f"Give it to the service: {how}.")
            for name, how in NOT_YET.items()
            if name in self.fresh
        ]
        return findings, outcome.records

    def _refuse_files(self) -> None:
        if named := questions.in_files(self.way, self.values):
            raise Refused(
                f"{', '.join(named)}: Compose hands no file of this machine on to the containers. Give the values themselves, as "
                f"{', '.join(name.removesuffix('_FILE') for name in named)}: what setup writes is for its owner alone."
            )

    def _ask(self, question: Question, terminal: Terminal) -> None:
        terminal.say(f"\n{question.why}")
        while not self._is_answered(question, terminal):
            pass

    def _is_answered(self, question: Question, terminal: Terminal) -> bool:
        now = self._offered(question)
        before = dict(self.values)
        self.fresh.discard(question.name)  # of an answer that was refused
        try:
            typed = self._typed(question, now, terminal)
        except ValueError as error:
            terminal.say(f"  {error}")
            return False
        self._take(question, typed)
        try:
            outcome = self._tried(question.tries, without=self._after(question))
        except NotTried as error:
            terminal.say(f"  {error}")
            self.values = before
            return False
        impossible = [finding for finding in outcome.impossible if not self._asks_on(question, finding)]
        findings = [] if question.name in self.fresh else outcome.findings
        for finding in [*impossible, *findings]:
            terminal.tell(finding)
        if impossible:
            self.values = before
            return False
        if any(finding.level == Level.ERROR for finding in findings if not finding.id.startswith("dns.")):
            if not terminal.agrees("Keep it all the same?"):
                self.values = before
                return False
        elif question.name == "GATEHOUSE_SMTP_URL" and typed:
            self._send(terminal)
        return True

    def _offered(self, question: Question) -> str:
        """What is there, or the default; nothing that would be refused."""
        now = self.values.get(question.name) or question.default(self.values)
        if not now or question.kept_as is not None:
            return now
        try:
            return question.understood(now, self.values)
        except ValueError:
            return ""

    def _after(self, question: Question) -> list[Question]:
        asked = questions.asked(self.way)
        return asked[asked.index(question) + 1 :]

    def _asks_on(self, question: Question, finding: Finding) -> bool:
        """That a bucket wants keys is for the questions that follow."""
        return finding.id == "gatehouse.E021" and any(each.name in KEYS for each in self._after(question))

    def _typed(self, question: Question, now: str, terminal: Terminal) -> str:
        """Raises ValueError with what would do."""
        prompt = f"{question.asks} [{questions.shown(question, now)}]: "
        text = terminal.typed_unseen(prompt) if question.is_secret else terminal.typed(prompt)
        if text == "-":
            text = ""
        elif not text:
            text = now
        if why := file.why_not(text):
            raise ValueError(why)
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

    def _send(self, terminal: Terminal) -> None:
        to = terminal.typed("Send a mail there to try it; to whom? []: ")
        if not to:
            return
        try:
            validate_email(to)
        except ValidationError:
            terminal.say(f"  {to!r} is no email address; none was sent.")
            return
        try:
            outcome = self._tried(
                ["mail-out"], mail_to=to, without=self._after(questions.named("GATEHOUSE_SMTP_URL"))
            )
        except NotTried as error:
            terminal.say(f"  {error}")
            return
        for finding in outcome.findings:
            terminal.tell(finding)

    def _tried(self, parts: Sequence[str], *, without: Sequence[Question] = (), mail_to: str = "") -> Outcome:
        """With what the processes get of it, but for what is asked later: who has slipped there mends it there."""
        values = dict(self.values)
        if self.way == Way.COMPOSE:
            values |= {name: url.format_map(values) for name, url in questions.IN_COMPOSE.items()}
            parts = [part for part in parts if part not in OF_THIS_MACHINE]
        for question in without:
            values.pop(question.name, None)
        return self._trials.tried(values, parts, addresses=self._addresses, mail_to=mail_to)


def _refuse(outcome: Outcome) -> None:
    if outcome.impossible:
        raise Refused(" ".join((outcome.impossible[0].seen, outcome.impossible[0].advice)))
