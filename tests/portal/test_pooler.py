"""The pooler check against PostgreSQL itself and against a real PgBouncer in front of it."""

from contextlib import ExitStack
from urllib.parse import quote

import dj_database_url
import psycopg
import pytest
from django.conf import settings as our_settings
from django.db.utils import ConnectionHandler

from accounts.actors import SYSTEM
from mailboxes.backup import back_up
from mailboxes.backup.keys import new_recovery_key
from portal.checks import pooler
from portal.onebox.embedded.process import wait_until
from tenants import pooling, upgrading
from tenants.management.commands.upgrade import Lines
from tests.poolers import LOSING, SESSIONS, TRANSACTIONS, Pooler, behind, time_out_by_role


@pytest.fixture
def pooled(own_server, own_folder):
    """Gives the URL of a PgBouncer with these lines in its configuration."""
    running = []

    def start(lines):
        running.append(
            Pooler(own_folder / f"p{len(list(own_folder.iterdir()))}", behind(own_server.state_dir), lines)
        )
        return running[-1].url()

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def found(monkeypatch):
    """What the check finds of the database at a URL, to which we connect as the settings have it."""

    def ask(url):
        options = our_settings.DATABASES["default"]["OPTIONS"]
        handler = ConnectionHandler({"default": {**dj_database_url.parse(url), "OPTIONS": options}})
        monkeypatch.setattr(pooler, "connections", handler)
        return pooler.a_pooler_keeps_customers_apart(None, databases=["default"])

    return ask


@pytest.fixture
def complaints(found):
    return lambda url: [message.id for message in found(url)]


@pytest.fixture
def with_timeouts(own_server):
    time_out_by_role(own_server.url)
    yield
    with psycopg.connect(own_server.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE CURRENT_USER RESET ALL")


def connection_to(url):
    return ConnectionHandler({"default": dj_database_url.parse(url)})["default"]


def test_postgresql_itself_is_fine(own_server, complaints):
    assert complaints(own_server.url) == []


def test_session_pooling_is_fine_if_the_role_has_its_timeouts(pooled, complaints, with_timeouts):
    assert complaints(pooled(SESSIONS)) == []


def test_transaction_pooling_that_carries_the_search_path_is_fine_if_the_role_has_its_timeouts(
    pooled, complaints, with_timeouts
):
    assert complaints(pooled(TRANSACTIONS)) == []


@pytest.mark.parametrize("lines", [SESSIONS, TRANSACTIONS], ids=["session", "transaction"])
def test_a_pooler_that_drops_our_timeouts_is_a_complaint(pooled, complaints, lines):
    assert complaints(pooled(lines)) == ["gatehouse.E031"]


def test_transaction_pooling_that_leaves_the_search_path_behind_is_a_complaint(
    pooled, complaints, with_timeouts
):
    assert complaints(pooled(LOSING)) == ["gatehouse.E015"]


@pytest.mark.parametrize("sessions", [1, 2, 3])
def test_so_it_is_where_sessions_are_given_out_in_turn(pooled, complaints, with_timeouts, sessions):
    lines = TRANSACTIONS.replace("track_extra_parameters", ";")
    url = pooled(f"{lines}server_round_robin = 1\nmin_pool_size = {sessions}\n")
    with ExitStack() as stack:  # so many are there
        for _ in range(sessions):
            stack.enter_context(stack.enter_context(psycopg.connect(url)).transaction())
    assert pooling.sessions_are_shared(connection_to(url))
    assert complaints(url) == ["gatehouse.E015"]


ONE_SESSION = "default_pool_size = 1\n"
QUICK = {
    lines: lines.replace("query_wait_timeout = 10", "query_wait_timeout = 1")
    for lines in (LOSING, TRANSACTIONS)
}
STATEMENTS = LOSING.replace("transaction", "statement")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (STATEMENTS, "gatehouse.E033"),
        (QUICK[LOSING] + ONE_SESSION, "gatehouse.E015"),
        (QUICK[TRANSACTIONS] + ONE_SESSION, "gatehouse.E033"),
    ],
    ids=["statements", "one session, path lost", "one session, path carried"],
)
def test_a_pooler_that_answers_and_can_not_be_asked_is_not_away(
    pooled, complaints, with_timeouts, lines, complaint
):
    assert complaints(pooled(lines)) == [complaint]


