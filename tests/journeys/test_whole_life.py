"""The life of a mailbox as people see it: edited, suspended, given new passwords, deleted; with real mail and workers."""

import json
import re
from contextlib import suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django_tenants.utils import tenant_context
from playwright.sync_api import Error

from mailboxes.models import Mailbox, MailboxKey
from mailboxes.vault import new_password
from tenants.models import DirectoryEntry
from tests.cast import PASSWORD
from tests.gateway.kit import without_trace

MAILS = [b"Subject: %d\r\n\r\nByte for byte: \xff \x00 %s\r\n.\r\n" % (n, b"x" * n) for n in range(40)]
LATE = b"Subject: late\r\n\r\nCame while the others were being re-encrypted.\r\n"
BAR = "document.querySelector('#progress progress')"
OVER = "() => !document.querySelector('#progress').hasAttribute('hx-get')"


@pytest.fixture
def walk(visit):
    """Like `visit`, for parts in which neither the browser complains nor anybody else is asked for anything."""

    def run(story, **options):
        def told(visitor):
            result = story(visitor)
            assert (visitor.complaints, visitor.foreign) == ([], [])
            return result

        return visit(told, **options)

    return run


@pytest.fixture
def post(gateway, acme_mailbox):
    """Acme's senders and archiver, who know the mailbox by its address."""
    address = acme_mailbox.address

    def send(*mails):
        return [gateway.send(mail, address)[:10] for mail in mails]

    def collect(password):
        opened = SimpleNamespace(address=address, password=password)
        return [without_trace(message) for message in gateway.collect(opened)]

    def refuses(password):
        wire = gateway.pop3_wire()
        assert wire.ask(f"USER {address}".encode()).startswith(b"+OK")
        return wire.ask(f"PASS {password}".encode()).startswith(b"-ERR")

    return SimpleNamespace(address=address, send=send, collect=collect, refuses=refuses)


