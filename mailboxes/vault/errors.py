"""What can be wrong with a container, a lock or a password: one class and one stable code for each.

The vault knows no languages; whoever shows an error to a person words it by its `code`. No error carries
anything of the password, the key or the message that it is about.
"""


class VaultError(Exception):
    """Anything that the vault refuses. `code` is stable and safe to log."""

    code = "vault-error"

    def __init__(self) -> None:
        super().__init__(self.code)


class MistypedPassword(VaultError):
    """Not a password that was ever handed out: a wrong length, a foreign character or a failed check."""

    code = "mistyped-password"


class WrongPassword(VaultError):
    """The lock is whole, and this password does not open it."""

    code = "wrong-password"


class BadKey(VaultError):
    """These octets are no key: a seed has 32 octets, a public key 1216."""

    code = "bad-key"


class WrongKey(VaultError):
    """Made for another key, for instance for another generation of the same mailbox."""

    code = "wrong-key"


class Unreadable(VaultError):
    """Not something that this version can read at all."""

    code = "unreadable"


class BadMagic(Unreadable):
    """Does not begin as a container or a lock does: another kind of file."""

    code = "bad-magic"


class UnknownVersion(Unreadable):
    """Written by a later release."""

    code = "unknown-version"


class UnknownSuite(Unreadable):
    """Uses algorithms that this release does not know."""

    code = "unknown-suite"


class WrongKind(Unreadable):
    """A lock of another kind than the one asked for."""

    code = "wrong-kind"


class CostOutOfBounds(Unreadable):
    """Argon2id parameters below or above what a reader may be made to work with."""

    code = "cost-out-of-bounds"


class WrongContext(VaultError):
    """Genuine, but belongs elsewhere: someone moved or mixed up stored objects."""

    code = "wrong-context"


class WrongCustomer(WrongContext):
    """Belongs to another customer."""

    code = "wrong-customer"


class WrongMailbox(WrongContext):
    """Belongs to another mailbox of this customer."""

    code = "wrong-mailbox"


class WrongMessage(WrongContext):
    """Belongs to another message of this mailbox."""

    code = "wrong-message"


class Damaged(VaultError):
    """Not what was written."""

    code = "damaged"


class Truncated(Damaged):
    """Ends too early."""

    code = "truncated"


class TrailingData(Damaged):
    """Goes on after its end."""

    code = "trailing-data"


class OutOfOrder(Damaged):
    """A chunk stands where another one belongs: moved, repeated or left out."""

    code = "out-of-order"


class MalformedChunk(Damaged):
    """A chunk's frame that no writer makes: a length or a flag that can't be."""

    code = "malformed-chunk"


class Tampered(Damaged):
    """An authentication tag or a check value does not match."""

    code = "tampered"


class HeaderTampered(Tampered):
    """The header, or the content key in it, is not what was written."""

    code = "header-tampered"


class ChunkTampered(Tampered):
    """A chunk of the message is not what was written."""

    code = "chunk-tampered"
