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
OF_SETTINGS = ("way-to-database", "way-to-redis")  # which no service has to answer
NO_KEYS = "gatehouse.E021"
KEYS = ("GATEHOUSE_S3_ACCESS_KEY_ID", "GATEHOUSE_S3_SECRET_ACCESS_KEY")


class Refused(Exception):
    """With these answers nothing would start: `wrong` is all that is, a line each."""

    def __init__(self, *wrong: str) -> None:
        super().__init__("\n".join(wrong))
        self.wrong = wrong


class Terminal(Protocol):
    """Somebody who answers."""

    def say(self, text: str) -> None: ...
    def tell(self, finding: Finding) -> None: ...
    def agrees(self, question: str, *, usually: bool = False) -> bool: ...
    def typed(self, prompt: str) -> str: ...
    def typed_unseen(self, prompt: str) -> str: ...


class Conversation:
    """`values` is what will stand in the file."""

    def __init__(self, way: Way, known: Mapping[str, str], addresses: Sequence[str], trials: Trials) -> None:
        self.way, self.values = way, dict(known)
        self._there = dict(known)
        self._addresses, self._trials = addresses, trials
        self.fresh: set[str] = set()  # questions with a password that is new today

    def take_as_they_are(self) -> None:
        """Raises Refused for what is missing, and what can't be right by itself, and NotTried."""
        wrong: list[str] = []
        missing: list[str] = []
        refused: list[Question] = []
        for question in questions.asked(self.way):
            if not question.when(self.values) or self.values.get(f"{question.name}_FILE"):
                continue
            typed = self.values.get(question.name) or question.default(self.values)
            try:
                if question.kept_as is None:
                    typed = question.understood(typed, self.values) if typed else ""
                    if why := file.why_not(typed):
                        raise ValueError(why)
            except ValueError as error:
                refused.append(question)
                wrong.append(f"{question.name}: {error}")
                continue
            self._take(question, typed)
            if question.is_needed and not typed:
                missing.append(question.name)
        if missing:
            wrong.append(f"There is no answer for {', '.join(missing)}: give it by --answers FILE.")
        if named := self._named_files():
            wrong.append(named)
        else:
            impossible = self._tried([], without=refused).impossible
            wrong += [_line(finding) for finding in impossible if not missing or finding.id != NO_KEYS]
        if wrong:
            raise Refused(*dict.fromkeys(wrong))

    def ask(self, terminal: Terminal) -> None:
        """Raises Refused for what is wrong in the file and not asked for."""
        if named := self._named_files():
            raise Refused(named)
        _refuse(self._tried([], without=questions.asked(self.way)))
        for question in questions.asked(self.way):
            if question.when(self.values) and not self.values.get(f"{question.name}_FILE"):
                self._ask(question, terminal)

    def conclusion(self) -> tuple[list[Finding], list[dict[str, Any]]]:
        """All of it, once more where it was asked for, but for what no service can know yet. Raises Refused for settings with which
        nothing would start, and NotTried.
        """
        parts = ["names", "mail-out"]
        if self.way == Way.UNITS:
            parts += OF_SETTINGS
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

    def _named_files(self) -> str:
        """What is to be done about files that no container would have; empty if none is named."""
        if not (named := questions.in_files(self.way, self.values)):
            return ""
        return (
            f"{', '.join(named)}: Compose hands no file of this machine on to the containers. Give the values themselves, as "
            f"{', '.join(name.removesuffix('_FILE') for name in named)}: what setup writes is for its owner alone."
        )

    def _ask(self, question: Question, terminal: Terminal) -> None:
        terminal.say(f"\n{question.why}")
        while not self._is_answered(question, terminal):
            pass

    def _is_answered(self, question: Question, terminal: Terminal) -> bool:
        before = dict(self.values)
        self.fresh.discard(question.name)  # of an answer that was refused
        try:
            found = self._answered(question, terminal)
        except (ValueError, NotTried) as error:
            terminal.say(f"  {error}")
            found = None
        if found is None or not self._is_kept(question, found, terminal):
            self.values = before
            return False
        if question.name == "GATEHOUSE_SMTP_URL" and self.values.get(question.name) and not _wrong(found):
            self._send(terminal)
        return True

    def _answered(self, question: Question, terminal: Terminal) -> list[Finding] | None:
        """What is found of the answer that somebody types, and which is taken; None if it can't be. Raises ValueError, NotTried."""
        now = self._offered(question)
        typed = self._typed(question, now, terminal)
        if typed and questions.wants_password(question, typed):
            # Nobody types the password of what is no such URL.
            if (
                self._found(
                    question, (), terminal, self.values | {question.name: questions.without_password(typed)}
                )
                is None
            ):
                return None
            typed = self._with_password(question, typed, now, terminal)
        self._take(question, typed)
        is_new = question.name in self.fresh  # so its service does not know it yet
        parts = [part for part in question.tries if not is_new or part in OF_SETTINGS]
        return self._found(question, parts, terminal, self.values)

    def _found(
        self, question: Question, parts: Sequence[str], terminal: Terminal, values: Mapping[str, str]
    ) -> list[Finding] | None:
        """What these parts find, which is told; None if the answer can't be. Raises NotTried."""
        outcome = self._tried(parts, without=self._after(question), of=values)
        impossible = [finding for finding in outcome.impossible if not self._asks_on(question, finding)]
        for finding in [*impossible, *outcome.findings]:
            terminal.tell(finding)
        return None if impossible else outcome.findings

    def _is_kept(self, question: Question, found: Sequence[Finding], terminal: Terminal) -> bool:
        """What was there already usually is: else nobody would get past a service that is not there yet."""
        if not _wrong(found):
            return True
        was_there = self.values.get(question.name) == self._there.get(question.name)
        if was_there and question.name in NOT_YET:
            terminal.say(
                f"    -> Or give it its password first, if it has none yet: {NOT_YET[question.name]}."
            )
        return terminal.agrees("Keep it all the same?", usually=was_there)

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
        return finding.id == NO_KEYS and any(each.name in KEYS for each in self._after(question))

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
        return text

    def _with_password(self, question: Question, url: str, now: str, terminal: Terminal) -> str:
        had = questions.password_of(now) or self.values.get(question.kept_as or "", "")
        offered = "the one that is there" if had else "a new one" if question.kept_as else "none"
        password = terminal.typed_unseen(f"Its password, which is not shown [{offered}]: ") or had
        return questions.with_password(questions.without_password(url), password)

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

    def _tried(
        self,
        parts: Sequence[str],
        *,
        without: Sequence[Question] = (),
        mail_to: str = "",
        of: Mapping[str, str] | None = None,
    ) -> Outcome:
        """With what the processes get of it, but for what is asked later: who has slipped there mends it there."""
        values = dict(self.values if of is None else of)
        if self.way == Way.COMPOSE:
            values |= {name: url.format_map(values) for name, url in questions.IN_COMPOSE.items()}
            parts = [part for part in parts if part not in OF_THIS_MACHINE]
        for question in without:
            values.pop(question.name, None)
        return self._trials.tried(values, parts, addresses=self._addresses, mail_to=mail_to)


def _wrong(findings: Sequence[Finding]) -> bool:
    """Whether any is not as it must be. DNS is others' to mend, and takes its time."""
    return any(finding.level == Level.ERROR for finding in findings if not finding.id.startswith("dns."))


def _line(finding: Finding) -> str:
    return " ".join((finding.seen, finding.advice))


def _refuse(outcome: Outcome) -> None:
    if outcome.impossible:
        raise Refused(*map(_line, outcome.impossible))
