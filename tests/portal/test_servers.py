"""What the checks say of a PostgreSQL and a Redis that are not set up for what we do."""

import dj_database_url
import psycopg
import pytest
import redis
from django.db.utils import ConnectionHandler

from gateway import server as gateway
from portal.checks import servers
from portal.onebox.embedded import redis as embedded_redis
from tests.poolers import LOSING, Pooler, behind


def as_superuser(server):
    return server.url.replace("//gatehouse@", "//postgres@")


@pytest.fixture(scope="module")
def own_server(own_server):
    with psycopg.connect(as_superuser(own_server), autocommit=True) as connection:
        connection.execute("ALTER ROLE gatehouse NOCREATEDB")
    return own_server


@pytest.fixture
def said(settings, monkeypatch, django_db_blocker):
    """The ids of what the check says of the database at a URL."""
    settings.DATABASE_IS_EMBEDDED = False

    def ask(url):
        handler = ConnectionHandler({"default": dj_database_url.parse(url)})
        monkeypatch.setattr(servers, "connections", handler)
        with django_db_blocker.unblock():
            try:
                return [message.id for message in servers.postgresql_is_fit(None, databases=["default"])]
            finally:
                handler.close_all()

    return ask


def test_a_server_as_it_comes_and_a_role_that_owns_its_database_are_fine(own_server, said, settings):
    assert said(own_server.url) == []
    settings.DATABASE_IS_EMBEDDED = True
    assert said("postgresql://nobody@127.0.0.1:1/nowhere") == []


def test_a_role_that_may_more_than_it_needs_is_a_warning(own_server, said):
    assert said(as_superuser(own_server)) == ["gatehouse.W015"]


def test_too_few_connections_or_locks_for_the_processes_are_warnings_and_a_pooler_needs_fewer(
    own_server, said, settings, own_folder
):
    settings.WEB_PROCESSES, settings.WEB_THREADS = 10, 15
    assert servers.connections_wanted() == 10 * 15 + 2 * 2 + 20 + 12
    with_database = gateway.DELIVERY_THREADS + gateway.COLLECTION_THREADS + gateway.LOOKUP_THREADS
    assert with_database == servers.GATEWAY_CONNECTIONS
    assert said(own_server.url) == []
    with psycopg.connect(as_superuser(own_server), autocommit=True) as connection:
        connection.execute("ALTER ROLE gatehouse CONNECTION LIMIT 100")
        assert said(own_server.url) == ["gatehouse.W010"]
        connection.execute("ALTER ROLE gatehouse CONNECTION LIMIT -1")
    settings.WEB_PROCESSES = 2000
    assert said(own_server.url) == ["gatehouse.W010", "gatehouse.W011"]
    pooler = Pooler(own_folder / "pooler", behind(own_server.state_dir), LOSING)
    try:
        assert said(pooler.url()) == ["gatehouse.W011"]
    finally:
        pooler.stop()


@pytest.mark.parametrize("question", ["MORE_THAN_NEEDED", "ROOM"])
@pytest.mark.parametrize("says", ["nothing it may", "nothing in time"])
def test_what_a_server_that_answers_does_not_tell_is_told(own_server, said, monkeypatch, question, says):
    """Each by itself: what the others find is told, too."""
    why = {
        "nothing it may": "SELECT * FROM pg_authid",
        "nothing in time": "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
    }
    monkeypatch.setattr(servers, question, why[says])
    other = [] if question == "MORE_THAN_NEEDED" else ["gatehouse.W015"]
    assert said(own_server.url) == ["gatehouse.W016"]
    if says == "nothing in time":  # a superuser may all
        assert said(as_superuser(own_server)) == [*other, "gatehouse.W016"]


def test_an_old_server_is_an_error_before_all_else(own_server, said, monkeypatch):
    monkeypatch.setattr(servers, "OLDEST", 99)
    assert said(own_server.url) == ["gatehouse.E032"]


def test_a_redis_that_forgets_or_takes_anything_is_a_warning(own_folder, settings):
    server = embedded_redis.start(own_folder / "redis")
    settings.REDIS_URL = server.url

    def said():
        return [message.id for message in servers.redis_is_fit(None, databases=["default"])]

    try:
        with redis.Redis.from_url(server.url) as client:
            assert said() == []
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("proto-max-bulk-len", "512mb")
            client.config_set("appendonly", "no")
            assert said() == ["gatehouse.W012", "gatehouse.W013", "gatehouse.W014"]
            client.config_set("save", "60 1")
            assert said() == ["gatehouse.W012", "gatehouse.W014"]
            client.acl_setuser("default", enabled=True, commands=["-config"])
            assert said() == ["gatehouse.W012"], "what a server does not tell is not held against it"
    finally:
        server.stop()
    assert said() == []
    assert servers.redis_is_fit(None) == servers.postgresql_is_fit(None) == []
