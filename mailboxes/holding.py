"""While a backup takes what the database names, no blob may go: what is removed meanwhile stays for the janitor.

The hold is a lock of the database's that the backup has before it takes its snapshot, and a remover asks for it after its
rows are gone. Whoever asked before the hold was there had committed before the snapshot, which so does not name the blob;
whoever asks later leaves the blob where it is. With the backup's process, or its connection, the hold ends.
"""

from django.db import DatabaseError, connection

HOLD_LOCK = 7_302_115_409  # of PostgreSQL's advisory locks


def removal_is_held() -> bool:
    """Whether blobs are to be left where they are. Where the database does not say, they are."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [HOLD_LOCK])
            return not cursor.fetchone()[0]
    except DatabaseError:
        if connection.in_atomic_block:
            raise
        return True
