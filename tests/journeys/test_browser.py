"""The whole story as people see it, in a real browser, with real mail."""

import poplib
import re
import smtplib
from contextlib import suppress

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context
from playwright.sync_api import Error

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Job, Message
from mailboxes.services import sign_in_refusals
from mailboxes.work.slices import work_slice
from tests.cast import PASSWORD
from tests.gateway.kit import SECONDS, without_trace
from tests.journeys.test_looks import CUT

MAIL = (
    b"Subject: Invoice 4711\r\nFrom: lena@acme.example\r\n\r\nByte for byte: \xff \x00 and a long "
    + b"x" * 2000
    + b"\r\n"
)

pytestmark = pytest.mark.usefixtures("gateway")


def creates_a_mailbox(visitor, name="Office 365 Journal"):
    """Two steps; gives the password that was shown and the address of the mailbox's page."""
    page = visitor.page
    page.get_by_role("link", name="Create mailbox").first.click()
    page.fill("[name=name]", name)
    page.get_by_role("button", name="OK").click()
    password = page.inner_text("#generated-password").strip()
    page.check("[name=understood]")
    page.click("#ok")
    address = page.inner_text("#address").strip()
    return password, address


def test_an_operator_creates_a_mailbox_and_sees_mail_come_and_go(visit, gateway, cast):
    def story(visitor):
        page = visitor.page
        page.goto(f"http://localhost:{visitor.port}/")
        assert page.url.startswith(visitor.url("/accounts/login/"))
        visitor.signs_in(cast.owner.email, PASSWORD)
        assert page.url == visitor.url("/customers/")
        page.get_by_role("row", name=re.compile("Acme")).get_by_role("link").first.click()
        assert page.url == visitor.url("/mailboxes/", "acme")
        visitor.sees("No mailbox yet")

        page.get_by_role("link", name="Create mailbox").first.click()
        page.fill("[name=name]", "Office 365 Journal")
        page.get_by_role("button", name="OK").click()
        password = page.inner_text("#generated-password").strip()
        assert len(password) > 25
        assert page.is_disabled("#ok")
        page.get_by_label("I've read and understood the above warning").check()
        assert page.is_enabled("#ok")
        page.click("#ok")
        address = page.inner_text("#address").strip()
        visitor.sees("No mail received yet")

        with smtplib.SMTP("127.0.0.1", gateway.ports.smtp, timeout=SECONDS) as sender:
            sender.starttls(context=gateway.tls)
            assert sender.sendmail("lena@acme.example", [address], MAIL) == {}
        visitor.sees("First mail received")  # by itself
        visitor.sees("Not collected yet")

        archiver = poplib.POP3_SSL("127.0.0.1", gateway.ports.pop3s, context=gateway.tls, timeout=SECONDS)
        archiver.user(address)
        archiver.pass_(password)
        collected = b"".join(line + b"\r\n" for line in archiver.retr(1)[1])
        archiver.dele(1)
        archiver.quit()
        visitor.sees("First collection done")
        page.wait_for_function("!document.querySelector('#activity').hasAttribute('hx-get')")  # and rests

        page.get_by_role("link", name="Mailboxes").first.click()
        visitor.sees(address)
        return collected, visitor.complaints, visitor.foreign

    collected, complaints, foreign = visit(story)
    assert without_trace(collected) == MAIL
    assert complaints == []
    assert foreign == []


