"""The release after this one, as far as the database is concerned: it has migrations of the customers' schemas that this one lacks."""

from portal.settings import *  # noqa: F403

MIGRATION_MODULES = {"mailboxes": "tests.breaking.next_release.mailboxes"}
