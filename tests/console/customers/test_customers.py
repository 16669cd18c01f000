"""The base host: everybody lands where they work; operators find their customers."""

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.services import tallies
from tenants import directory, services
from tenants.access import ROLE_RIGHTS, Right
from tenants.counts import MailboxFigures
from tenants.models import Customer, DirectoryEntry
from tenants.services import add_membership
from tests.cast import provider
from tests.pages import follows, read, text_of


@pytest.fixture
def visit(client_for):
    def get(user, path, **data):
        return client_for(user, host=None).get(path, data, headers={"host": "portal.localhost:8000"})

    return get


def names(answer):
    return [text_of(link) for link in read(answer).xpath("//th[@scope='row']//a[contains(@class, 'clip')]")]


@pytest.mark.parametrize(
    ("who", "where"),
    [
        ("owner", "/customers/"),
        ("auditor", "/customers/"),
        ("admin", "http://acme.portal.localhost:8000/mailboxes/"),
        ("viewer", "http://acme.portal.localhost:8000/mailboxes/"),
        ("staff", "/admin/"),
        ("stranger", "/customers/"),
    ],
)
def test_home_leads_everybody_to_their_work(cast, visit, who, where):
    answer = visit(getattr(cast, who), "/")
    assert (answer.status_code, answer["Location"]) == (302, where)


def test_home_asks_who_works_for_two_customers_which(cast, globex, visit):
    add_membership(cast.admin, customer=globex, role="viewer", by=SYSTEM)
    assert visit(cast.admin, "/")["Location"] == "/customers/"
    assert names(visit(cast.admin, "/customers/")) == ["Acme", "Globex"]


def test_the_list_shows_name_host_mailboxes_and_link(cast, acme, visit):
    for number, status in enumerate(["active", "suspended", "retired"]):
        directory.publish(
            address=f"mbx-{number}@gateway.localhost",
            customer=acme,
            mailbox_id=uuid.uuid4(),
            status=status,
            public_key=b"",
            generation=1,
        )
    page = visit(cast.owner, "/customers/")
    (row,) = (row for row in read(page).xpath("//tbody/tr") if "acme.portal.localhost" in text_of(row))
    assert text_of(row.xpath("td[@data-label='Mailboxes']")[0]) == "2"
    assert row.xpath(".//a/@href") == ["http://acme.portal.localhost:8000/mailboxes/", "/customers/acme/"]
    assert "Initech" not in page.content.decode()  # another provider's


def test_the_list_searches_name_and_host(cast, visit):
    assert names(visit(cast.owner, "/customers/", q="ACM")) == ["Acme"]
    assert names(visit(cast.owner, "/customers/", q="Acme.portal.localhost")) == ["Acme"]
    assert names(visit(cast.owner, "/customers/", q="acme.portal.localhost.example")) == []
    assert names(visit(cast.owner, "/customers/", q="initech")) == []
    assert "&lt;script&gt;" in visit(cast.owner, "/customers/", q="<script>").content.decode()


def test_the_list_is_searched_word_by_word_as_all_lists_are(cast, visit):
    Customer.objects.filter(slug="acme").update(name="Acme Bauer & Sons")
    for words in ("sons acme", "BAUER  ac", "bauer acme.portal.localhost", " "):
        assert "Acme Bauer & Sons" in names(visit(cast.owner, "/customers/", q=words)), words
    assert names(visit(cast.owner, "/customers/", q="sons globex")) == []


def test_the_list_sorts_and_keeps_the_search(cast, visit):
    assert names(visit(cast.owner, "/customers/", sort="-name")) == ["Globex", "Acme"]
    assert names(visit(cast.owner, "/customers/", sort="nonsense")) == ["Acme", "Globex"]
    page = visit(cast.owner, "/customers/", q="o", sort="mailboxes").content.decode()
    assert 'aria-sort="ascending"' in page
    assert "?q=o&amp;sort=-mailboxes" in page


