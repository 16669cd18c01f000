"""Names stand in each list where people look for them, each on one page, and are found by plain letters."""

import re
from itertools import product

import pytest
from django.contrib.staticfiles import finders
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.lists import LETTERS, MARKS
from accounts.models import User
from mailboxes import services as mailbox_services
from mailboxes.models import Mailbox
from tenants import services
from tenants.access import providers_of
from tenants.models import Customer, Membership
from tests.pages import read, text_of

# Where people look for them.
NAMES = [
    "Abel",
    "Éclair",
    "eden",
    "Élan",
    "Łódź",
    "Lyon",
    "öko",
    "Oslo",
    "Ostrava",
    "Straße",
    "Strauss",
    "Zug",
    "Zürich",
    "Νίκος",
]
FOUND = {
    "zurich": ["Zürich"],
    "ZÜR": ["Zürich"],
    "strasse": ["Straße"],
    "STRAẞE": ["Straße"],
    "lodz": ["Łódź"],
    "öslo": ["Oslo"],
    "stra": ["Ostrava", "Straße", "Strauss"],
    "ΝΙΚΟΣ": ["Νίκος"],
    "_": [],
    "%": [],
}
# More than a page has; a customer's mailboxes differ in marks at least.
ALIKE = ["Resume", "Résume", "résumé", "resume"] * 15
MARKED = ["r" + "s".join(letters) for letters in product("eé", repeat=6)]


def mailboxes(names, acme, northwind):
    with tenant_context(acme):
        Mailbox.objects.bulk_create(
            Mailbox(name=name, address=f"mbx-{number}@gateway.localhost") for number, name in enumerate(names)
        )


def customers(names, acme, northwind):
    Customer.objects.bulk_create(
        Customer(slug=f"c-{number}", name=name, provider=northwind, schema_name=f"c_c_{number}")
        for number, name in enumerate(names)
    )


def people(names, acme, northwind):
    _members(names, customer=acme, role="viewer")


def team(names, acme, northwind):
    _members(names, provider=northwind, role="auditor")


def _members(names, **membership):
    made = User.objects.bulk_create(
        User(email=f"{number}@acme.example", name=name) for number, name in enumerate(names)
    )
    Membership.objects.bulk_create(Membership(user=user, **membership) for user in made)


@pytest.fixture(
    params=[
        (mailboxes, "admin", "acme.portal.localhost:8000", "/mailboxes/"),
        (customers, "owner", "portal.localhost:8000", "/customers/"),
        (people, "admin", "acme.portal.localhost:8000", "/people/"),
        (team, "owner", "portal.localhost:8000", "/team/"),
    ],
    ids=lambda param: param[0].__name__,
)
def fill(request, client_for, cast, acme, northwind):
    """Puts these names into a list. Gives what asks its page, which gives the links to those that are shown."""
    make, who, host, path = request.param
    client = client_for(getattr(cast, who), host=None)

    def fills(names):
        make(names, acme, northwind)

        def ask(**asked):
            found = read(client.get(path, asked, headers={"host": host})).xpath("//th[@scope='row']//a")
            return [one for one in found if text_of(one) in names]

        return ask

    return fills


def test_a_name_stands_where_people_look_for_it(fill):
    ask = fill(NAMES[::-1])
    for sort, expected in (("name", NAMES), ("-name", NAMES[::-1])):
        assert [text_of(one) for one in ask(sort=sort)] == expected


@pytest.mark.parametrize("sort", ["name", "-name"])
def test_names_that_are_alike_stand_on_one_page_each(request, fill, sort):
    alike = MARKED if "mailboxes" in request.node.name else ALIKE
    ask = fill(alike)
    first, second = ([one.get("href") for one in ask(sort=sort, page=number)] for number in (1, 2))
    assert first and second
    assert len({*first, *second}) == len(alike)


@pytest.mark.parametrize("sort", ["name", "-name", "role", "-mailboxes", "nothing"])
def test_each_row_has_a_place_of_its_own(cast, acme, northwind, sort):
    """PostgreSQL keeps rows that are alike in order for as long as there are few, and then no more."""
    with tenant_context(acme):
        mailboxes_found = mailbox_services.list_mailboxes(acme, by=SYSTEM, sort=sort)
    for found in (
        mailboxes_found,
        services.find_customers(by=cast.owner),
        services.list_customers(by=cast.owner, sort=sort),
        services.members(acme, by=SYSTEM, sort=sort),
        services.members(northwind, by=SYSTEM, sort=sort),
        services.invited(acme, by=SYSTEM),
        providers_of(cast.owner),
        northwind.customers_by_name(),
    ):
        assert found.query.order_by[-1] == "pk"


def test_a_name_is_found_by_plain_letters(fill):
    ask = fill(NAMES)
    for typed, found in FOUND.items():
        assert [text_of(one) for one in ask(q=typed)] == found, typed


def test_boxes_are_filtered_by_the_same_letters():
    with open(finders.find("portal/app.js"), encoding="utf-8") as script:
        code = script.read()
    [line] = re.findall(r"const LETTERS = \{(.+)\};", code)
    assert dict(re.findall(r'(\w): "(\w+)"', line)) == LETTERS
    assert f"/{MARKS}/g" in code
