"""Locked mail, and the earlier password that opens it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job
from mailboxes.vault import new_password
from tenants.models import AuditEvent
from tests.conftest import OpenMailbox
from tests.console.kit import Page, rows_with
from tests.pages import presses

Jobs = Callable[[], list[Job]]


def unlocks(client: Client, url: str, password: str) -> Any:
    """Types the password and presses the button."""
    return presses(client.get(f"{url}unlock/"), "Unlock", password=password)


@pytest.fixture
def url(acme_mailbox: OpenMailbox) -> str:
    return f"/mailboxes/{acme_mailbox.mailbox.pk}/"


@pytest.fixture
def current(acme: Any, acme_mailbox: OpenMailbox, fill: Any) -> str:
    """The password after a reset without the earlier one, which locked two messages."""
    fill(b"one", b"two")
    password, _job = services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    return password.reveal()


def test_the_earlier_password_brings_the_mail_back(
    admin: Client, url: str, acme_mailbox: OpenMailbox, current: str, collect: Any, jobs: Jobs, work: Any
) -> None:
    assert collect(current) == []
    assert "2 messages (6\xa0bytes) are locked".replace("\xa0", " ") in Page(admin.get(f"{url}unlock/")).text
    answer = unlocks(admin, url, acme_mailbox.password)
    [job] = jobs()
    assert (answer.status_code, answer["Location"]) == (302, f"/mailboxes/jobs/{job.pk}/")
    assert collect(current) == [b"one", b"two"]
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)
    assert "the mail that it opens is unlocked" in Page(admin.get(answer["Location"])).text
    work()
    assert collect(current) == [b"one", b"two"]
    assert "locked" not in Page(admin.get("/mailboxes/")).text
    assert "Nothing is locked" in Page(admin.get(f"{url}unlock/")).text
    assert AuditEvent.objects.get(action="mailbox.unlocked").actor_email == "admin@acme.example"


def test_passwords_that_unlock_nothing_are_refused_each_with_its_reason(
    admin: Client, url: str, acme_mailbox: OpenMailbox, current: str, jobs: Jobs
) -> None:
    refusals = {
        acme_mailbox.password + "X": "This password was mistyped",
        new_password().reveal(): "but not the one of this mailbox",
        current: "There is no mail in this mailbox that this password would unlock.",
    }
    for typed, refusal in refusals.items():
        answer = unlocks(admin, url, typed)
        page = Page(answer)
        assert refusal in page.texts["id_password_error"]
        assert "aria-invalid" in page.inputs[f"{url}unlock/"]["password"]
        assert typed not in answer.content.decode()
    assert "id_password_error" in Page(unlocks(admin, url, "")).texts
    activity = Page(admin.get("/activity/")).text
    assert "A wrong earlier password was typed for the mailbox" in activity
    assert "A wrong current password" not in activity
    assert jobs() == []


def test_the_page_says_which_password_opens_what_is_locked(
    admin: Client, url: str, acme: Any, acme_mailbox: OpenMailbox, fill: Any, collect: Any
) -> None:
    fill(b"one")
    first, resets = acme_mailbox.password, {"current_password": acme_mailbox.password}
    for how in (resets, {"locked_mail": "keep"}):
        password, _job = services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, **how)
        resets.setdefault("second", password.reveal())
    hint = "The one that was valid until a reset without it locked the mail."
    assert hint in Page(admin.get(f"{url}unlock/")).text
    assert "not the one of this mailbox" in Page(unlocks(admin, url, first)).texts["id_password_error"]
    assert unlocks(admin, url, resets["second"]).status_code == 302
    assert collect(password.reveal()) == [b"one"]


def test_guessing_is_stopped(admin: Client, url: str, acme_mailbox: OpenMailbox, current: str) -> None:
    for _guess in range(10):
        unlocks(admin, url, new_password().reveal())
    page = Page(unlocks(admin, url, acme_mailbox.password))
    assert "There were too many wrong passwords for this mailbox." in page.texts["id_password_error"]


def test_a_second_press_of_the_button_leads_to_the_same_job(
    admin: Client, url: str, acme_mailbox: OpenMailbox, current: str, jobs: Jobs
) -> None:
    page = admin.get(f"{url}unlock/")
    first, second = (presses(page, "Unlock", password=acme_mailbox.password) for _press in range(2))
    assert second["Location"] == first["Location"]
    assert "No mail is locked any more." in Page(admin.get(second["Location"])).text
    assert len(jobs()) == 1


def test_the_password_is_kept_nowhere(
    admin: Client, url: str, acme_mailbox: OpenMailbox, current: str, work: Any
) -> None:
    seen = [admin.get(f"{url}unlock/")]
    seen.append(unlocks(admin, url, acme_mailbox.password + "X"))
    seen.append(unlocks(admin, url, acme_mailbox.password))
    work()
    for response in seen:
        assert acme_mailbox.password not in response.content.decode()
        assert "no-store" in response["Cache-Control"]
    assert rows_with(acme_mailbox.password) == []
    assert not any(acme_mailbox.password in str(value) for value in admin.session.values())


def test_locked_mail_whose_password_nobody_finds_can_be_given_up(
    admin: Client, url: str, current: str, jobs: Jobs, work: Any, settings: Any
) -> None:
    page = Page(admin.get(f"{url}unlock/"))
    assert page.links["Delete the locked mail"] == f"{url}delete-locked-mail/"
    asked = admin.get(f"{url}delete-locked-mail/")
    assert "are lost for good." in Page(asked).text
    assert jobs() == [], "looking deletes nothing"
    answer = presses(asked, "Delete the locked mail for good")
    [job] = jobs()
    assert answer["Location"] == f"/mailboxes/jobs/{job.pk}/"
    work()
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []
    assert "2 locked" not in Page(admin.get("/mailboxes/")).text
    again = presses(asked, "Delete the locked mail for good")
    assert again["Location"] == url


def test_a_mailbox_in_deletion_has_nothing_to_unlock(
    admin: Client, url: str, acme: Any, acme_mailbox: OpenMailbox, current: str
) -> None:
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    for path in ("unlock/", "delete-locked-mail/"):
        for answer in (admin.get(url + path), admin.post(url + path, {"password": acme_mailbox.password})):
            assert (answer.status_code, answer["Location"]) == (302, url)