def test_fifty_customers_make_a_page(cast, visit):
    northwind = provider("northwind")
    # The list asks no schema, so these have none.
    Customer.objects.bulk_create(
        Customer(slug=f"shop-{n:02}", name=f"Shop {n:02}", schema_name=f"c_shop_{n:02}", provider=northwind)
        for n in range(49)
    )
    assert len(names(visit(cast.owner, "/customers/"))) == 50
    assert names(visit(cast.owner, "/customers/", page="2")) == ["Shop 48"]
    assert names(visit(cast.owner, "/customers/", page="x"))[0] == "Acme"
    assert names(visit(cast.owner, "/customers/", page="99")) == ["Shop 48"]


def test_the_list_reads_the_mailboxes_of_those_it_shows_and_no_others(cast):
    made = Customer.objects.bulk_create(
        Customer(slug=f"s-{n}", name=f"S {n}", schema_name=f"c_s_{n}", provider=provider("northwind"))
        for n in range(60)
    )
    DirectoryEntry.objects.bulk_create(
        DirectoryEntry(address=f"{n}-{one.slug}@x", customer=one, mailbox_id=uuid.uuid4(), generation=1)
        for one in made
        for n in range(3)
    )
    found = services.list_customers(by=cast.owner)[:21]
    assert [one.mailboxes for one in found[2:]] == [3] * 19

    entries = DirectoryEntry._meta.db_table

    def read_by(node):
        here = node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name") == entries else 0
        return here + sum(map(read_by, node.get("Plans", [])))

    (plan,) = json.loads(found.explain(format="json", analyze=True))
    assert read_by(plan["Plan"]) <= 21 * 3


@pytest.mark.parametrize(("q", "found"), [("", ["Acme", "Globex"]), ("o", ["Globex"])])
def test_the_switcher_asks_once_and_counts_nothing(cast, client_for, q, found):
    """With each letter that somebody types."""
    client, heads = client_for(cast.owner), {"HX-Request": "true"}
    client.get("/switch/", {"q": q}, headers=heads)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get("/switch/", {"q": q}, headers=heads)
    assert [text_of(link) for link in read(answer).xpath("//li//span[@dir]")] == found
    asked = [query["sql"] for query in asked]
    assert sum(sql.startswith('SELECT "tenants_customer"') and "LIMIT" in sql for sql in asked) == 1, asked
    assert not any("COUNT(" in sql or DirectoryEntry._meta.db_table in sql for sql in asked), asked


def test_the_list_says_how_many_there_are_and_one_link_leads_back_from_a_search(cast, client_for):
    client = client_for(cast.owner, host=None)
    assert "2 customers" in text_of(read(client.get("/customers/")).find(".//main"))
    found = client.get("/customers/", {"q": "glob"})
    assert "1 customer" in text_of(read(found).find(".//main"))
    assert names(follows(client.get("/customers/", {"q": "zzzz"}), "Show all")) == ["Acme", "Globex"]


def test_the_list_shows_what_waits_since_when_and_the_mail_of_thirty_days(
    cast, acme, acme_mailbox, fill, visit
):
    fill(b"one", b"two")
    with tenant_context(acme):
        tallies.fold(acme)
    page = visit(cast.owner, "/customers/", sort="-waiting")
    assert names(page) == ["Acme", "Globex"]

    def cell(label, number=0):
        return read(page).xpath(f"//tbody/tr/td[@data-label='{label}']")[number]

    assert text_of(cell("Waiting · oldest")) == "2 · just now"
    assert [text_of(cell(label)) for label in ("Last mail in", "Last collection")] == ["just now", "not yet"]
    assert [text_of(cell(label, 1)) for label in ("Waiting · oldest", "Last mail in")] == ["0", "not yet"]
    assert cell("Mail in, day by day").xpath("*/@aria-label") == ["Mail in, day by day: 2"]
    for sort in ("last_mail_at", "-last_collection_at", "waiting"):
        assert {*names(visit(cast.owner, "/customers/", sort=sort))} == {"Acme", "Globex"}


