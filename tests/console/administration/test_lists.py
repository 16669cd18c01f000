"""The lists of the administration: drawn, searched and asked as our own, and without a script of Django's."""

import re

import pytest
from django.apps import apps
from django.contrib.admin import site
from lxml import html

from accounts.models import User
from tenants.models import AuditEvent, Customer, Domain, Membership, Provider
from tests.pages import follows, presses, read, text_of

LISTS = [f"/admin/{model._meta.label_lower.replace('.', '/')}/" for model in site._registry]


@pytest.mark.parametrize("path", LISTS)
def test_as_a_card_each_fact_has_its_columns_name(admin, nothing_empty, path):
    page = read(admin.get(path))
    heads = [text_of(head) for head in page.xpath("//main//thead//th")]
    rows = page.xpath("//main//table[contains(@class, 'cards')]/tbody/tr")
    assert rows
    for row in rows:
        named = [cell.get("data-label") or heads[0] for cell in row.xpath("./th | ./td")]
        assert named == heads
        assert all(heads)


@pytest.mark.parametrize("path", LISTS)
def test_times_are_told_as_in_our_other_tables(admin, nothing_empty, path):
    page = read(admin.get(path))
    assert not re.search(r"\d{1,2}:\d\d", text_of(page))
    for time in page.xpath("//main//tbody//time"):
        assert re.search(r"just now|\d+ min ago", text_of(time))


@pytest.mark.parametrize("path", LISTS)
def test_a_list_answers_what_it_offers_to_be_asked_and_nothing_else(admin, nothing_empty, path):
    """Least of all by an error of ours, at what the database makes of it."""
    page = read(admin.get(path))
    offered = [
        f"?{select.get('name')}={option.get('value')}"
        for select in page.xpath("//main//form[@role='search']//select")
        for option in select.xpath("./option")
    ]
    days = [link.get("href") for link in page.xpath("//main//nav[@aria-label='Dates']//a[@href]")]
    assert bool(offered) == bool(site.get_model_admin(_model_of(path)).list_filter)
    for asked in offered + days:
        assert admin.get(path + asked).status_code == 200, asked
    fields = [field.name for field in _model_of(path)._meta.fields]
    for field in [*fields, "user__password", "tenant__name"]:
        for how in ("regex", "startswith", "gte", "in"):
            assert admin.get(path, {f"{field}__{how}": "("}).status_code == 400, (field, how)
    refused = (
        400 if page.xpath("//main//input[@name='_selected_action']") else 200
    )  # as if nothing was pressed
    for chosen in ("x", "9" * 30):
        answer = admin.post(path, {"action": "delete_selected", "_selected_action": chosen})
        assert answer.status_code == refused, chosen


def _model_of(path):
    return apps.get_model(*path.strip("/").split("/")[1:])


@pytest.mark.parametrize(
    "day", ["at__year=9999", "at__year=1", "at__year=9999&at__month=12&at__day=31", "at__month=13"]
)
def test_a_day_that_is_none_leads_back_to_the_list(admin, day):
    answer = admin.get(f"/admin/tenants/auditevent/?{day}")
    assert answer.status_code in (200, 302)


@pytest.mark.parametrize("path", LISTS)
def test_no_sheet_and_no_script_of_djangos_is_fetched(admin, cast, path):
    page = read(admin.get(path))
    assert not page.xpath("//script[contains(@src, 'admin/')] | //link[contains(@href, 'admin/css')]")


def test_what_is_chosen_is_asked_about_by_the_button_below_it(admin, cast):
    listed = admin.get("/admin/tenants/membership/")
    box = f"//input[@name='_selected_action'][@value='{cast.viewer.memberships.get().pk}']"
    (ticked,) = read(listed).xpath(box)
    assert cast.viewer.email in ticked.get("aria-label")
    Membership.objects.filter(user=cast.viewer).update(id=1234567)  # which is no amount
    listed = admin.get("/admin/tenants/membership/")

    asked = presses(listed, "Remove those chosen", _selected_action=["1234567"])

    assert "Take these roles away" in text_of(read(asked))
    assert Membership.objects.filter(user=cast.viewer).exists()
    presses(asked, "Remove")
    assert not Membership.objects.filter(user=cast.viewer).exists()
    nothing = presses(listed, "Remove those chosen")
    assert "must be selected" in text_of(read(admin.get(nothing["Location"])))


def test_a_list_in_which_nothing_was_found_says_so_and_offers_no_act(admin, cast):
    found = presses(admin.get("/admin/tenants/membership/"), "Search", q="nobody at all")
    assert "Nothing here fits what you search for." in text_of(read(found))
    assert "Remove those chosen" not in text_of(read(found))
    assert "There is nothing here yet." in text_of(read(admin.get("/admin/tenants/identityprovider/")))


def test_a_list_is_asked_for_what_its_columns_say(admin, cast):
    listed = admin.get("/admin/tenants/membership/?o=-1")
    viewers = presses(listed, "Search", role__exact="viewer", q="acme")
    rows = read(viewers).xpath("//main//tbody/tr")
    assert [text_of(row.xpath(".//th")[0]) for row in rows] == [cast.viewer.email]
    asked = read(viewers).xpath("//select[@name='role__exact']/option[@selected]")
    assert [text_of(option) for option in asked] == ["Viewer"]
    assert viewers.context["cl"].params["o"] == "-1", "in the order that it had"
    assert len(read(follows(viewers, "Show all")).xpath("//main//tbody/tr")) == Membership.objects.count()