def test_a_pooler_that_has_no_session_for_us_is_away(pooled, complaints):
    url = pooled(QUICK[LOSING] + ONE_SESSION)
    with psycopg.connect(url) as busy:
        busy.execute("SELECT 1")  # and the transaction stays open
        assert complaints(url) == ["gatehouse.E016"]


@pytest.mark.parametrize("behind_one", [False, True], ids=["PostgreSQL", "PgBouncer"])
def test_of_a_database_that_was_dropped_a_restore_is_advised(found, pooled, own_server, behind_one):
    url = pooled(QUICK[LOSING]) if behind_one else own_server.url

    [message] = found(f"{url.rpartition('/')[0]}/dropped")

    assert message.id == "gatehouse.E016" and '"dropped" does not exist' in message.msg
    assert "manage.py restore" in message.hint and "docs/operations.md" in message.hint
    assert "Start it" not in message.hint


def test_of_a_server_that_is_away_no_restore_is_advised(found, tmp_path):
    [message] = found(f"postgresql://somebody@{quote(str(tmp_path), safe='')}:5432/gatehouse")
    assert "Start it" in message.hint and "restore" not in message.hint


def test_a_database_that_cannot_be_reached_is_a_complaint_and_not_a_traceback(complaints, tmp_path):
    assert complaints(f"postgresql://somebody@{quote(str(tmp_path), safe='')}:5432/gatehouse") == [
        "gatehouse.E016"
    ]
    assert pooler.a_pooler_keeps_customers_apart(None) == []


@pytest.mark.parametrize("lines", [LOSING, TRANSACTIONS], ids=["path-lost", "path-carried"])
@pytest.mark.parametrize("act", ["upgrade", "backup"])
def test_upgrade_backup_and_restore_go_past_the_pooler(
    act, lines, db, pooled, monkeypatch, settings, tmp_path
):
    monkeypatch.setattr(pooling, "connection", connection_to(pooled(lines)))
    settings.RECOVERY_PUBLIC_KEY = new_recovery_key()[0]
    with pytest.raises(pooling.ThroughAPooler, match="leads to a pooler"):
        if act == "upgrade":
            upgrading.upgrade(Lines(), by=1, hold=1.0)
        else:
            back_up(tmp_path.as_uri(), by=SYSTEM)


def test_a_lock_is_held_beside_the_work_and_free_at_its_end_or_when_its_holder_dies(
    own_server, pooled, monkeypatch, django_db_blocker
):
    monkeypatch.setattr(pooling, "connection", connection_to(pooled(LOSING)))

    def are_free():
        with psycopg.connect(own_server.url) as other:
            return other.execute(
                "SELECT pg_try_advisory_xact_lock(7), pg_try_advisory_xact_lock(8)"
            ).fetchone()

    with (
        django_db_blocker.unblock(),
        pooling.lock_on_one_of(7, 8) as first,
        pooling.lock_on_one_of(7, 8) as second,
    ):
        assert first and second
        with pooling.lock_on_one_of(7, 8) as third:
            assert not third, "both are taken"
        assert are_free() == (False, False)
    assert are_free() == (True, True), "a pooler keeps the session"

    with django_db_blocker.unblock(), pooling.lasting_transaction() as guard:
        assert guard.try_lock(7)
        guard.still()
        guard.cursor.connection.pgconn.finish()  # as the kernel closes what a killed process had
        assert wait_until(lambda: are_free() == (True, True), 20)
        with pytest.raises(pooling.LockLost):
            guard.still()
