"""What is long stands there whole, and breaks alike in each place; what does not belong to a choice is not there."""

import pytest
from django.conf import settings
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Mailbox
from mailboxes.services import delivery_log, reset_password, sign_in_refusals, start_deletion, suspend_mailbox
from mailboxes.services.delivery_log import Direction, Reason, Visit
from mailboxes.work.slices import work_slice
from tenants import audit, services
from tenants.models import Customer
from tests.cast import PASSWORD

LONG = "Vito Donaudampfschifffahrtsgesellschaftskapitän"
# Of cells those of which something is cut.
CUT = """() => [...document.querySelectorAll("main .table :is(th, td), main .table :is(th, td) *")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline")
  .filter((one) => !one.closest(".visually-hidden, dialog") && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 120))"""
# The lines of an element's text.
LINES = """(one) => {
  const text = one.firstChild;
  const tops = [...text.data].map((_, at) => {
    const range = new Range();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    return range.getBoundingClientRect().top;
  });
  return [...new Set(tops)].map((top) => [...text.data].filter((_, at) => tops[at] === top).join(""));
}"""


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_people_are_shown_with_their_whole_name_and_address(visit, cast, acme_people, width):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        for path, customer, person in (("/team/", None, cast.owner), ("/people/", "acme", cast.viewer)):
            page.goto(visitor.url(path, customer))
            assert page.evaluate(CUT) == []
            assert page.get_by_role("table").first.get_by_text(person.email).is_visible()

    visit(story, viewport={"width": width, "height": 900})


@pytest.fixture
def acme_people(cast):
    cast.viewer.name = LONG
    cast.viewer.is_active = False
    cast.viewer.save()


# Of each row the heights of its badges' lines, and how high it is.
ROWS = """() => [...document.querySelectorAll("main .cards tbody tr")].map((row) => ({
  lines: new Set([...row.querySelectorAll("td .badge")].map((one) => one.getBoundingClientRect().top)).size,
  facts: new Set([...row.querySelectorAll("[data-label]")].filter((one) => one.checkVisibility())
    .map((one) => one.getBoundingClientRect().top)).size,
  named: [...row.querySelectorAll("[data-label]")].every((one) => getComputedStyle(one, "::before").content.length > 2),
  height: row.offsetHeight,
}))"""


def test_a_row_has_one_line_and_as_a_card_no_more_than_its_facts_need(visit, cast, acme, acme_mailbox):
    with tenant_context(acme):
        Mailbox.objects.update(
            name="The journal of the whole head office and its branches", status="suspended"
        )
        sign_in_refusals.note(acme_mailbox.address, "192.0.2.7")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        (row,) = page.evaluate(ROWS)
        assert (row["lines"], row["height"] < 50) == (1, True)
        page.set_viewport_size({"width": 360, "height": 900})
        (row,) = page.evaluate(ROWS)
        assert (row["facts"], row["named"], row["height"] < 190) == (1, True, True)
        page.goto(visitor.url("/people/", "acme"))
        assert {(row["facts"], row["named"]) for row in page.evaluate(ROWS)} == {(1, True)}

    visit(story, viewport={"width": 1440, "height": 900})


# Of facts on cards those whose name takes more than a line.
BROKEN = """() => [...document.querySelectorAll("main .cards [data-label]")].filter((one) => one.checkVisibility())
  .filter((one) => {
    const { fontFamily, fontSize, fontWeight, letterSpacing } = getComputedStyle(one, "::before");
    const name = document.body.appendChild(document.createElement("span"));
    Object.assign(name.style, { position: "absolute", whiteSpace: "nowrap", fontFamily, fontSize, fontWeight, letterSpacing });
    name.textContent = one.dataset.label;
    const wide = name.getBoundingClientRect().width;
    name.remove();
    return wide > one.getBoundingClientRect().width + 0.5;
  }).map((one) => one.dataset.label)"""


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_the_name_of_a_fact_takes_one_line_of_a_phone_in_each_language(
    visit, cast, acme, acme_mailbox, make_mailbox, fill, language
):
    fill(b"Hello.\r\n")
    delivery_log.note(acme_mailbox.address, Visit(Direction.DELIVERY, Reason.FULL, peer="192.0.2.7"))
    reset_password(acme, acme_mailbox.mailbox, current_password=acme_mailbox.password, by=cast.admin)
    gone = make_mailbox("Gone").mailbox
    suspend_mailbox(acme, gone, by=cast.admin)
    job = start_deletion(acme, gone, by=cast.admin)
    while work_slice(acme, job.pk):
        pass

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        mailbox = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
        pages = "/mailboxes/", "/people/", "/mailboxes/deleted/", "/settings/sessions/"
        broken = {}
        for path in (*pages, f"{mailbox}?tab=jobs", f"{mailbox}deliveries/"):
            page.goto(visitor.url(path, "acme"))
            assert page.locator(".cards [data-label]").count() > 0
            broken[path] = page.evaluate(BROKEN)
        assert not any(broken.values()), broken

    visit(story, locale=language, viewport={"width": 360, "height": 900})


def test_a_name_has_its_own_direction_and_stands_where_the_page_begins(visit, cast, acme, acme_mailbox):
    with tenant_context(acme):
        Mailbox.objects.update(name="The journal of the whole head office and its branches (all)")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        for path, name in (
            ("/mailboxes/", "tbody th a"),
            ("/mailboxes/", "tbody .mono"),
            (f"/mailboxes/{acme_mailbox.mailbox.pk}/", "#address"),
            (f"/mailboxes/{acme_mailbox.mailbox.pk}/", "#mailbox-id"),
            (f"/mailboxes/{acme_mailbox.mailbox.pk}/", "h1 bdi"),
        ):
            page.goto(visitor.url(path, "acme"))
            style = page.locator(f"main {name}").evaluate("(one) => getComputedStyle(one)")
            assert (style["direction"], style["textAlign"]) == ("ltr", "right")

    visit(story, locale="ar", viewport={"width": 360, "height": 900})


