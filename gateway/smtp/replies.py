"""What the SMTP server says: a code (RFC 5321 4.2), an enhanced status (RFC 3463) and a text.

Texts are constants of ours: nothing that a client sent is ever repeated to it.
"""

from typing import NamedTuple


class Reply(NamedTuple):
    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}" if self.status else f"{self.code} {self.text}"


class Refused(Exception):
    """Ends a command with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
BYE = Reply(221, "2.0.0", "Bye")
OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
CHUNK_TAKEN = Reply(250, "2.0.0", "Chunk taken")
NO_VERIFICATION = Reply(252, "2.5.0", "Will not verify; send mail and see")
HELP = Reply(214, "2.0.0", "EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT")
GO_AHEAD = Reply(354, "", "End data with <CR><LF>.<CR><LF>")

SHUTTING_DOWN = Reply(421, "4.3.2", "Shutting down, please come back later")
TIMED_OUT = Reply(421, "4.4.2", "Waited too long, closing")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, please come back later")
GIVING_WAY = Reply(421, "4.7.0", "Others need this connection's place, please come back later")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing")
DATA_BEHIND_STARTTLS = Reply(421, "4.7.0", "Nothing may follow STARTTLS before TLS, closing")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without a message, closing")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many unknown recipients, closing")

TRY_LATER = Reply(451, "4.3.0", "Please try again later")
STORE_FULL = Reply(452, "4.3.1", "No room for mail at present, please try again later")
MAILBOX_FULL = Reply(452, "4.2.2", "Mailbox is full, please try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the rest in another transaction")
SUSPENDED = Reply(450, "4.2.1", "Mailbox is suspended, please try again later")

SYNTAX = Reply(500, "5.5.2", "Syntax error")
LINE_TOO_LONG = Reply(500, "5.5.2", "Command line too long")
NEEDS_CRLF = Reply(500, "5.5.2", "Lines must end with CRLF")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognized")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
ARGUMENT = Reply(501, "5.5.4", "Syntax error in parameters")
BAD_SENDER = Reply(501, "5.1.7", "Syntax: MAIL FROM:<address>")
BAD_RECIPIENT = Reply(501, "5.1.3", "Syntax: RCPT TO:<address>")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Address needs SMTPUTF8")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognized or not implemented")
HELLO_FIRST = Reply(503, "5.5.1", "Send EHLO or HELO first")
MAIL_FIRST = Reply(503, "5.5.1", "Send MAIL first")
RECIPIENT_FIRST = Reply(503, "5.5.1", "Send RCPT first")
CHUNKS_BEGUN = Reply(503, "5.5.1", "Chunks have begun, send BDAT or RSET")
NEEDS_CHUNKS = Reply(503, "5.5.1", "BINARYMIME needs BDAT")
NESTED_MAIL = Reply(503, "5.5.1", "Sender already given")
ALREADY_SECURE = Reply(503, "5.5.1", "TLS is already on")
NO_TLS = Reply(502, "5.5.1", "TLS is not offered")

NO_SUCH_MAILBOX = Reply(550, "5.1.1", "No such mailbox")
NOT_YOUR_NETWORK = Reply(550, "5.7.1", "Mail for this mailbox is not accepted from your network")
BARE_LINE_FEED = Reply(550, "5.6.11", "Message contains bare LF, which must be CRLF; message refused")
TOO_LARGE = Reply(552, "5.3.4", "Message is larger than the limit")
