"""What pages are dressed in, as `collectstatic` leaves it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's; but it writes compressed files past the storage, so under whatever umask, and here they are as private
    as those that they were made of.
    """

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        for name, compressed in super().compress_files(paths):
            if self.file_permissions_mode is not None:
                Path(self.path(compressed)).chmod(self.file_permissions_mode)
            yield name, compressed
