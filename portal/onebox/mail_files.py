"""Mails as files, for as long as there is no mail server: for their owner's eyes, since links in them open accounts."""

import os
from pathlib import Path
from typing import Any

from django.core.mail.backends.filebased import EmailBackend as Library

from portal.folders import private_dir


class EmailBackend(Library):
    """Django's, with a private folder and private files under any umask.

    A folder of somebody else's, into which several users write without reading, stays as it is (docker/systemd/).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        folder = private_dir(Path(self.file_path))
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o700)

    def open(self) -> bool:
        if self.stream is not None:
            return False
        descriptor = os.open(self._get_filename(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.stream = os.fdopen(descriptor, "ab")
        return True
