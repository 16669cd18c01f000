"""Everything that the vault raises. Neither a message nor an attribute ever holds a secret or a piece of the input.

    VaultError
      MistypedPassword        the text cannot be a password: characters missing, foreign or mixed up
      WrongPassword           a well-formed password, but not the one of this lock
      WrongKey                made for another key
      InvalidKey              these octets are no public or private key
      KeyWiped                a private key was used after it had been wiped
      WrongContext            sound, but made for somebody or something else
        WrongCustomer, WrongMailbox, WrongMessage, WrongKind
      NotSealed, NotALock     the first octets belong to no such format
      UnknownVersion          of a later release, to be read with that release
        UnknownSuite
      UnreasonableCost        the lock asks for more memory or time than any lock of ours
      Damaged                 was ours, and is no longer what we wrote
        Tampered, Reordered, Truncated, TrailingData
      AlreadyFinished         a sealer was used after `finish`
      MessageTooLong          more octets than positions can count

`code` is stable and meant for programs; the text is for logs. Faces have their own, translated words.
"""


class VaultError(Exception):
    """The vault refused. Raised without arguments, so that no secret can travel in one."""

    code = "vault"
    text = "The vault refused."

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return self.text


class MistypedPassword(VaultError):
    code = "mistyped-password"
    text = "This cannot be a mailbox password: characters are missing, foreign or mixed up."


class WrongPassword(VaultError):
    code = "wrong-password"
    text = "The password does not open this lock."


class WrongKey(VaultError):
    code = "wrong-key"
    text = "Made for another key."


class InvalidKey(VaultError):
    code = "invalid-key"
    text = "These octets are no key."


class KeyWiped(VaultError):
    code = "key-wiped"
    text = "The private key has been wiped."


class WrongContext(VaultError):
    code = "wrong-context"
    text = "Made for something else."


class WrongCustomer(WrongContext):
    code = "wrong-customer"
    text = "Made for another customer."


class WrongMailbox(WrongContext):
    code = "wrong-mailbox"
    text = "Made for another mailbox."


class WrongMessage(WrongContext):
    code = "wrong-message"
    text = "Made for another message."


class WrongKind(WrongContext):
    code = "wrong-kind"
    text = "A lock of another kind."


class NotSealed(VaultError):
    code = "not-sealed"
    text = "Not a sealed message."


class NotALock(VaultError):
    code = "not-a-lock"
    text = "Not a lock."


class UnknownVersion(VaultError):
    code = "unknown-version"
    text = "Written in a version of the format that this release does not know."


class UnknownSuite(UnknownVersion):
    code = "unknown-suite"
    text = "Sealed with algorithms that this release does not know."


class UnreasonableCost(VaultError):
    code = "unreasonable-cost"
    text = "The lock asks for an unreasonable amount of memory or time."


class Damaged(VaultError):
    code = "damaged"
    text = "Damaged."


class Tampered(Damaged):
    code = "tampered"
    text = "Octets have been changed."


class Reordered(Damaged):
    code = "reordered"
    text = "Chunks are missing, repeated or out of their order."


class Truncated(Damaged):
    code = "truncated"
    text = "The end is missing."


class TrailingData(Damaged):
    code = "trailing-data"
    text = "Octets follow after the end."


class AlreadyFinished(VaultError):
    code = "already-finished"
    text = "This message has been sealed already."


class MessageTooLong(VaultError):
    code = "message-too-long"
    text = "The message is longer than the format can hold."
