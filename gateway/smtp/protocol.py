"""The SMTP dialogue. What it accepts is decided by the ingress; what it keeps is kept by `mailboxes.services`.

aiosmtpd's own dialogue is replaced, because left alone it cuts real mail (lines over 1001 octets), holds messages in
memory, repeats what a client sent, answers without enhanced status and turns our faults into bounces (500).
docs/gateway.md has the table of replies.
"""

import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiosmtpd.smtp import TLSSetupException

from ..errors import BareLineFeed, ConnectionEnded, EndlessLine, LineTooLong
from ..lines import READ_OCTETS, LineReader
from ..peers import tls_version
from . import grammar, replies
from .connection import Connection
from .data import DotDecoder
from .replies import Refused, Reply
from .text import Text
from .trace import Arrival

log = logging.getLogger("gateway.smtp")

SILENT_SECONDS = 30  # from then on nobody is thought to be in the middle of a message
TINY_OCTETS = 1024  # a chunk of less is no way to send mail, unless it is the last one

Verb = Callable[[str], Awaitable[Reply | None]]


class Limits(NamedTuple):
    """How much one connection may ask of us."""

    recipients: int = 100  # RFC 5321 4.5.3.1.8: at least 100
    errors: int = 10  # a real client makes none
    unknown: int = 20  # unknown recipients: enough for a stale list, too few to search addresses
    commands: int = 100  # that lead to no message; a message needs four, a refused one three
    asked: int = 1000  # RCPT commands, and chunks of refused texts, that lead to no message


