"""The frame around every page: where one is, the way to other customers, and to one's own settings."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from accounts.actors import SYSTEM
from portal.languages.translators import GROUP
from tenants.models import Customer, Provider
from tenants.services import add_membership
from tests.pages import read, text_of

SETTINGS, SECURITY = "/settings/", "/settings/security/"
HOSTS = ["acme", None]
SWITCHER = "//form[@action='/switch/']"


def marked(answer):
    """The places that the rail marks, and how."""
    found = read(answer).xpath("//nav[@aria-label='Pages']//a[@aria-current]")
    return {text_of(one): one.get("aria-current") for one in found}


def found(answer):
    """Customers to go to, and where one lands."""
    links = read(answer).xpath("//main//ul[@class='switch-list']//a")
    return {text_of(link.xpath("span[@dir]")[0]): link.get("href") for link in links}


@pytest.mark.parametrize("host", HOSTS)
def test_the_menu_leads_to_settings_and_out(cast, client_for, host):
    page = client_for(cast.owner, host=host).get("/mailboxes/" if host else "/customers/").content.decode()
    menu = re.search(r'<details class="menu end person">.*?</details>', page, re.S)[0]
    assert cast.owner.get_display_name() in menu
    assert f'href="{SETTINGS}' in menu
    assert re.search(r'<form method="post" action="/accounts/logout/">.*?<button type="submit">', menu, re.S)


def test_the_menu_leads_staff_to_the_administration_and_whoever_may_translate_to_the_texts(cast, client_for):
    cast.viewer.groups.add(Group.objects.get(name=GROUP))

    def led_to(person, host=None):
        client = client_for(person, host)
        links = read(client.get(SETTINGS)).xpath("//details[contains(@class, 'person')]//a/@href")
        return {urlsplit(link).path for link in links} - {SETTINGS, SECURITY}

    cast.admin.is_staff = True
    cast.admin.save()
    assert led_to(cast.admin, "acme") == {"/admin/", "/rosetta/"}
    assert led_to(cast.admin) == set(), "where their rail has both"
    cast.admin.is_staff = False
    cast.admin.save()
    for host in HOSTS:
        assert led_to(cast.viewer, host) == {"/rosetta/"}
        assert led_to(cast.admin, host) == led_to(cast.owner, host) == set()
    assert client_for(cast.viewer, None).get("/rosetta/", follow=True).status_code == 200


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_has_no_menu(cast, client_for, host):
    assert "Sign out" not in client_for(host=host).get("/accounts/login/").content.decode()


LOST = ["400", "403", "403_csrf", "404", "413", "429", "500", "503", "busy", "refused", "signin/two_sessions"]
BEFORE_SIGN_IN = [
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/inactive/",
]


@pytest.mark.parametrize("name", LOST)
def test_what_went_wrong_is_told_without_request_and_database(name):
    page = render_to_string(f"{name}.html")  # the database would refuse: this test has none
    assert re.search(r"<h1>\s*\S", page)
    assert re.search(r'<a class="button[^"]*"\s+href="/">', page)


def test_what_is_not_there_leaves_who_is_signed_in_in_the_frame_and_tells_others_nothing(cast, client_for):
    assert 'id="rail"' in client_for(cast.admin).get("/mailboxes/nowhere/").content.decode()
    page = client_for(cast.owner, None).get("/nowhere/").content.decode()
    assert 'id="rail"' in page and "There is no such page" in page


@pytest.mark.parametrize("path", BEFORE_SIGN_IN)
def test_the_door_names_whose_it_is_and_nobody_else_and_at_the_operators_host_nobody(
    cast, acme, client_for, path
):
    def names(host):
        page = client_for(host=host).get(path).content.decode()
        assert '<div class="door">' in page
        page = page.replace("acme.portal", "")
        known = [
            *Customer.objects.values_list("name", flat=True),
            *Provider.objects.values_list("name", flat=True),
        ]
        return {name for name in known if name in page}

    assert names("acme") == {acme.name, acme.provider.name}
    assert names(None) == names("nowhere") == set()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/mailboxes/", {"Mailboxes": "page"}),
        ("/mailboxes/new/", {"Mailboxes": "true"}),
        ("/people/invite/", {"People": "true"}),
        ("/activity/?q=x", {"Activity": "page"}),
        ("/switch/?from=/people/invite/", {"People": "true"}),
        ("/settings/", {}),
    ],
)
def test_the_place_in_which_a_page_lies_is_marked(cast, client_for, path, place):
    assert marked(client_for(cast.owner).get(path)) == place


@pytest.mark.parametrize(
    ("host", "path", "crumbs"),
    [
        ("acme", "/mailboxes/", ["Acme", "Mailboxes"]),
        ("acme", "/mailboxes/new/", ["Acme", "Mailboxes", "Create mailbox"]),
        ("acme", "/mailboxes/deleted/", ["Acme", "Mailboxes", "Deleted mailboxes"]),
        ("acme", "/people/", ["Acme", "People"]),
        ("acme", "/people/invite/", ["Acme", "People", "Invite"]),
        ("acme", "/activity/", ["Acme", "Activity"]),
        ("acme", "/switch/", ["Acme", "Switch customer"]),
        (None, "/customers/", ["Customers"]),
        (None, "/team/", ["Team"]),
        (None, "/team/invite/", ["Team", "Invite"]),
        (None, "/activity/", ["Activity"]),
        (None, "/settings/sessions/", ["Settings", "Sessions"]),
    ],
)
def test_the_way_to_a_page_is_shown_and_all_its_steps_but_the_last_lead_there(
    cast, client_for, host, path, crumbs
):
    client = client_for(cast.owner, host)
    (way,) = read(client.get(path)).xpath("//nav[@aria-label='You are here']")
    steps = way.xpath(".//a | .//*[@aria-current='page']")
    assert [text_of(step) for step in steps] == crumbs
    assert steps[-1].tag != "a"
    assert [client.get(step.get("href")).status_code for step in steps[:-1]] == [200] * (len(crumbs) - 1)


@pytest.mark.parametrize(
    "path", ["/customers/", "/settings/", "/nowhere/", "/admin/", "/rosetta/files/project/"]
)
def test_platform_staff_have_one_rail_wherever_they_are(cast, client_for, path):
    def places(person, path):
        rail = read(client_for(person, None).get(path)).xpath("//nav[@aria-label='Pages']")
        return [text_of(place) for one in rail for place in one.xpath(".//*[@class='places']/a")]

    theirs = places(cast.staff, path)
    assert theirs[:3] == ["All customers", "Gatehouse administration", "Translations"]
    assert {"Providers", "Customers", "People", "Memberships"} <= set(theirs[3:])
    assert "Translations" not in places(cast.owner, "/customers/")
    cast.owner.is_staff = True
    cast.owner.save()
    own = ["All customers", "Team", "Activity", "Branding"]
    assert places(cast.owner, "/customers/")[:6] == [*own, *theirs[1:3]]
    assert "Translations" not in [
        text_of(place)
        for place in read(client_for(cast.owner).get("/mailboxes/")).xpath("//nav[@id='rail']//a")
    ]


@pytest.mark.parametrize("path", ["/mailboxes/", "/people/", "/activity/"])
def test_who_serves_several_customers_may_switch_and_a_customers_own_people_see_no_switcher(
    cast, client_for, path
):
    for operator in (cast.owner, cast.auditor):
        assert read(client_for(operator).get(path)).xpath(SWITCHER)
    for own in (cast.admin, cast.viewer):
        page = read(client_for(own).get(path))
        assert not page.xpath(SWITCHER) and not page.xpath("//a[contains(@href, '/customers/')]")


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_the_frame_asks_the_database_once_where_one_may_go(cast, client_for, acme_mailbox, who):
    client = client_for(getattr(cast, who))

    def asked(**headers):
        client.get("/mailboxes/", headers=headers)
        with CaptureQueriesContext(connection) as queries:
            client.get("/mailboxes/", headers=headers)
        return len(queries)

    table_alone = asked(**{"hx-request": "true"})
    assert asked() == table_alone + 1


def test_who_has_a_role_at_two_customers_may_switch_between_them(cast, globex, client_for):
    add_membership(cast.viewer, customer=globex, role="viewer", by=SYSTEM)
    assert read(client_for(cast.viewer).get("/people/")).xpath(SWITCHER)
    assert set(found(client_for(cast.viewer).get("/switch/"))) == {"Acme", "Globex"}


def test_only_who_has_customers_in_the_rail_is_offered_to_find_one(cast, client_for):
    offered = {
        who: 'placeholder="Find a customer"'
        in client_for(getattr(cast, who), host=None).get("/settings/").content.decode()
        for who in ("owner", "auditor", "admin", "viewer", "stranger", "staff")
    }
    assert offered == {
        "owner": True,
        "auditor": True,
        "admin": False,
        "viewer": False,
        "stranger": False,
        "staff": False,
    }


def test_nobody_finds_a_customer_whom_they_may_not_enter(cast, client_for):
    assert set(found(client_for(cast.owner).get("/switch/"))) == {"Acme", "Globex"}
    assert found(client_for(cast.owner).get("/switch/", {"q": "initech"})) == {}
    assert found(client_for(cast.mallory, "globex").get("/switch/", {"q": "acme"})) == {}


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/people/", "/people/"),
        ("/people/7/remove/", "/people/"),
        ("/activity/", "/activity/"),
        ("/mailboxes/jobs/1/", "/mailboxes/"),
        ("/settings/", "/mailboxes/"),
        ("https://evil.example/people/", "/mailboxes/"),
        ("", "/mailboxes/"),
    ],
)
def test_one_lands_on_the_page_of_the_same_kind(cast, client_for, here, there):
    answer = client_for(cast.owner).get("/switch/", {"from": here})
    assert found(answer)["Globex"] == f"http://globex.portal.localhost{there}"


def test_a_search_that_finds_one_customer_leads_there_when_it_is_sent_off(cast, client_for):
    client, asked = client_for(cast.owner), {"q": "glob", "from": "/people/"}
    answer = client.get("/switch/", asked)
    assert (answer.status_code, answer.url) == (302, "http://globex.portal.localhost/people/")
    typed = client.get("/switch/", asked, headers={"HX-Request": "true"})
    assert "HX-Request" in typed["Vary"]  # or Back might show the list in the page's place
    assert typed.status_code == 200 and "Globex" in typed.content.decode()
