"""`/favicon.ico`, as browsers ask for it on their own."""

import pytest
from django.test import Client


@pytest.mark.parametrize("host", ["portal.localhost", "acme.portal.localhost", "nowhere.portal.localhost"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_who_asks_for_a_mark_gets_that_of_the_pages_without_the_database(host, method):
    client = Client(headers={"host": host, "sec-fetch-site": "same-origin"})
    led = getattr(client, method)("/favicon.ico")
    assert led.status_code == 302 and led["Cache-Control"] == "max-age=86400"
    mark = client.get(led["Location"])
    assert (mark.status_code, mark["Content-Type"]) == (200, "image/svg+xml")
    assert b"".join(mark.streaming_content).startswith(b"<svg")


def test_a_host_that_is_none_of_ours_has_none():
    assert Client(headers={"host": "elsewhere.example"}).get("/favicon.ico").status_code == 404
