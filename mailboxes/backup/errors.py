"""Why there is no backup, or nothing was restored. Only commands meet these, so they are in English."""


class BackupError(Exception):
    """Base of all here; its text says what to do."""


class NoPlace(BackupError):
    """Not a place where backups could lie, or not one of ours."""


class PlaceFailed(BackupError):
    """It did not take or give what it was asked for, has no room, or is not reached."""


class NoRecoveryKey(BackupError):
    """There is nothing to seal a backup to, or what was typed opens it not."""


class BackupRunning(BackupError):
    """One at a time."""


class BackupFailed(BackupError):
    """What was begun is not whole, and does not look so."""


class NoSuchBackup(BackupError):
    """Nothing whole lies there, or nothing of that name."""


class BackupDamaged(BackupError):
    """Something of it is missing or is not what was written."""


class NotOurRows(BackupDamaged):
    """Rows that no release has written."""


class NotEmpty(BackupError):
    """Something would be written over."""


class OtherSecrets(BackupError):
    """With other secrets than those of the backup, much of it would be worth nothing."""


class RestoreFailed(BackupError):
    """It can be repeated as it was begun."""
