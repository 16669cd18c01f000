"""A new password, with the current one and without, in a browser without scripts."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job
from mailboxes.vault import new_password
from tenants.models import AuditEvent
from tests.cast import Cast
from tests.conftest import OpenMailbox
from tests.console.kit import Page, TwoSteps, rows_with
from tests.pages import presses, read, shown, text_of

MAILS = [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"]
Jobs = Callable[[], list[Job]]


@pytest.fixture
def url(acme_mailbox: OpenMailbox) -> str:
    return f"/mailboxes/{acme_mailbox.mailbox.pk}/"


@pytest.fixture
def reset(admin: Client, url: str) -> TwoSteps:
    return TwoSteps(admin, f"{url}reset-password/")


def password_on(page: Page) -> str:
    return page.texts["generated-password"].strip()


def activity_of(reset: TwoSteps) -> str:
    return Page(reset.client.get("/activity/")).text


def closed_for(password: str, collect: Callable[[str], list[bytes]]) -> bool:
    try:
        collect(password)
    except errors.BadCredentials:
        return True
    return False


# --- With the current password ---
def test_with_the_current_password_the_new_one_opens_everything_and_the_old_one_nothing(
    reset: TwoSteps, acme_mailbox: OpenMailbox, fill: Any, collect: Any, jobs: Jobs, work: Any
) -> None:
    fill(*MAILS)
    page = reset.asks(current_password=acme_mailbox.password)
    assert "The new password opens everything that waits here" in page.text
    assert collect(acme_mailbox.password) == MAILS, "nothing has changed before OK"
    answer = reset.confirms(page)
    [job] = jobs()
    assert (answer.status_code, answer["Location"]) == (302, f"/mailboxes/jobs/{job.pk}/")
    assert closed_for(acme_mailbox.password, collect)
    assert collect(password_on(page)) == MAILS
    landed = Page(reset.client.get(answer["Location"]))
    assert "The password of “Office 365 Journal” has been reset. The old one no longer works." in landed.text
    activity = activity_of(reset)
    assert "The password of the mailbox “ Office 365 Journal ” was reset." in activity
    assert "Mail that only the lost password opens" not in activity
    assert "0 of 2 messages" in landed.texts["progress"]
    work()
    assert collect(password_on(page)) == MAILS
    assert "All waiting mail is sealed to the current key" in Page(reset.client.get(answer["Location"])).text


def test_an_empty_mailbox_has_nothing_to_re_encrypt(
    reset: TwoSteps, acme_mailbox: OpenMailbox, url: str, jobs: Jobs, collect: Any
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    assert reset.confirms(page)["Location"] == url
    assert jobs() == []
    assert collect(password_on(page)) == []


def test_entry_forgives_case_spaces_and_dashes(reset: TwoSteps, acme_mailbox: OpenMailbox) -> None:
    typed = f"  {acme_mailbox.password.lower().replace('-', ' ')} "
    assert "generated-password" in reset.asks(current_password=typed).texts


def test_the_page_with_the_password_is_the_one_of_the_creation(
    reset: TwoSteps, acme_mailbox: OpenMailbox
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    for text in (
        acme_mailbox.address,
        "hand-over sheet",
        "port 995 with TLS from the start",
        "A lost password can't be recovered.",
        "this password is shown only now",
        "I've read and understood the above warning",
        "Until you press OK nothing has changed.",
        "If you reload or leave this page, you start again and get another password",
    ):
        assert text in page.text
    tick = page.inputs[reset.path]["understood"]
    assert (tick["type"], "required" in tick, tick["data-enables"]) == ("checkbox", True, "#ok")
    assert b" disabled" not in reset.seen[-1].content


def test_a_second_reset_while_the_first_is_being_worked_on(
    reset: TwoSteps, acme_mailbox: OpenMailbox, fill: Any, collect: Any, jobs: Jobs, work: Any
) -> None:
    fill(MAILS[0])
    first = reset.asks(current_password=acme_mailbox.password)
    reset.confirms(first)
    fill(MAILS[1])
    second = reset.asks(current_password=password_on(first))
    reset.confirms(second)
    assert collect(password_on(second)) == MAILS
    assert closed_for(password_on(first), collect)
    work()
    assert [job.state for job in jobs()] == ["done"]
    assert collect(password_on(second)) == MAILS


# --- Wrong ones ---
def test_a_mistyped_password_is_told_apart_from_a_wrong_one(
    reset: TwoSteps, acme_mailbox: OpenMailbox
) -> None:
    swapped = acme_mailbox.password[:-1] + ("A" if acme_mailbox.password[-1] != "A" else "B")
    mistyped = reset.asks(current_password=swapped)
    assert "mistyped: its check characters" in mistyped.texts["id_current_password_error"]
    short = reset.asks(current_password="four")
    assert "has 28 characters" in short.texts["id_current_password_error"]
    assert "you typed 4." in short.texts["id_current_password_error"]
    wrong = reset.asks(current_password=new_password().reveal())
    assert "but not the one of this mailbox" in wrong.texts["id_current_password_error"]
    for page in (mistyped, short, wrong):
        assert "generated-password" not in page.texts
        assert "aria-invalid" in page.inputs[reset.path]["current_password"]
        assert shown(page.answer, "Show the new password")["way"] == "with", "what is wrong stands open"
    assert "A wrong current password was typed for the mailbox" in activity_of(reset)
    assert "A wrong earlier" not in activity_of(reset)
    events = AuditEvent.objects.filter(action="mailbox.password-refused").order_by("pk")
    assert [(event.actor_email, event.data["mistyped"]) for event in events] == [
        ("admin@acme.example", True),
        ("admin@acme.example", True),
        ("admin@acme.example", False),
    ]


def test_guessing_is_stopped_and_then_the_right_password_has_to_wait_too(
    reset: TwoSteps, acme_mailbox: OpenMailbox
) -> None:
    for _guess in range(10):
        reset.asks(current_password=new_password().reveal())
    page = reset.asks(current_password=acme_mailbox.password)
    assert "There were too many wrong passwords for this mailbox." in page.texts["id_current_password_error"]
    assert "generated-password" not in page.texts


# --- Without it ---
def test_without_the_current_password_the_page_says_how_many_messages_are_concerned(
    reset: TwoSteps, fill: Any
) -> None:
    fill(*MAILS)
    page = Page(reset.client.get(reset.path))
    assert "2 messages wait here that only the current password opens." in page.text
    assert "Keep it: 2 messages stay locked" in page.text
    assert "Delete it: 2 messages are deleted for good." in page.text
    assert page.choices["locked_mail"] == ["keep", "delete"]
    assert "locked_mail" not in page.sent_by(reset.path), "nothing is chosen for anybody"


def test_where_no_mail_waits_the_choice_is_about_what_may_come_in(reset: TwoSteps) -> None:
    page = Page(reset.client.get(reset.path))
    assert "What is to become of mail that comes in before you confirm?" in page.text
    assert "Keep it: it stays locked until somebody unlocks it" in page.text
    assert "0 messages" not in page.text
    assert page.choices["locked_mail"] == ["keep", "delete"]


def test_a_reset_promises_a_suspended_mailbox_no_mail(
    reset: TwoSteps, acme: Any, acme_mailbox: OpenMailbox, cast: Cast
) -> None:
    coming, staying = "Mail goes on coming in", "The mailbox stays suspended and takes no mail"
    text = Page(reset.client.get(reset.path)).text
    assert (coming in text, staying in text) == (True, False)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=cast.admin)
    text = Page(reset.client.get(reset.path)).text
    assert (coming in text, staying in text) == (False, True)


def test_which_way_is_open_decides_nothing(reset: TwoSteps, acme_mailbox: OpenMailbox, fill: Any) -> None:
    fill(*MAILS)
    page = reset.asks(current_password=acme_mailbox.password, way="without")
    assert "The new password opens everything that waits here" in page.text
    page = reset.asks(locked_mail="keep", way="with")
    assert "2 messages that wait here stay locked when you press OK" in page.text


def test_whoever_chooses_nothing_is_asked_again(reset: TwoSteps, fill: Any) -> None:
    fill(*MAILS)
    page = reset.asks(current_password="")
    assert "Choose whether to keep or to delete it." in page.texts["id_locked_mail_error"]
    assert "generated-password" not in page.texts
    assert shown(page.answer, "Show the new password")["way"] == "without", "what is wrong stands open"


def test_the_current_password_and_the_deletion_of_what_it_opens_are_not_taken_together(
    reset: TwoSteps, acme_mailbox: OpenMailbox, fill: Any, collect: Any
) -> None:
    fill(*MAILS)
    page = reset.asks(current_password=acme_mailbox.password, locked_mail="delete", sheet_language="de")
    assert "none is deleted. Choose to keep it, or leave" in page.texts["id_locked_mail_error"]
    assert "generated-password" not in page.texts
    kept = shown(page.answer, "Show the new password")
    assert (kept["locked_mail"], kept["sheet_language"]) == ("delete", "de")
    assert collect(acme_mailbox.password) == MAILS
    again = presses(
        page.answer, "Show the new password", current_password=acme_mailbox.password, locked_mail="keep"
    )
    assert "The new password opens everything that waits here" in Page(again).text


def test_kept_mail_is_locked_counted_and_left_out_of_the_maildrop(
    reset: TwoSteps, url: str, fill: Any, collect: Any, jobs: Jobs
) -> None:
    fill(*MAILS)
    page = reset.asks(locked_mail="keep")
    assert "2 messages that wait here stay locked when you press OK" in page.text
    assert reset.confirms(page)["Location"] == url
    fill(b"new")
    assert collect(password_on(page)) == [b"new"]
    assert "reset without the current one, and any mail that waited was locked." in activity_of(reset)
    mailbox_page = Page(reset.client.get(url))
    assert "2 messages are locked: only an earlier password opens them." in mailbox_page.text
    assert mailbox_page.links["Unlock with an earlier password"] == f"{url}unlock/"
    assert "2 locked" in Page(reset.client.get("/mailboxes/")).text
    assert jobs() == []


def test_mail_that_is_not_kept_is_deleted(
    reset: TwoSteps, fill: Any, collect: Any, jobs: Jobs, work: Any, settings: Any
) -> None:
    fill(*MAILS)
    page = reset.asks(locked_mail="delete")
    assert "2 messages that wait here are deleted for good when you press OK." in page.text
    answer = reset.confirms(page)
    assert "reset without the current one, and any mail that waited was deleted." in activity_of(reset)
    [job] = jobs()
    assert answer["Location"] == f"/mailboxes/jobs/{job.pk}/"
    work()
    assert "The locked mail is deleted" in Page(reset.client.get(answer["Location"])).text
    assert collect(password_on(page)) == []
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []


def test_locked_mail_of_an_earlier_reset_is_not_counted_again(reset: TwoSteps, fill: Any) -> None:
    fill(*MAILS)
    reset.confirms(reset.asks(locked_mail="keep"))
    assert (
        "No mail waits here that only the current password opens" in Page(reset.client.get(reset.path)).text
    )


# --- The second step ---
@pytest.mark.parametrize("how", [{"locked_mail": "keep"}, {"locked_mail": "delete"}])
def test_the_page_with_the_password_has_one_warning_with_all_that_it_costs(
    reset: TwoSteps, fill: Any, how: dict[str, str]
) -> None:
    fill(*MAILS)
    reset.asks(**how)
    (warning,) = read(reset.seen[-1]).xpath(
        "//div[contains(@class, 'column')]//div[contains(@class, 'notice')]"
    )
    assert warning.get("class") == "notice error"
    for words in (
        "this password is shown only now",
        "Until you press OK nothing has changed",
        "when you press OK",
    ):
        assert words in text_of(warning)


def test_the_server_insists_on_the_tick_and_the_password_stays_valid(
    reset: TwoSteps, acme_mailbox: OpenMailbox, collect: Any
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    refused = Page(reset.confirms(page, ticked=False))
    assert "The password has not been reset yet" in refused.text
    assert refused.text.count("Tick the box to confirm that you have read and understood the warning.") == 1
    assert "it can't be shown again" in refused.text
    assert refused.links["Start again with another password"] == reset.path
    assert collect(acme_mailbox.password) == []
    assert reset.confirms(refused).status_code == 302
    assert collect(password_on(page)) == []


def test_a_second_press_of_ok_resets_nothing_more(
    reset: TwoSteps, acme_mailbox: OpenMailbox, url: str, fill: Any, collect: Any, jobs: Jobs
) -> None:
    fill(*MAILS)
    page = reset.asks(current_password=acme_mailbox.password)
    reset.confirms(page)
    assert reset.confirms(page)["Location"] == url
    assert "The password has been reset already." in Page(reset.client.get(url)).text
    assert len(jobs()) == 1
    assert collect(password_on(page)) == MAILS
    assert AuditEvent.objects.filter(action="mailbox.password-reset").count() == 1


def test_an_expired_page_leads_back_to_the_first_step(
    reset: TwoSteps, acme_mailbox: OpenMailbox, collect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    monkeypatch.setattr("mailboxes.services.offers.OFFER_SECONDS", 0)
    refused = Page(reset.confirms(page))
    assert "This page is too old" in refused.text
    assert "current_password" in refused.inputs[reset.path]
    assert "token" not in refused.inputs[reset.path]
    assert collect(acme_mailbox.password) == []


@pytest.mark.parametrize("alter", [lambda token: token[:-1] + "x", lambda token: token[2:], lambda token: ""])
def test_an_altered_token_resets_nothing(
    reset: TwoSteps, acme_mailbox: OpenMailbox, collect: Any, alter: Callable[[str], str]
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    refused = Page(reset.confirms(page, token=alter(page.sent_by(reset.path)["token"])))
    assert "This page was altered or belongs to somebody else" in refused.text
    assert collect(acme_mailbox.password) == []


def test_another_persons_or_another_mailboxs_token_resets_nothing(
    reset: TwoSteps,
    acme_mailbox: OpenMailbox,
    make_mailbox: Any,
    collect: Any,
    cast: Cast,
    client_for: Callable[..., Client],
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    other = make_mailbox("Another")
    elsewhere = TwoSteps(reset.client, f"/mailboxes/{other.mailbox.pk}/reset-password/")
    token = page.sent_by(reset.path)
    for answer in (
        TwoSteps(client_for(cast.owner), reset.path).confirms(page),
        elsewhere.posts({**token, "understood": "on"}),
    ):
        assert "This page was altered or belongs to somebody else" in Page(answer).text
    assert collect(acme_mailbox.password) == []


def test_of_two_people_who_reset_at_once_the_second_starts_again(
    reset: TwoSteps,
    acme_mailbox: OpenMailbox,
    collect: Any,
    cast: Cast,
    client_for: Callable[..., Client],
) -> None:
    colleague = TwoSteps(client_for(cast.owner), reset.path)
    mine, theirs = (each.asks(current_password=acme_mailbox.password) for each in (reset, colleague))
    colleague.confirms(theirs)
    refused = Page(reset.confirms(mine))
    assert "The keys of this mailbox have changed since this page was made" in refused.text
    assert "current_password" in refused.inputs[reset.path]
    assert collect(password_on(theirs)) == []
    assert closed_for(password_on(mine), collect)


def test_a_mailbox_that_is_deleted_meanwhile_is_not_reset(
    reset: TwoSteps, acme: Any, acme_mailbox: OpenMailbox, url: str
) -> None:
    page = reset.asks(current_password=acme_mailbox.password)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    for answer in (reset.confirms(page), reset.client.get(reset.path)):
        assert (answer.status_code, answer["Location"]) == (302, url)
    assert "This mailbox is being deleted." in Page(reset.client.get(url)).text


# --- What nobody else may learn ---
def test_no_password_is_anywhere_but_in_the_one_response(
    reset: TwoSteps, acme_mailbox: OpenMailbox, fill: Any, url: str, work: Any
) -> None:
    fill(*MAILS)
    old, mistyped = acme_mailbox.password, acme_mailbox.password + "X"
    reset.asks(current_password=mistyped)
    reset.asks(current_password=new_password().reveal(), locked_mail="keep")
    page = reset.asks(current_password=old)
    shown_in = len(reset.seen) - 1
    refused = reset.confirms(page, ticked=False)
    reset.confirms(Page(refused))
    reset.confirms(page)
    work()
    reset.seen += [reset.client.get(path) for path in (reset.path, url, "/mailboxes/")]
    new = password_on(page)
    for number, response in enumerate(reset.seen):
        assert (new in response.content.decode()) == (number == shown_in)
        assert old not in response.content.decode()
    for password in (old, new, mistyped):
        assert not any(password in str(value) for value in reset.client.session.values())
        assert rows_with(password) == []
    assert rows_with(acme_mailbox.address) != []  # the search finds what is there


def test_no_answer_of_these_pages_is_kept_or_tells_other_sites(
    reset: TwoSteps, acme_mailbox: OpenMailbox
) -> None:
    reset.asks(current_password=acme_mailbox.password + "X")
    page = reset.asks(current_password=acme_mailbox.password)
    reset.confirms(page, ticked=False)
    reset.confirms(page)
    reset.seen.append(reset.client.get(reset.path))
    for response in reset.seen:
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "same-origin"
