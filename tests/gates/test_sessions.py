"""What each request asks about its session."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import PASSWORD


def test_whether_a_session_stands_and_is_noted_is_asked_at_once(cast: Any, client_for: Any) -> None:
    """Pages that watch ask all the time."""
    browser = client_for()
    browser.post("/accounts/login/", {"login": cast.admin.email, "password": PASSWORD})
    browser.get("/mailboxes/")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert browser.get("/mailboxes/").status_code == 200
    assert sum("session" in one["sql"] for one in asked.captured_queries) == 2, "it is read, and then asked"


def test_another_browser_is_noted_at_once(cast: Any, client_for: Any) -> None:
    browser = client_for()
    browser.post("/accounts/login/", {"login": cast.admin.email, "password": PASSWORD})
    browser.get("/mailboxes/", headers={"user-agent": "another/1"})
    assert UserSession.objects.get(user=cast.admin).user_agent == "another/1"
