"""The migrations of today's release, and after the last of them the one in this folder."""

from mailboxes import migrations

__path__ = [*migrations.__path__, *__path__]