@pytest.fixture
def start(cast, acme_mailbox):
    """An admin of Acme signs in and opens the mailbox's page."""
    path = f"/mailboxes/{acme_mailbox.mailbox.pk}/"

    def sign_in(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        visitor.page.goto(visitor.url(path, "acme"))
        return visitor.page

    sign_in.path = path
    return sign_in


def asks_for_a_reset(page, *, current="", choice=""):
    """Step 1, from the mailbox's page."""
    page.get_by_role("link", name="Reset password").click()
    answers_step_1(page, current=current, choice=choice)


def is_marked_as_wrong(page, field):
    """Whether its frame has the colour of the words that say what is wrong."""
    frame = page.locator(field).evaluate("field => getComputedStyle(field).borderTopColor")
    return frame == page.locator(".errors li").first.evaluate("words => getComputedStyle(words).color")


def answers_step_1(page, *, current="", choice=""):
    if choice:
        page.get_by_label("I don't have the current password").check()
        page.check(f"[name=locked_mail][value={choice}]")
    else:
        page.fill("[name=current_password]", current)
    page.get_by_role("button", name="Show the new password").click()


def confirms_the_new_password(page):
    """Step 2; gives the password that was shown."""
    password = page.inner_text("#generated-password").strip()
    page.get_by_label("I've read and understood the above warning").check()
    page.click("#ok")
    return password


def opens_the_deletion(page):
    """From the mailbox's page, where it stands apart from what is done every day."""
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Delete").click()


def watches_the_job(page):
    """To its end, without touching anything."""
    page.wait_for_selector("#progress")
    page.wait_for_function(OVER)
    assert page.inner_text("#progress .badge") == "Done"


# --- Edit and suspend ---
def test_a_suspended_mailbox_puts_mail_off_and_tells_people_so_until_it_is_active_again(
    walk, start, post, acme_mailbox
):
    def story(visitor):
        page = start(visitor)
        post.send(MAILS[1])
        page.get_by_role("link", name="Edit").click()
        page.fill("[name=name]", "Journal of the lawyers")
        page.check("[name=status][value=suspended]")
        page.fill("[name=reason]", "The archiver moves house")
        page.get_by_role("button", name="Save changes").click()
        visitor.sees("is suspended: new mail is put off from now on")
        assert post.send(LATE, LATE) == [b"450 4.2.1 "] * 2
        assert post.collect(acme_mailbox.password) == [MAILS[1]]
        page.reload()
        told = page.inner_text(".notice:has-text('This mailbox is suspended')")
        for words in (
            "it takes no mail.",
            "Reason: The archiver moves house",
            "2 attempts to deliver have been put off since then.",
            "Exchange Online gives up after about a day",
        ):
            assert words in told
        assert re.search(r"suspended on \d+ \w+ \d{4}, \d\d:\d\d UTC by Admin\.", told)

        page.get_by_role("link", name="Edit").click()
        page.check("[name=status][value=active]")
        page.get_by_role("button", name="Save changes").click()
        visitor.sees("“Journal of the lawyers” is active again and takes mail.")
        assert "This mailbox is suspended" not in page.inner_text("main")
        assert post.send(LATE) == [b"250 2.0.0 "]
        assert post.collect(acme_mailbox.password) == [MAILS[1], LATE]

    walk(story)


# --- Reset ---
@pytest.mark.usefixtures("worker")
def test_a_reset_with_the_current_password_opens_all_mail_at_once_and_shuts_the_old_one_out(
    walk, start, post, acme, acme_mailbox, hold
):
    old = acme_mailbox.password
    mistyped = old[:-1] + ("A" if old[-1] != "A" else "B")

    def story(visitor):
        page = start(visitor)
        assert set(post.send(*MAILS)) == {b"250 2.0.0 "}
        let_go = [hold(0, 15), hold(15, 25)]
        asks_for_a_reset(page, current=mistyped)
        visitor.sees("This password was mistyped")
        answers_step_1(page, current=new_password().reveal())
        visitor.sees("This is a well-formed password, but not the one of this mailbox.")
        assert is_marked_as_wrong(page, "[name=current_password]")
        answers_step_1(page, current=old)

        visitor.sees("this password is shown only now")
        page.emulate_media(media="print")
        assert page.is_visible("text=hand-over sheet. Keep it as you keep a key.")
        assert page.is_visible(".doc .secret-value")
        assert page.is_hidden("#ok")
        page.emulate_media(media="screen")
        assert page.is_disabled("#ok")
        assert post.collect(old) == MAILS, "until OK nothing has changed"
        new = confirms_the_new_password(page)
        assert new != old

        page.wait_for_selector("#progress")
        page.evaluate("window.neverReloaded = true")
        assert post.refuses(old)
        assert post.collect(new) == MAILS, "before a worker has done anything"
        assert post.send(LATE) == [b"250 2.0.0 "]
        assert page.evaluate(f"[{BAR}.value, {BAR}.max]") == [0, 40]
        let_go[0]()
        page.wait_for_function(f"() => {BAR}.value === 15")
        visitor.sees("15 of 40 messages")
        assert post.collect(new) == [*MAILS, LATE]
        let_go[1]()
        watches_the_job(page)
        assert page.evaluate(f"[{BAR}.value, {BAR}.max]") == [40, 40]
        visitor.sees("the old key exists nowhere any more")
        visitor.sees("Copies that exist elsewhere, such as backups, are not covered.")
        assert page.evaluate("window.neverReloaded")

        assert post.refuses(old)
        assert post.collect(new) == [*MAILS, LATE]
        for path in ("/mailboxes/", start.path, f"{start.path}reset-password/"):
            page.goto(visitor.url(path, "acme"))
            assert new not in page.content()
        return new

    walk(story)
    with tenant_context(acme):
        (key,) = MailboxKey.objects.all()
    assert (key.generation, key.state) == (2, "current")


def test_nobody_finds_the_new_password_by_going_back(visit, start, acme_mailbox):
    def story(visitor):
        page = start(visitor)
        asks_for_a_reset(page, current=acme_mailbox.password)
        password = confirms_the_new_password(page)
        visitor.sees("has been reset. The old one no longer works.")
        assert password not in page.content()
        # The browser asks whether to send the form again; its own page for that has no password either.
        with suppress(Error):
            page.go_back()
        return password, page.locator("body").inner_text()

    password, text = visit(story)
    assert len(password) > 25
    assert password not in text


@pytest.mark.usefixtures("worker")
def test_mail_that_a_reset_has_locked_is_counted_left_out_and_unlocked_with_the_old_password(
    walk, start, post, acme_mailbox
):
    def story(visitor):
        page = start(visitor)
        post.send(*MAILS[:3])
        asks_for_a_reset(page)
        visitor.sees("Choose whether to keep or to delete it.")
        answers_step_1(page, choice="keep")
        visitor.sees("3 messages that wait here stay locked when you press OK")
        new = confirms_the_new_password(page)
        visitor.sees("3 messages are locked: only an earlier password opens them.")
        assert page.url == visitor.url(start.path, "acme")
        assert post.refuses(acme_mailbox.password)
        assert post.collect(new) == []
        post.send(LATE)
        assert post.collect(new) == [LATE]

        page.get_by_role("link", name="Unlock with an earlier password").click()
        page.fill("[name=password]", acme_mailbox.password)
        page.get_by_role("button", name="Unlock").click()
        watches_the_job(page)
        assert post.collect(new) == [*MAILS[:3], LATE]
        page.goto(visitor.url(start.path, "acme"))
        assert "locked" not in page.inner_text("main")

    walk(story)


@pytest.mark.usefixtures("worker")
def test_mail_that_a_reset_deletes_is_gone_at_once_and_its_storage_is_freed(
    walk, start, post, acme_mailbox, hold, settings
):
    def stored():
        return [path for path in Path(settings.STORE_ROOT).rglob("*") if path.is_file()]

    def story(visitor):
        page = start(visitor)
        post.send(*MAILS[:3])
        let_go = hold(0, 3)
        asks_for_a_reset(page, choice="delete")
        visitor.sees("3 messages that wait here are deleted for good when you press OK.")
        new = confirms_the_new_password(page)
        page.wait_for_selector("#progress")
        assert post.refuses(acme_mailbox.password)
        assert post.collect(new) == [], "before a worker has done anything"
        assert len(stored()) == 3
        let_go()
        watches_the_job(page)
        visitor.sees("The locked mail is deleted, and its storage is free.")
        assert stored() == []
        page.goto(visitor.url(start.path, "acme"))
        assert re.search(r"Waiting\s+0 messages", page.inner_text("#activity"))

    walk(story)


@pytest.mark.usefixtures("worker")
def test_a_reset_works_without_javascript(walk, start, post, acme_mailbox, hold):
    def story(visitor):
        page = start(visitor)
        post.send(*MAILS[:3])
        let_go = hold(0, 3)
        asks_for_a_reset(page, current=acme_mailbox.password)
        new = confirms_the_new_password(page)
        page.wait_for_selector("#progress")
        assert post.refuses(acme_mailbox.password)
        again = page.get_by_role("link", name="Reload to see how it gets on")
        assert again.is_visible()
        let_go()
        while again.is_visible():  # the job is live, and the page does not follow by itself
            with page.expect_navigation():  # a page half read has no link yet, whatever it will say
                again.click()
        visitor.sees("3 of 3 messages")
        visitor.sees("the old key exists nowhere any more")
        assert post.collect(new) == MAILS[:3]

    walk(story, java_script_enabled=False)


def test_a_reset_works_from_the_keyboard(walk, start, post, acme_mailbox):
    def story(visitor):
        page, keys = start(visitor), visitor.page.keyboard
        post.send(*MAILS[:3])
        visitor.tabs_to("a[href$='/reset-password/']")
        keys.press("Enter")
        page.wait_for_selector("[name=current_password]")
        visitor.tabs_to("[name=current_password]")
        keys.type(acme_mailbox.password.upper().replace("-", " "))
        keys.press("Enter")
        new = page.inner_text("#generated-password").strip()
        visitor.tabs_to("[name=understood]")
        keys.press("Space")
        visitor.tabs_to("#ok")
        keys.press("Enter")
        visitor.sees("0 of 3 messages")
        assert post.refuses(acme_mailbox.password)
        assert post.collect(new) == MAILS[:3]

    walk(story)


# --- Delete ---
@pytest.mark.usefixtures("worker")
def test_a_deleted_mailbox_is_unreadable_at_once_and_leaves_a_certificate(
    walk, start, post, acme, acme_mailbox, hold, tmp_path, settings
):
    name, downloaded = acme_mailbox.mailbox.name, tmp_path / "certificate.json"

    def story(visitor):
        page = start(visitor)
        post.send(*MAILS[:3])
        opens_the_deletion(page)
        visitor.sees("This mailbox is active: its mail system still sends to it.")
        assert page.locator("[name=confirmed_name]").count() == 0
        page.get_by_role("link", name="Suspend it…").click()
        page.check("[name=status][value=suspended]")
        page.get_by_role("button", name="Save changes").click()
        opens_the_deletion(page)
        visitor.sees("3 messages are lost")
        visitor.sees("is never given out again; mail to it is refused for good.")
        page.fill("[name=confirmed_name]", "Office 365")
        page.get_by_role("button", name="Delete for good").click()
        visitor.sees("Type the mailbox's name exactly as it is shown to confirm the deletion.")
        assert post.collect(acme_mailbox.password) == MAILS[:3]

        let_go = hold(0, 3)
        page.fill("[name=confirmed_name]", name)
        page.get_by_role("button", name="Delete for good").click()
        visitor.sees("nobody can read its mail any more")
        assert post.refuses(acme_mailbox.password), "before a worker has done anything"
        assert post.send(LATE)[0].startswith(b"550 ")
        let_go()
        watches_the_job(page)

        page.get_by_role("link", name="Show the deletion certificate").click()
        certificate = page.inner_text("main")
        for words in (name, post.address, "admin@acme.example", "3 messages", "Signature (Ed25519)"):
            assert words in certificate
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as JSON").click()
        download.value.save_as(downloaded)
        page.get_by_role("link", name="Deleted mailboxes").click()
        assert post.address in page.get_by_role("row", name=re.compile(name)).inner_text()
        page.get_by_role("link", name="Mailboxes", exact=True).first.click()
        visitor.sees("No mailbox yet")
        assert post.refuses(acme_mailbox.password)
        assert post.send(LATE)[0].startswith(b"550 ")

    walk(story)
    said = StringIO()
    call_command("verify_certificate", str(downloaded), stdout=said)
    assert said.getvalue().endswith("The certificate is valid.\n")
    assert post.address in said.getvalue()
    assert json.loads(downloaded.read_text())
    with tenant_context(acme):
        assert not Mailbox.objects.exists()
    assert DirectoryEntry.objects.get(address=post.address).status == "retired", "so nobody gets it again"
    assert not [path for path in Path(settings.STORE_ROOT).rglob("*") if path.is_file()]


# --- Who may ---
def test_a_viewer_finds_no_button_that_changes_a_mailbox_and_no_page_behind_it(visit, start, cast):
    acts = ("edit/", "reset-password/", "unlock/", "delete/", "delete-locked-mail/")

    def story(person, *paths):
        def look(visitor):
            visitor.signs_in(person.email, PASSWORD)
            return [
                (
                    visitor.page.goto(visitor.url(start.path + path, "acme")).status,
                    visitor.page.inner_text("main"),
                )
                for path in paths
            ]

        return look

    (status, text), *refusals = visit(story(cast.viewer, "", *acts))
    assert status == 200
    assert not {"Edit", "Reset password", "Delete"} & set(text.splitlines())
    assert [status for status, _ in refusals] == [403] * len(acts)
    found = visit(story(cast.mallory, "", *acts))
    assert [status for status, _ in found] == [404] * (len(acts) + 1)