def test_it_all_works_without_javascript(visit, cast, acme):
    def story(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        assert visitor.page.url == visitor.url("/mailboxes/", "acme")  # an admin of one customer lands there
        password, address = creates_a_mailbox(visitor)
        visitor.page.goto(visitor.url("/mailboxes/", "acme"))
        visitor.sees(address)
        return password

    assert len(visit(story, java_script_enabled=False)) > 25


def test_it_all_works_from_the_keyboard(visit, cast):
    def story(visitor):
        page, keys = visitor.page, visitor.page.keyboard

        visitor.signs_in(cast.admin.email, PASSWORD)
        visitor.tabs_to("a.button.primary")
        keys.press("Enter")
        page.wait_for_selector("[name=name]")
        visitor.tabs_to("[name=name]")
        keys.type("By keyboard")
        keys.press("Enter")
        page.wait_for_selector("#generated-password")
        visitor.tabs_to("[name=understood]")
        keys.press("Space")
        visitor.tabs_to("#ok")
        keys.press("Enter")
        visitor.sees("By keyboard")
        return page.inner_text("#address")

    assert visit(story).startswith("mbx-")


def test_nobody_finds_the_password_by_going_back(visit, cast):
    def story(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        password, _ = creates_a_mailbox(visitor)
        # The browser asks whether to send the form again; its own page for that has no password either.
        with suppress(Error):
            visitor.page.go_back()
        return password, visitor.page.locator("body").inner_text()

    password, page = visit(story)
    assert password not in page


def test_signing_out_on_one_host_ends_all(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        page.click(".person summary")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("[name=login]")
        page.goto(visitor.url("/customers/"))
        return page.url

    assert "/accounts/login/" in visit(story)


def test_mallory_of_globex_finds_nothing_at_acme(visit, cast):
    def story(visitor):
        visitor.signs_in(cast.mallory.email, PASSWORD)
        return visitor.page.goto(visitor.url("/mailboxes/", "acme")).status, visitor.page.content()

    status, page = visit(story)
    assert status == 404
    assert "Acme" not in page


# Of what a row says how it stands: what sticks out of its card, and what stands on its neighbour.
STATES = """() => {
  const card = document.querySelector(".card").getBoundingClientRect();
  const boxes = [...document.querySelectorAll("tbody :is(.badge, .job-link)")].map((one) => one.getBoundingClientRect());
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  const within = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
  return {
    out: boxes.filter((box) => box.left < card.left || box.right > card.right).length,
    over: boxes.some((a, i) => boxes.slice(0, i).some((b) => !apart(a, b) && !within(a, b) && !within(b, a))),
    table: document.querySelector("table").getBoundingClientRect().width <= card.width,
    all: boxes.length,
  };
}"""

# How wide the tip is that is seen above a time when it has the focus, beside the time or over it.
TIP = """(time) => {
  time.focus();
  const {left, right, top} = time.getBoundingClientRect();
  const seen = (x) => document.elementFromPoint(x, top - 12) === time;
  return Array.from({length: 400}, (_, i) => left - 200 + i).filter(seen).length;
}"""


@pytest.fixture
def in_trouble(acme, cast, make_mailbox, fill):
    """A mailbox whose row has as much to say as one can."""
    made = make_mailbox("W" * 100)
    fill(b"one", b"two", to=made)
    services.reset_password(acme, made.mailbox, by=cast.admin, current_password=made.password)
    sign_in_refusals.note(made.address, "192.0.2.0/24")
    with tenant_context(acme):
        Job.objects.update(state="failed", error="store-full")
        Message.objects.filter(mailbox=made.mailbox).update(damaged_at=timezone.now(), damage="missing")
    return made.mailbox.pk


@pytest.fixture
def deleted(acme, make_mailbox):
    mailbox = make_mailbox("Gone").mailbox
    pk = mailbox.pk
    services.suspend_mailbox(acme, mailbox, by=SYSTEM)
    job = services.start_deletion(acme, mailbox, by=SYSTEM)
    while work_slice(acme, job.pk):
        pass
    return pk


def test_neither_a_long_name_nor_trouble_pushes_a_column_out_of_sight_and_all_of_it_is_seen(
    visit, cast, in_trouble
):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        times = []
        for width in (1440, 1320, 1280, 1190, 1160, 768, 360):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(STATES) == {"out": 0, "over": False, "table": True, "all": 6}, width
            for time in page.locator("tbody time:visible").all():
                time.scroll_into_view_if_needed()  # or it would move while it is asked where its tip is
                assert time.evaluate(TIP) > time.bounding_box()["width"] + 50
                times.append(width)
        assert {360, 1320} <= set(times)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, "nor does the tip make it wider"

    visit(story, locale="de")


def test_with_letters_of_twice_their_size_a_phone_shows_all_of_a_page(visit, cast, in_trouble, deleted):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        sizes = {"fontSizes": {"standard": 32, "fixed": 26}}
        visitor.context.new_cdp_session(page).send("Page.setFontSizes", sizes)
        job = f"/mailboxes/{in_trouble}/?tab=jobs"
        for path in ("/mailboxes/", job, f"/mailboxes/deleted/{deleted}/", "/settings/", "/people/"):
            page.goto(visitor.url(path, "acme"))
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert page.evaluate(CUT) == [], path
            cells = "() => [...document.querySelectorAll('tbody :is(td, th)')]"
            cut = f"{cells}.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.outerHTML)"
            assert page.evaluate(cut) == [], path

    visit(story, locale="de", viewport={"width": 360, "height": 740})


def test_nothing_moves_on_the_sign_in_page_when_its_scripts_come_late(visit, database):
    def story(visitor):
        page, held = visitor.page, []
        page.route("**/*.js", lambda script, _request: held.append(script))
        page.goto(visitor.url("/accounts/login/"), wait_until="commit")
        page.wait_for_function(
            "() => performance.getEntriesByType('paint').length && document.fonts.status === 'loaded'"
        )
        top = page.locator("h1").bounding_box()
        assert held and page.locator("#passkey_sign_in").is_hidden()
        for script in held:
            script.continue_()
        page.locator("#passkey_sign_in").wait_for(state="visible")
        assert page.locator("h1").bounding_box() == top

    visit(story)
