"""What the page with a password, and the guide, are there for: taking with one what stands on them."""

import re

import pytest
from django.conf import settings
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Job
from mailboxes.services import reset_password, sign_in_refusals, start_deletion, suspend_mailbox
from mailboxes.work.slices import work_slice
from tenants import branding
from tests.cast import PASSWORD
from tests.tenants.drawing import picture

COPY = "[data-copy='#address']"
SHEET = re.compile(rb"/Type\s*/Page\b")  # each is an object of the PDF


@pytest.fixture
def opened(cast, acme_mailbox):
    """An admin of Acme signs in and opens the mailbox's page."""

    def sign_in(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        visitor.page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/", "acme"))
        return visitor.page

    return sign_in


def test_copying_is_told_to_everybody_and_leaves_the_button_as_it_was(visit, opened, acme_mailbox):
    def story(visitor):
        page = opened(visitor)
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        label = page.inner_text(COPY)
        for _press in range(2):
            page.click(COPY)
            page.get_by_role("status").filter(has_text="Copied.").wait_for(state="visible")
        page.wait_for_function("() => document.querySelector('#said').textContent === ''")
        assert page.inner_text(COPY) == label
        assert (visitor.complaints, visitor.foreign) == ([], [])
        return page.evaluate("navigator.clipboard.readText()")

    assert visit(story) == acme_mailbox.address


def test_where_the_browser_lets_no_page_copy_the_text_is_selected_and_that_is_said(
    visit, opened, acme_mailbox
):
    def story(visitor):
        page = opened(visitor)
        # As in a browser that reaches the portal by plain HTTP under another name.
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.click(COPY)
        page.get_by_role("status").filter(has_text="The text is selected").wait_for(state="visible")
        return page.evaluate("getSelection().toString()")

    assert visit(story) == acme_mailbox.address


@pytest.mark.parametrize("width", [360, 1440])
def test_the_list_shows_what_differs_of_an_address_and_copies_all_of_it(visit, cast, acme_mailbox, width):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        address = page.locator(f"#address-{acme_mailbox.mailbox.pk}")
        assert address.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing of it is cut off"
        size = address.locator("span").evaluate("domain => getComputedStyle(domain).fontSize")
        assert size == "0px", "the note beside the search says it for all"
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.locator(f"[data-copy='#address-{acme_mailbox.mailbox.pk}']").click()
        page.get_by_role("status").filter(has_text="The text is selected").wait_for(state="visible")
        return page.evaluate("getSelection().toString()")

    assert visit(story, viewport={"width": width, "height": 900}) == acme_mailbox.address


def test_the_hand_over_sheet_is_printed_in_the_language_of_who_gets_it_and_in_no_other(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/new/", "acme"))
        page.fill("[name=name]", "Zug")
        page.select_option("[name=sheet_language]", "ar")
        page.get_by_role("button", name="OK").click()
        assert page.inner_text("h1") == "The password of “Zug”"
        buttons = page.get_by_role("button", name="Copy the password")
        assert buttons.evaluate("button => getComputedStyle(button).direction") == "ltr"
        page.emulate_media(media="print")
        return page.inner_text("body")

    printed = visit(story)
    assert "كلمة مرور" in printed
    assert "Zug" in printed
    for english in ("The password of", "Copy the password", "User name", "Create mailbox", "Skip to content"):
        assert english not in printed


@pytest.fixture
def deleted(acme, acme_mailbox, fill):
    """The path of the certificate of a mailbox with a long name."""
    mailbox = acme_mailbox.mailbox
    fill(b"x" * 3000)
    suspend_mailbox(acme, mailbox, by=SYSTEM)
    job = start_deletion(acme, mailbox, confirmed_name=mailbox.name, by=SYSTEM)
    while work_slice(acme, job.pk):
        pass
    return f"/mailboxes/deleted/{mailbox.pk}/"


def test_a_deleted_mailbox_takes_one_line_of_the_list(visit, cast, deleted):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/deleted/", "acme"))
        lines = "one => new Set([...one.getClientRects()].map((line) => line.top)).size"
        return page.locator("tbody .mono").evaluate(lines)

    assert visit(story, viewport={"width": 1440, "height": 900}) == 1


def test_what_is_filed_takes_one_sheet_of_paper_in_each_language(visit, cast, northwind, deleted):
    """With all that a provider can put upon it."""
    contacts = {"support_email": "help@northwind.example", "support_phone": "+49 30 0000 2200"}
    website = "https://northwind.example/help/with-gateway-mailboxes/"
    branding.set_branding(
        northwind, name="Northwind Managed Mail", support_url=website, **contacts, by=cast.owner
    )
    branding.set_logo(northwind, picture((160, 160)), by=cast.owner)

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(deleted, "acme"))
        certificate = page.pdf(prefer_css_page_size=True)
        page.goto(visitor.url("/mailboxes/new/", "acme"))
        page.fill("[name=name]", "Zug")
        page.click("main .button.primary")
        page.wait_for_selector(".doc .secret-value")
        sheet = page.pdf(prefer_css_page_size=True)
        return [len(SHEET.findall(one)) for one in (certificate, sheet)]

    for language in dict(settings.LANGUAGES):
        assert visit(story, locale=language) == [1, 1], language


PAPER = {"width": 658, "height": 900}  # A4 within the margins of print.css
# What of a printed page can be pressed, and what leaves the paper.
PRINTED = """() => [...document.querySelectorAll("main *")].filter((one) => one.checkVisibility())
  .filter((one) => one.matches(".button, button, [type=search]")
    || (!one.closest(".visually-hidden, .said") && one.getBoundingClientRect().right > innerWidth + 1))
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("language", dict(settings.LANGUAGES))
def test_a_printed_list_has_all_columns_on_the_paper_and_nothing_to_press(
    visit, cast, acme, acme_mailbox, make_mailbox, fill, deleted, language
):
    journal = make_mailbox("The journal of the whole head office and its branches", description="All of it")
    fill(b"one", b"two", to=journal)
    reset_password(acme, journal.mailbox, current_password=journal.password, by=cast.admin)
    with tenant_context(acme):
        Job.objects.filter(mailbox=journal.mailbox).update(state="failed", error="unreadable")
    sign_in_refusals.note(journal.address, "192.0.2.7")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.emulate_media(media="print")
        found = {}
        for path in (
            "/mailboxes/",
            "/mailboxes/deleted/",
            "/people/",
            f"/mailboxes/{journal.mailbox.pk}/?tab=jobs",
        ):
            page.goto(visitor.url(path, "acme"))
            assert page.locator("main table tbody tr").count() > 0
            found[path] = page.evaluate(PRINTED)
        assert not any(found.values()), found

    visit(story, locale=language, viewport=PAPER)


def test_a_finger_hits_what_copies(visit, cast, acme_mailbox):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        for path in ("/mailboxes/", f"/mailboxes/{acme_mailbox.mailbox.pk}/"):
            page.goto(visitor.url(path, "acme"))
            for button in page.locator("main [data-copy]").all():
                box = button.bounding_box()
                assert box["width"] >= 44 and box["height"] >= 44

    visit(story, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