class Protocol(Connection):
    """The dialogue. `ingress` is asked for recipients and takes the text (see `ingress.py`)."""

    def __init__(self, ingress: Any, *, max_octets: int, limits: Limits, **connection: Any) -> None:
        super().__init__(**connection)
        self.ingress = ingress
        self.max_octets = max_octets
        self.limits = limits
        self._errors = 0
        self._unknown = 0
        self._commands = 0
        self._fruitless = 0  # commands and, apart from them, recipients since the last message that was kept
        self._asked = 0
        self._mail_due = self.loop.time() + self.times.without_mail
        self._sender: grammar.Sender | None = None
        self._recipients: list[Any] = []
        self._text: Text | None = None  # under way, by DATA or from the first BDAT of a message to its last
        self._lines: LineReader | None = None
        self._silent_since: float | None = None  # while it is the sender's turn
        # Only these are commands: the library's own smtp_* methods (AUTH among them) are out of reach.
        self._verbs: dict[str, Verb] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "NOOP": self._noop,
            "VRFY": self._vrfy,
            "HELP": self._help,
            "QUIT": self._quit,
            "EXPN": self._not_implemented,
            "AUTH": self._not_implemented,
            "ETRN": self._not_implemented,
            "TURN": self._not_implemented,
        }

    @property
    def at_work(self) -> bool:
        """From the first recipient that we took to the reply to the text, while something is heard: who has only said
        MAIL has claimed to be, and a thousand who do so are as quick as a thousand who say nothing.
        """
        since = self._silent_since
        is_silent = since is not None and self.loop.time() - since >= SILENT_SECONDS
        return bool(self._recipients) and not is_silent

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]
        self._sender = None
        self._recipients = []
        self.in_transaction = False
        if self._text is not None:
            self._text.end(self.said_last)
            self._text = None

    # -- dialogue

    async def _handle_client(self) -> None:
        self._lines = LineReader(self._reader)
        try:
            await self.push(f"220 {self.hostname} ESMTP Gatehouse")
            while self.transport is not None and not self.transport.is_closing():
                await self._one_command()
                if self.stopping and not self.in_transaction:
                    self.last_words(replies.SHUTTING_DOWN)
        except (ConnectionEnded, ConnectionError, TLSSetupException):
            pass
        except EndlessLine:
            self.last_words(replies.TOO_MANY_ERRORS)
        finally:
            self._set_rset_state()
            self.close()

    async def _one_command(self) -> None:
        assert self._lines is not None
        self._commands += 1
        left = self._mail_due - self.loop.time() if self._text is None else self._text.patience
        if left <= 0:
            self.last_words(replies.TIMED_OUT)
            return
        try:
            with self._turn_of_sender(min(self.times.command, left)):
                line = await self._lines.line(grammar.LINE_OCTETS)
            command = grammar.parse_command(line)
            self._spend(command.verb)
            verb = self._verbs.get(command.verb)
            if verb is None:
                raise Refused(replies.UNKNOWN_COMMAND)
            reply = await verb(command.argument)
        except EndlessLine:
            raise
        except LineTooLong:
            reply = replies.LINE_TOO_LONG
        except BareLineFeed:
            reply = replies.NEEDS_CRLF
        except Refused as refused:
            reply = refused.reply
        except (ConnectionEnded, ConnectionError, TLSSetupException):
            raise
        except Exception:
            log.exception("smtp command failed peer=%s", self.peer)
            reply = replies.TRY_LATER
        if reply is None:
            return
        if reply.code == 421 or (self._commands == 1 and reply.code == 500):
            # An HTTP request, a TLS greeting on the clear port, noise: whoever opens so does not speak SMTP, and
            # what follows must not be taken for commands.
            self.last_words(reply)
            return
        await self.push(str(reply))
        await self._count(reply)

    def _spend(self, verb: str) -> None:
        """Count what may lead nowhere. Raises Refused when it was too much since the last message that was kept."""
        if verb == "RCPT":
            self._asked += 1
        elif verb not in ("BDAT", "QUIT"):
            self._fruitless += 1
        if self._fruitless > self.limits.commands or self._asked > self.limits.asked:
            log.warning("smtp closed peer=%s reason=no-message", self.peer)
            raise Refused(replies.TOO_MANY_COMMANDS)

    def _spend_chunk(self, chunk: grammar.Chunk, text: Text) -> None:
        """Raises Refused. One mistake gets as many answers as chunks were under way: many, but not without an end."""
        if chunk.octets < TINY_OCTETS and not chunk.last:
            self._spend("")
        elif text.refusal is not None:
            self._spend("RCPT")

    def _kept(self, text: Text) -> Reply:
        self._fruitless = self._asked = 0
        self._mail_due = self.loop.time() + self.times.without_mail
        return replies.OK._replace(text=f"OK, kept as {text.id}")

    async def _count(self, reply: Reply) -> None:
        if reply.code < 500:
            return
        if reply == replies.NO_SUCH_MAILBOX:
            self._unknown += 1
            if self._unknown >= self.limits.unknown:
                log.warning("smtp closed peer=%s reason=unknown-recipients", self.peer)
                self.last_words(replies.TOO_MANY_UNKNOWN)
            return
        self._errors += 1
        if self._errors >= self.limits.errors:
            log.warning("smtp closed peer=%s reason=errors", self.peer)
            self.last_words(replies.TOO_MANY_ERRORS)

    # -- verbs, RFC 5321 4.1.1 unless said otherwise

    async def _ehlo(self, argument: str) -> None:
        name = grammar.parse_hello(argument)
        self._greeted(name, extended=True)
        lines = [self.hostname, "PIPELINING", f"SIZE {self.max_octets}", "8BITMIME", "BINARYMIME", "CHUNKING"]
        lines.append("SMTPUTF8")
        if self.tls_context is not None and not self.secure:
            lines.append("STARTTLS")
        lines.append("ENHANCEDSTATUSCODES")
        await self.push("\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]))

    async def _helo(self, argument: str) -> None:
        self._greeted(grammar.parse_hello(argument), extended=False)
        await self.push(f"250 {self.hostname}")

    def _greeted(self, name: str, *, extended: bool) -> None:
        assert self.session is not None
        self._set_rset_state()
        self.session.host_name = name
        self.session.extended_smtp = extended

    async def _starttls(self, argument: str) -> Reply | None:
        """RFC 3207. Whatever came behind the command in clear ends the connection: it could be anyone's."""
        assert self._lines is not None
        if argument:
            return replies.ARGUMENT
        if self.secure:
            return replies.ALREADY_SECURE
        if self.tls_context is None:
            return replies.NO_TLS
        if self._lines.has_more:
            log.warning("smtp closed peer=%s reason=data-behind-starttls", self.peer)
            self.last_words(replies.DATA_BEHIND_STARTTLS)
            return None
        await self.push(str(replies.READY_FOR_TLS))
        await self.start_tls()
        self._lines = LineReader(self._reader)
        return None

    async def _mail(self, argument: str) -> Reply:
        assert self.session is not None
        if not self.session.host_name:
            return replies.HELLO_FIRST
        if self._text is not None and self._text.refusal is not None:
            self._set_rset_state()  # its sender gave it up, as it should
        if self._sender is not None:
            return replies.NESTED_MAIL
        self._sender = grammar.parse_sender(
            argument, extended=self.session.extended_smtp, max_octets=self.max_octets
        )
        self.in_transaction = True
        return replies.SENDER_OK

    async def _rcpt(self, argument: str) -> Reply:
        if self._sender is None:
            return replies.MAIL_FIRST
        if self._text is not None:
            return replies.CHUNKS_BEGUN
        address = grammar.parse_recipient(argument, smtputf8=self._sender.smtputf8)
        if len(self._recipients) >= self.limits.recipients:
            return replies.TOO_MANY_RECIPIENTS
        recipient = await self.ingress.resolve(
            address,
            peer=self.peer,
            octets=self._sender.size or 0,
            hello=self._hello(),
            tls=tls_version(self.transport),
        )
        # Nobody knows how large the text will be, and one reply to it is for all: where customers take messages of different
        # sizes, what is too large for one would be sent back to the others' senders. So each has a text of its own.
        if self._sender.size is None and any(
            known.message_limit != recipient.message_limit for known in self._recipients
        ):
            return replies.TOO_MANY_RECIPIENTS
        # A mailbox named twice gets the message once.
        if all(recipient.mailbox_id != known.mailbox_id for known in self._recipients):
            self._recipients.append(recipient)
        return replies.RECIPIENT_OK

    async def _data(self, argument: str) -> Reply:
        if argument:
            return replies.ARGUMENT
        if self._text is not None:
            return replies.CHUNKS_BEGUN
        self._require_recipients()
        if self._sender is not None and self._sender.binary:
            return replies.NEEDS_CHUNKS
        await self.push(str(replies.GO_AHEAD))
        self._text = self._new_text()
        try:
            return await self._take_text(self._text)
        finally:
            # Also when the connection is lost and this task is cancelled: the intake sees to its own end.
            self._set_rset_state()

    async def _take_text(self, text: Text) -> Reply:
        """Read to the end of the text whatever happens, so that no line of it is taken for a command."""
        assert self._lines is not None
        decoder = DotDecoder()
        while True:
            octets = decoder.feed(await self._block(text))
            if decoder.bare_lf:
                text.refuse(replies.BARE_LINE_FEED)
            if decoder.done:
                break
            await text.take(octets)
        self._lines.put_back(decoder.rest)
        await text.keep(octets)
        return text.refusal or self._kept(text)

    async def _bdat(self, argument: str) -> Reply | None:
        """RFC 3030 2. A chunk is read to its end whatever happens, so that no line of it is taken for a command."""
        try:
            chunk = grammar.parse_chunk(argument)
        except Refused as refused:
            self.last_words(refused.reply)  # nobody knows where the chunk would end
            raise ConnectionEnded from None
        if self._text is None:
            self._text = self._first_chunk()
        self._spend_chunk(chunk, self._text)
        text, told = self._text, self._text.octets and self._text.refusal is not None
        left = chunk.octets
        while left:
            octets = await self._block(text, left)
            left -= len(octets)
            await text.take(octets)
        reply = await self._end_of_chunk(text, last=chunk.last)
        if not told:
            return reply
        # One mistake is counted once, however many chunks were under way before their sender knew.
        await self.push(str(reply))
        return None

    def _first_chunk(self) -> Text:
        try:
            self._require_recipients()
        except Refused as refused:
            return Text(None, max_octets=self.max_octets, pace=self.times.text, refusal=refused.reply)
        return self._new_text()

    async def _end_of_chunk(self, text: Text, *, last: bool) -> Reply:
        if not last:
            return text.refusal or replies.CHUNK_TAKEN
        try:
            await text.keep()
        finally:
            self._set_rset_state()
        return text.refusal or self._kept(text)

    async def _block(self, text: Text, most: int = READ_OCTETS) -> bytes:
        """The next octets of a text. Ends the connection when there are far too many of them, or they come too slowly."""
        assert self._lines is not None
        if text.is_endless:
            self.last_words(replies.TOO_LARGE)
            raise ConnectionEnded
        if text.patience <= 0:
            self.last_words(replies.TIMED_OUT)
            raise ConnectionEnded
        with self._turn_of_sender(min(self.times.data_block, text.patience)):
            return await self._lines.block(min(most, READ_OCTETS))

    @contextlib.contextmanager
    def _turn_of_sender(self, seconds: float) -> Iterator[None]:
        begun = self._silent_since = self.loop.time()
        try:
            with self.patience(seconds):
                yield
        finally:
            self._silent_since = None
            if self._text is not None:
                self._text.waited(self.loop.time() - begun)

    def _require_recipients(self) -> None:
        if self._sender is None:
            raise Refused(replies.MAIL_FIRST)
        if not self._recipients:
            raise Refused(replies.RECIPIENT_FIRST)

    def _new_text(self) -> Text:
        intake = self.ingress.intake(self._recipients, self._arrival())
        return Text(intake, max_octets=self.max_octets, pace=self.times.text)

    def _hello(self) -> str:
        assert self.session is not None
        return self.session.host_name or ""

    def _arrival(self) -> Arrival:
        assert self.session is not None
        assert self._sender is not None
        return Arrival(
            helo=self._hello(),
            peer=self.peer,
            host=self.hostname,
            extended=self.session.extended_smtp,
            secure=self.secure,
            smtputf8=self._sender.smtputf8,
            sender=self._sender.address,
            id=secrets.token_hex(8),
            at=datetime.now(UTC),
            tls=tls_version(self.transport),
        )

    async def _rset(self, argument: str) -> Reply:
        if argument:
            return replies.ARGUMENT
        self._set_rset_state()
        return replies.OK

    async def _noop(self, argument: str) -> Reply:
        return replies.OK

    async def _vrfy(self, argument: str) -> Reply:
        """The same answer for every address (RFC 5321 7.3); asking for none is an error."""
        return replies.NO_VERIFICATION if argument else replies.ARGUMENT

    async def _help(self, argument: str) -> Reply:
        return replies.HELP

    async def _not_implemented(self, argument: str) -> Reply:
        return replies.NOT_IMPLEMENTED

    async def _quit(self, argument: str) -> Reply | None:
        if argument:
            return replies.ARGUMENT
        with contextlib.suppress(ConnectionError):
            await self.push(str(replies.BYE))
        self.close()
        return None
