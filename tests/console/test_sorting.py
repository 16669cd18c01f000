"""Names stand in each list where people look for them, each on one page."""

import pytest
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.services import create_person
from accounts.sorting import by_name
from mailboxes.models import Mailbox
from tenants.models import Customer
from tenants.services import add_membership
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
]
LIKE = ["Resume", "Résume", "résumé", "resume"]


def listed(answer):
    found = [text_of(name) for name in read(answer).xpath("//th[@scope='row']//a")]
    return [name for name in found if name in NAMES]


def mailboxes(cast, acme, northwind):
    with tenant_context(acme):
        Mailbox.objects.bulk_create(
            Mailbox(name=name, address=f"mbx-{number}@gateway.localhost")
            for number, name in enumerate(reversed(NAMES))
        )
    return cast.admin, "acme", "/mailboxes/"


def customers(cast, acme, northwind):
    _customers(northwind, reversed(NAMES))
    return cast.owner, None, "/customers/"


def people(cast, acme, northwind):
    for number, name in enumerate(reversed(NAMES)):
        person, _ = create_person(f"{number}@acme.example", name=name, password="a-long-way-to-go", by=SYSTEM)
        add_membership(person, customer=acme, role="viewer", by=SYSTEM)
    return cast.admin, "acme", "/people/"


def _customers(northwind, names):
    for number, name in enumerate(names):
        slug = f"c-{number}"
        Customer.objects.create(slug=slug, name=name, provider=northwind, schema_name=f"c_{slug}")


@pytest.mark.parametrize("kind", [mailboxes, customers, people])
def test_a_name_stands_where_people_look_for_it(client_for, cast, acme, northwind, kind):
    who, customer, path = kind(cast, acme, northwind)
    host = f"{customer}.portal.localhost:8000" if customer else "portal.localhost:8000"
    client = client_for(who, host=None)
    for sort, expected in (("name", NAMES), ("-name", NAMES[::-1])):
        assert listed(client.get(path, {"sort": sort}, headers={"host": host})) == expected


def test_names_that_are_alike_stand_on_one_page_each(northwind):
    _customers(northwind, LIKE * 5)
    found = Customer.objects.filter(slug__startswith="c-").order_by(*by_name())
    pages = [found[at : at + 3] for at in range(0, 20, 3)]
    assert len({one.pk for page in pages for one in page}) == 20
