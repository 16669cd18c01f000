"""What all pages of /admin/ have in common: the way there, the bar, times, and who gets in."""

import re

import pytest
from lxml import html

from tests.pages import follows, presses, read, text_of
from tests.tenants.kit import text


@pytest.mark.parametrize(
    ("path", "crumbs"),
    [
        ("/admin/accounts/", ["People"]),
        ("/admin/accounts/user/", ["People"]),
        ("/admin/tenants/provider/add/", ["Providers and customers", "Providers", "Add provider"]),
        ("/admin/tenants/customer/{pk}/change/", ["Providers and customers", "Customers", "Acme"]),
        (
            "/admin/tenants/customer/{pk}/history/",
            ["Providers and customers", "Customers", "Acme", "History"],
        ),
    ],
)
def test_the_way_to_a_page_is_shown_as_on_all_others(admin, acme, path, crumbs):
    page = admin.get(path.format(pk=acme.pk))
    (way,) = html.fromstring(page.content).xpath("//nav[@aria-label='You are here']")
    steps = way.xpath(".//a | .//*[@aria-current='page']")
    assert [step.text_content().strip() for step in steps] == ["Gatehouse administration", *crumbs]
    assert [admin.get(step.get("href")).status_code for step in steps[:-1]] == [200] * len(crumbs)


def test_its_bar_leads_to_the_settings_that_everybody_has_and_signs_out_as_everywhere(admin):
    page = admin.get("/admin/")
    assert "Appearance" in text(follows(page, "Settings"))
    assert presses(page, "Sign out")["Location"] == "/accounts/login/"
    assert admin.get("/admin/").status_code == 302


def test_its_first_page_names_each_list_once(admin):
    links = [text_of(link) for link in read(admin.get("/admin/")).xpath("//main//a")]
    assert links.count("People") == 1 and "Providers and customers" in links


def test_every_time_on_a_page_says_its_zone(admin, cast, acme):
    for page in (
        f"accounts/user/{cast.viewer.pk}",
        f"tenants/customer/{acme.pk}",
        f"tenants/provider/{acme.provider_id}",
    ):
        told = text_of(read(admin.get(f"/admin/{page}/change/")).xpath("//main")[0])
        assert re.search(r"\d\d:\d\d UTC", told)
        assert not re.search(r"\d\d:\d\d(?! UTC)", told)


def test_others_have_no_administration(cast, client_for):
    assert client_for(cast.owner, host=None).get("/admin/tenants/customer/").status_code != 200