def test_a_password_breaks_in_the_same_places_wherever_it_stands(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/new/", "acme"))
        page.fill("[name=name]", "Journal")
        page.get_by_role("button", name="OK").click()
        box, sheet = page.locator("#generated-password"), page.locator(".doc .secret-value")
        for width in (320, 360, 600):
            page.set_viewport_size({"width": width, "height": 900})
            lines = box.evaluate(LINES)
            assert lines == sheet.evaluate(LINES)
            assert [len(line) for line in lines] == [20, 14], "four groups, then three"
        page.goto(visitor.url("/settings/password/"))
        page.set_viewport_size({"width": 360, "height": 900})
        page.fill("[name=current_password]", PASSWORD)
        page.get_by_role("button", name="Show the new password").click()
        assert len(page.locator("#generated-password").evaluate(LINES)) == 1, "a person's has no groups"

    visit(story)


def test_no_button_is_squeezed_by_what_stands_beside_it(visit, cast, acme_mailbox):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        heights = "[...document.querySelectorAll('.head .actions > .button')].map((one) => one.offsetHeight)"
        first, second = page.evaluate(heights)
        assert first == second
        page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/reset-password/", "acme"))
        assert len(page.locator("[data-show]").first.evaluate(LINES)) == 1

    visit(story, viewport={"width": 360, "height": 900}, locale="fr")


def test_only_what_the_kind_of_identity_provider_needs_is_asked_for(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/team/identity-provider/"))
        issuer, tenant = page.get_by_label("Issuer"), page.get_by_label("Tenant ID")
        assert (issuer.is_visible(), tenant.is_visible()) == (True, False)
        page.select_option("[name=kind]", "entra")
        assert (issuer.is_visible(), tenant.is_visible()) == (False, True)
        page.get_by_role("button", name="Save the settings").click()
        page.wait_for_selector("#id_tenant_error li")
        assert (issuer.is_visible(), tenant.is_visible()) == (False, True)

    visit(story, java_script_enabled=False)


def test_what_has_room_beside_each_other_stands_so_and_names_come_first(visit, cast, acme, acme_mailbox):
    services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/people/", "acme"))
        row = page.locator("tr", has_text="v@acme.example")
        tops = [
            row.get_by_role("button", name=verb).bounding_box()["y"] for verb in ("Send again", "Withdraw")
        ]
        assert tops[0] == tops[1]
        page.goto(visitor.url("/mailboxes/", "acme"))
        name, status = (page.locator(f"thead th >> nth={number}").bounding_box() for number in (0, 1))
        assert name["width"] > 2.5 * status["width"]

    visit(story, viewport={"width": 768, "height": 900})


# Of elements the words that stand on two lines and would fit on one. What has a dash may break after it.
SPLIT = """(all) => all.flatMap((one) => {
  const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT), split = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement.checkVisibility()) continue;
    for (const word of text.data.matchAll(/[^\\s-]+-?/g)) {
      const range = new Range();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const parts = [...range.getClientRects()];
      const wide = parts.reduce((sum, part) => sum + part.width, 0);
      if (new Set(parts.map((part) => part.top)).size > 1 && wide < one.clientWidth) split.push(word[0]);
    }
  }
  return split;
})"""


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_no_word_of_who_acted_where_and_when_is_broken(visit, cast, acme, globex, language, width):
    Customer.objects.filter(pk=acme.pk).update(name="Acme (acme-later2, 2026-11-30)")
    for customer in (acme, globex):
        audit.record("customer.changed", by=SYSTEM, customer=customer, target=customer)
    services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        for host in (None, "acme"):
            page.goto(visitor.url("/activity/", host))
            asides = page.locator(".feed .aside:visible")
            assert asides.count() > 1
            assert asides.evaluate_all(SPLIT) == [], host

    visit(story, locale=language, viewport={"width": width, "height": 900})


# Of times those whose first part would have had room on the line before.
LATE = """(all) => all.filter((time) => {
  const before = time.previousSibling, part = new Range(), last = new Range();
  const end = before.data.trimEnd().length;
  last.setStart(before, end - 1);
  last.setEnd(before, end);
  part.setStart(time.firstChild, 0);
  part.setEnd(time.firstChild, time.firstChild.data.search(/\\s/));
  const [from, to] = [last.getBoundingClientRect(), part.getClientRects()[0]];
  const room = time.closest("p").getBoundingClientRect().right - from.right;
  return Math.abs(from.top - to.top) > 3 && room > to.width + 8;
}).map((time) => time.parentElement.textContent.trim())"""


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_a_time_in_a_note_leaves_no_line_half_empty(visit, cast, acme, acme_mailbox, language):
    with tenant_context(acme):
        sign_in_refusals.note(acme_mailbox.address, "192.0.2.7")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/", "acme"))
        assert page.locator(".notice time:visible").count() == 2
        late = []
        for width in range(320, 400, 4):
            page.set_viewport_size({"width": width, "height": 900})
            late += page.locator(".notice time").evaluate_all(LATE)
        assert late == []

    visit(story, locale=language, viewport={"width": 360, "height": 900})
