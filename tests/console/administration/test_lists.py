"""The lists of the administration: drawn, searched and asked as our own, and without a script of Django's."""

import re

import pytest
from django.contrib import admin
from lxml import html

from tenants.models import AuditEvent, Membership
from tests.pages import follows, presses, read, text_of

LISTS = [f"/admin/{model._meta.label_lower.replace('.', '/')}/" for model in admin.site._registry]


@pytest.fixture
def staff(cast, client_for):
    return client_for(cast.staff, host=None)


@pytest.mark.parametrize("path", LISTS)
def test_as_a_card_each_fact_has_its_columns_name(staff, cast, path):
    page = read(staff.get(path))
    heads = [text_of(head) for head in page.xpath("//main//thead//th")]
    for row in page.xpath("//main//table[contains(@class, 'cards')]/tbody/tr"):
        named = [cell.get("data-label") or heads[0] for cell in row.xpath("./th | ./td")]
        assert named == heads
        assert all(heads)


@pytest.mark.parametrize("path", LISTS)
def test_times_are_told_as_in_our_other_tables(staff, cast, path):
    told = text_of(read(staff.get(path)))
    assert not re.search(r"\d{1,2}:\d\d", told)
    assert "just now" in told or "Created" not in told


@pytest.mark.parametrize("path", LISTS)
def test_no_sheet_and_no_script_of_djangos_is_fetched(staff, cast, path):
    page = read(staff.get(path))
    assert not page.xpath("//script[contains(@src, 'admin/')] | //link[contains(@href, 'admin/css')]")


def test_what_is_chosen_is_asked_about_by_the_button_below_it(staff, cast):
    listed = staff.get("/admin/tenants/membership/")
    box = f"//input[@name='_selected_action'][@value='{cast.viewer.memberships.get().pk}']"
    (ticked,) = read(listed).xpath(box)
    assert cast.viewer.email in ticked.get("aria-label")
    Membership.objects.filter(user=cast.viewer).update(id=1234567)  # which is no amount
    listed = staff.get("/admin/tenants/membership/")

    asked = presses(listed, "Remove those chosen", _selected_action=["1234567"])

    assert "Take these roles away" in text_of(read(asked))
    assert Membership.objects.filter(user=cast.viewer).exists()
    presses(asked, "Remove")
    assert not Membership.objects.filter(user=cast.viewer).exists()
    nothing = presses(listed, "Remove those chosen")
    assert "must be selected" in text_of(read(staff.get(nothing["Location"])))


def test_a_list_in_which_nothing_was_found_says_so_and_offers_no_act(staff, cast):
    found = presses(staff.get("/admin/tenants/membership/"), "Search", q="nobody at all")
    assert "Nothing here fits what you search for." in text_of(read(found))
    assert "Remove those chosen" not in text_of(read(found))
    assert "There is nothing here yet." in text_of(read(staff.get("/admin/tenants/identityprovider/")))


def test_a_list_is_asked_for_what_its_columns_say(staff, cast):
    listed = staff.get("/admin/tenants/membership/?o=-1")
    viewers = presses(listed, "Search", role__exact="viewer", q="acme")
    rows = read(viewers).xpath("//main//tbody/tr")
    assert [text_of(row.xpath(".//th")[0]) for row in rows] == [cast.viewer.email]
    asked = read(viewers).xpath("//select[@name='role__exact']/option[@selected]")
    assert [text_of(option) for option in asked] == ["Viewer"]
    assert viewers.context["cl"].params["o"] == "-1", "in the order that it had"
    assert len(read(follows(viewers, "Show all")).xpath("//main//tbody/tr")) == Membership.objects.count()


def test_a_column_sorts_and_says_so(staff, cast):
    sorted_by = follows(staff.get("/admin/accounts/user/"), "Email address")
    (head,) = read(sorted_by).xpath("//th[@aria-sort]")
    assert (text_of(head), head.get("aria-sort")) == ("Email address", "descending")
    rows = [text_of(row) for row in read(sorted_by).xpath("//main//tbody//th")]
    assert rows == sorted(rows, reverse=True)


def test_a_long_list_has_pages(staff, cast, acme):
    AuditEvent.objects.bulk_create(AuditEvent(action="customer.changed") for _ in range(120))
    first = staff.get("/admin/tenants/auditevent/?q=customer")
    assert "Page 1 of 2" in text_of(read(first))
    second = follows(first, "Next")
    assert "Page 2 of 2" in text_of(read(second)) and second.context["cl"].query == "customer"
    assert "Page 1 of 2" in text_of(read(follows(second, "Previous")))


def test_of_a_day_one_gets_back_to_its_year(staff, cast):
    page = html.fromstring(staff.get("/admin/tenants/auditevent/").content)
    (dates,) = page.xpath("//nav[@aria-label='Dates']")
    day = staff.get("/admin/tenants/auditevent/" + dates.xpath(".//*[@class='segments']/a/@href")[0])
    assert read(day).xpath("//nav[@aria-label='Dates']//a[@aria-current='date']")
    assert read(day).xpath("//nav[@aria-label='Dates']//a[contains(@href, 'at__month')]")
