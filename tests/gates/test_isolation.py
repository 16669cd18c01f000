"""No page of another host gets a browser to fetch ours unseen: lengths on the wire would tell what our lists have."""

import pytest

OPENED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def asks(cast, client_for):
    def ask(**said):
        headers = {name.replace("_", "-"): value for name, value in said.items()}
        return client_for(cast.admin).get("/mailboxes/?q=a", headers=headers).status_code

    return ask


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_fetches_is_refused_and_what_it_opens_is_not(asks, site):
    assert asks(Sec_Fetch_Site=site, **OPENED) == 200
    for how in (
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {**OPENED, "Sec-Purpose": "prefetch;prerender"},
        {},
    ):
        assert asks(Sec_Fetch_Site=site, **how) == 403, how


def test_our_own_pages_typed_addresses_and_programs_fetch_as_they_like(asks):
    part = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    assert [asks(), asks(Sec_Fetch_Site="same-origin", **part), asks(Sec_Fetch_Site="none", **OPENED)] == [
        200
    ] * 3


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/activity/activity.csv?q=a", "/activity/activity.csv"])
def test_another_sites_page_gets_a_file_only_if_somebody_pressed_something(cast, client_for, path, site):
    client = client_for(cast.admin)

    def gets(said):
        return b"".join(client.get(path, headers=said)).startswith(b"\xef\xbb\xbf")

    foreign = {**OPENED, "Sec-Fetch-Site": site}
    # More often than a person has places for files: each is given back.
    for _ in range(5):
        answer = client.get(path, headers=foreign)
        assert answer.status_code == 403
        assert "Content-Disposition" not in answer
    assert gets({**foreign, "Sec-Fetch-User": "?1"})
    assert gets({"Sec-Fetch-Site": "same-origin", **OPENED})
    assert gets({})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_learns_by_no_redirect_where_somebody_belongs(cast, client_for, site):
    """It would stay, where its own policy forbids its forms to end there."""
    client = client_for(cast.admin, host=None)
    home = "http://acme.portal.localhost/mailboxes/"
    foreign = {**OPENED, "Sec-Fetch-Site": site}
    answer = client.get("/", headers=foreign)
    assert (answer.status_code, answer["Refresh"]) == (200, f"0; url={home}")
    assert f'href="{home}"' in answer.content.decode()
    assert client.get("/", headers={**foreign, "Sec-Fetch-User": "?1"})["Location"] == home
    assert client.get("/", headers={**OPENED, "Sec-Fetch-Site": "none"})["Location"] == home


def test_no_page_of_another_site_keeps_hold_of_a_window_of_ours(cast, client_for):
    answer = client_for(cast.admin).get("/mailboxes/?q=a")
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
