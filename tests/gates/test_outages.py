"""Pages while the database is away; tests/breaking/test_restarts.py takes it away for real."""

import pytest
from django.db import OperationalError, close_old_connections, connection
from django.db.models import F

from tenants.models import Provider

FENCED = "SET default_transaction_read_only = on"  # as a reload of the server's configuration would


def write():
    return Provider.objects.update(name=F("name"))


@pytest.fixture
def several_hosts(committed_db, monkeypatch):
    """Of which the one that takes writes is meant."""
    connection.close()
    options = connection.settings_dict["OPTIONS"] | {"target_session_attrs": "read-write"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    yield
    connection.close()


def test_a_server_that_writes_no_more_is_away_and_given_up_with_the_request(committed_db):
    connection.cursor().execute(FENCED)
    with pytest.raises(OperationalError, match="read-only"):
        write()
    close_old_connections()
    assert write()


def test_of_several_hosts_the_one_that_takes_writes_is_looked_for_before_anything_is_asked(several_hosts):
    connection.cursor().execute(FENCED)
    close_old_connections()
    assert write()
    at_hand = connection.connection
    close_old_connections()
    assert write() and connection.connection is at_hand, "and kept as long as it does"


@pytest.mark.parametrize("host", ["acme", None], ids=["customer", "base"])
def test_a_page_without_a_database_says_when_to_come_again(client_for, cast, host):
    client = client_for(cast.admin, host, raise_request_exception=False)

    def away(*args):
        raise OperationalError("the connection is lost")

    with connection.execute_wrapper(away):
        answer = client.get("/settings/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert b"Something went wrong on our side" in answer.content

    def broken(*args):
        raise ValueError

    with connection.execute_wrapper(broken):
        answer = client.get("/settings/")
    assert (answer.status_code, "Retry-After" in answer) == (500, False), "that does not pass by itself"
