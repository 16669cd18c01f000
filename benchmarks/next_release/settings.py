"""A release after this one, with one more migration of the customers' schemas."""

from portal.settings import *  # noqa: F403

MIGRATION_MODULES = {"mailboxes": "benchmarks.next_release.mailboxes"}
