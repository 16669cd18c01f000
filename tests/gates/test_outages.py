"""Pages while the database is away; tests/breaking/test_restarts.py takes it away for real."""

import pytest
from django.db import OperationalError, connection


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