def test_the_list_asks_the_same_of_ten_customers_and_of_a_thousand(cast, client_for):
    client = client_for(cast.owner, host=None)

    def asked(sort, more=0):
        made = Customer.objects.bulk_create(
            Customer(slug=f"t-{n}", name=f"T {n}", schema_name=f"c_t_{n}", provider=provider("northwind"))
            for n in range(more)
        )
        today = timezone.now()
        MailboxFigures.objects.bulk_create(
            MailboxFigures(mailbox_id=uuid.uuid4(), customer=one, messages=1, octets=1, folded_at=today)
            for one in made
        )
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/customers/", {"sort": sort}).status_code == 200
        return len(queries)

    asked("name")
    few = [asked(sort) for sort in ("name", "-waiting")]
    asked("name", more=1000)
    assert [asked(sort) for sort in ("name", "-waiting")] == few
    assert max(few) <= 15


def test_every_column_has_a_heading_and_no_cell_is_empty(cast, acme, visit):
    page = read(visit(cast.owner, "/customers/"))
    headings = ["Name", "Mailboxes", "Waiting · oldest", "Mail in, day by day", "Last mail in"]
    assert [text_of(one) for one in page.xpath("//table//th[@scope='col']")] == [*headings, "Last collection"]
    assert not page.xpath("//th[@scope='col']/*[@class='visually-hidden']")
    assert all(text_of(cell) or cell.xpath("*[@aria-label]") for cell in page.xpath("//table/tbody//td"))


def test_a_switch_to_nobody_leads_back(cast, client_for):
    page = client_for(cast.owner).get("/switch/", {"q": "zzzz", "from": "/people/"})
    shown = follows(page, "Show all")
    assert shown.wsgi_request.GET.dict() == {"from": "/people/"}
    assert [text_of(link) for link in read(shown).xpath("//main//li//span[@dir]")] == ["Acme", "Globex"]
    assert "All customers" in text_of(read(page).find(".//main"))
    assert "All customers" not in text_of(read(client_for(cast.admin).get("/switch/")).find(".//main"))


def test_who_has_no_customers_is_told_what_to_do(cast, visit):
    assert "Ask an owner of your service provider" in visit(cast.stranger, "/customers/").content.decode()
    assert "/admin/" in visit(cast.staff, "/customers/").content.decode()


def test_the_frame_leads_only_to_where_the_table_of_rights_lets_people_in(cast, visit, monkeypatch):
    def places():
        return read(visit(cast.auditor, "/customers/")).xpath("//nav[@aria-label='Pages']/div/a/@href")

    assert places() == ["/customers/", "/team/", "/activity/"]
    monkeypatch.setitem(ROLE_RIGHTS, "auditor", frozenset({Right.VIEW_MAILBOXES, Right.VIEW_TEAM_ACTIVITY}))
    assert places() == ["/customers/", "/activity/"]
    assert visit(cast.auditor, "/team/").status_code == 403


def test_the_base_host_has_no_mailboxes(cast, visit):
    assert visit(cast.admin, "/mailboxes/").status_code == 404


def test_the_administration_is_on_the_base_host_only(cast, client_for, visit):
    assert visit(cast.staff, "/admin/").status_code == 200
    assert client_for(cast.owner).get("/admin/").status_code == 404


def test_a_search_for_more_than_anybody_means_looks_for_its_beginning_and_says_so(cast, client_for):
    for host, path in (("acme", "/mailboxes/"), ("acme", "/mailboxes/deleted/"), (None, "/customers/")):
        with CaptureQueriesContext(connection) as asked:
            page = client_for(cast.owner, host=host).get(path, {"q": "zebra " * 1000})
        assert "Only the first 8 words" in page.content.decode()
        assert 0 < max(query["sql"].count(" LIKE ") for query in asked if "zebra" in query["sql"]) <= 8 * 4
