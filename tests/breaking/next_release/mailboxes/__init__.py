"""The migrations of today's release, and after the last of them those in this folder."""

from mailboxes import migrations

__path__ = [*migrations.__path__, *__path__]