def test_a_column_sorts_and_says_so(admin, cast):
    sorted_by = follows(admin.get("/admin/accounts/user/"), "Email address")
    (head,) = read(sorted_by).xpath("//th[@aria-sort]")
    assert (text_of(head), head.get("aria-sort")) == ("Email address", "descending")
    rows = [text_of(row) for row in read(sorted_by).xpath("//main//tbody//th")]
    assert rows == sorted(rows, reverse=True)


NAMES = ["eden", "Élan", "öko", "Oslo", "Zug"]


@pytest.fixture
def named(admin, northwind):
    """Customers and hosts with these names, made in another order, and a provider with one."""
    for number, name in enumerate(reversed(NAMES)):
        slug = f"c-{number}"
        customer = Customer.objects.create(slug=slug, name=name, provider=northwind, schema_name=f"c_{slug}")
        Domain.objects.create(domain=f"{slug}.portal.localhost", tenant=customer, is_primary=True)
        Membership.objects.create(
            user=User.objects.create(email=f"{slug}@a.example"), customer=customer, role="viewer"
        )
        Provider.objects.create(slug=slug, name=name)


@pytest.mark.parametrize(
    ("path", "column"),
    [("provider", "Name"), ("customer", "Name"), ("domain", "Customer"), ("membership", "Customer")],
)
def test_names_stand_where_our_other_lists_have_them(admin, named, path, column):
    up = follows(admin.get(f"/admin/tenants/{path}/?o=99"), column)
    assert _names(up) == NAMES
    assert _names(follows(up, column)) == NAMES[::-1]


def test_names_to_choose_from_stand_where_our_lists_have_them(admin, named):
    assert _names(admin.get("/admin/tenants/customer/")) == NAMES
    found = admin.get(
        "/admin/autocomplete/", {"app_label": "tenants", "model_name": "membership", "field_name": "customer"}
    )
    assert [one["text"] for one in found.json()["results"] if one["text"] in NAMES] == NAMES
    providers = read(admin.get("/admin/tenants/customer/add/")).xpath("//select[@name='provider']/option")
    assert [text_of(one) for one in providers if text_of(one) in NAMES] == NAMES


def _names(answer):
    cells = read(answer).xpath("//main//tbody//tr/*[self::th or self::td]")
    return [text_of(cell) for cell in cells if text_of(cell) in NAMES]


def test_a_long_list_has_pages(admin, cast, acme):
    AuditEvent.objects.bulk_create(AuditEvent(action="customer.changed") for _ in range(120))
    first = admin.get("/admin/tenants/auditevent/?q=customer")
    assert "Page 1 of 2" in text_of(read(first))
    second = follows(first, "Next")
    assert "Page 2 of 2" in text_of(read(second)) and second.context["cl"].query == "customer"
    assert "Page 1 of 2" in text_of(read(follows(second, "Previous")))


def test_of_a_day_one_gets_back_to_its_year(admin, cast):
    page = html.fromstring(admin.get("/admin/tenants/auditevent/").content)
    (dates,) = page.xpath("//nav[@aria-label='Dates']")
    day = admin.get("/admin/tenants/auditevent/" + dates.xpath(".//*[@class='segments']/a/@href")[0])
    assert read(day).xpath("//nav[@aria-label='Dates']//a[@aria-current='date']")
    assert read(day).xpath("//nav[@aria-label='Dates']//a[contains(@href, 'at__month')]")


@pytest.mark.parametrize("model", ["customer", "provider", "membership", "auditevent"])
def test_the_lists_can_be_searched(admin, cast, model):
    page = admin.get(f"/admin/tenants/{model}/")
    found = presses(page, "Search", q="acme")
    assert found.status_code == 200 and found.context["cl"].query == "acme"
    assert found.context["cl"].result_count < page.context["cl"].result_count
    assert follows(found, "Show all").context["cl"].query == ""


def test_words_are_found_in_any_order_and_by_plain_letters(admin, cast):
    User.objects.filter(pk=cast.viewer.pk).update(name="Zoë Müller-Strauß")
    found = presses(admin.get("/admin/accounts/user/"), "Search", q="strauss zoe")
    assert [row.pk for row in found.context["cl"].result_list] == [cast.viewer.pk]
    named = admin.get(
        "/admin/autocomplete/?term=muller&app_label=tenants&model_name=membership&field_name=user"
    )
    assert [choice["id"] for choice in named.json()["results"]] == [str(cast.viewer.pk)]


def test_the_search_of_a_list_is_labelled_in_the_readers_language(admin, cast):
    cast.staff.language = "ar"
    cast.staff.save()
    page = html.fromstring(admin.get("/admin/tenants/customer/").content)
    assert page.xpath("string(//form[@role='search']//label)") == "بحث"
    assert not page.xpath("//form[@role='search']//img")


def test_lists_count_and_say_yes_or_no_in_words(admin, cast):
    page = admin.get("/admin/accounts/user/")
    assert f"Entries: {User.objects.count()}" in text_of(read(page))
    (row,) = html.fromstring(page.content).xpath(f"//tr[contains(., '{cast.owner.email}')]")
    said = [text_of(row.xpath(f"./td[@data-label='{label}']")[0]) for label in ("Platform staff", "Active")]
    assert said == ["no", "yes"]
    assert not row.xpath(".//img")
