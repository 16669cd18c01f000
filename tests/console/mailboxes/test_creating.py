"""The story's first half in a browser without scripts, and each way in which it can go wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from mailboxes.models import Mailbox
from mailboxes.services import collection
from tests.cast import Cast
from tests.console.kit import NEW, Page, Visit, rows_with
from tests.pages import read

Mailboxes = Callable[[], list[Mailbox]]


def test_a_mailbox_is_created_in_two_steps_and_opens_with_the_password_shown(
    visit: Visit, mailboxes: Mailboxes
) -> None:
    page = visit.asks("Office 365 Journal", "All of head office")
    assert mailboxes() == []
    answer = visit.confirms(page)
    [mailbox] = mailboxes()
    assert (answer.status_code, answer["Location"]) == (302, f"/mailboxes/{mailbox.pk}/")
    assert (mailbox.name, mailbox.description) == ("Office 365 Journal", "All of head office")
    assert mailbox.created_by_email == "admin@acme.example"
    assert mailbox.address in page.text
    collection.open_maildrop(mailbox.address, page.texts["generated-password"], peer="192.0.2.1").release()


def test_the_page_with_the_password_carries_sheet_warning_tick_and_tip(visit: Visit) -> None:
    page = visit.asks()
    for text in (
        "port 25 with STARTTLS",
        "port 465 with TLS from the start",
        "port 995 with TLS from the start",
        "port 110 with STARTTLS (STLS)",
        "A lost password can't be recovered.",
        "this password is shown only now",
        "I've read and understood the above warning",
        "Tip for service providers",
        "Tip for single companies: keep it in your enterprise password manager",
    ):
        assert text in page.text
    (warning,) = read(visit.seen[-1]).xpath(
        "//div[contains(@class, 'column')]//div[contains(@class, 'notice')]"
    )
    assert warning.get("class") == "notice warning"
    tick = page.inputs[NEW]["understood"]
    assert (tick["type"], "required" in tick, tick["data-enables"]) == ("checkbox", True, "#ok")


def test_the_button_works_without_scripts(visit: Visit) -> None:
    visit.asks()
    assert b" disabled" not in visit.seen[-1].content


def test_the_password_is_in_one_response_and_nowhere_else(visit: Visit, mailboxes: Mailboxes) -> None:
    page = visit.asks()
    password = page.texts["generated-password"].strip()
    visit.confirms(page, ticked=False)
    visit.confirms(page)
    visit.confirms(page)
    visit.seen.append(visit.client.get(f"/mailboxes/{mailboxes()[0].pk}/"))
    assert [password.encode() in response.content for response in visit.seen] == [True, *[False] * 4]
    assert not any(password in str(value) for value in visit.client.session.values())
    assert rows_with(password) == []
    assert rows_with(mailboxes()[0].address) != []  # the search finds what is there


def test_no_answer_of_these_pages_is_kept_or_tells_other_sites(visit: Visit) -> None:
    page = visit.asks()
    visit.confirms(page, ticked=False)
    visit.seen.append(visit.client.get(NEW))
    for response in visit.seen:
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Boîte\N{NO-BREAK SPACE}: journal", "Boîte : journal"),
        ("Boîte\N{NARROW NO-BREAK SPACE}: journal", "Boîte : journal"),
        ("می\N{ZERO WIDTH NON-JOINER}روم", "می\N{ZERO WIDTH NON-JOINER}روم"),
        ("👩\N{ZERO WIDTH JOINER}⚖️ Lawyers", "👩\N{ZERO WIDTH JOINER}⚖️ Lawyers"),
        (
            "صندوق \N{FIRST STRONG ISOLATE}Zug\N{POP DIRECTIONAL ISOLATE}",
            "صندوق \N{FIRST STRONG ISOLATE}Zug\N{POP DIRECTIONAL ISOLATE}",
        ),
    ],
)
def test_a_name_is_written_as_its_language_writes(
    visit: Visit, mailboxes: Mailboxes, typed: str, name: str
) -> None:
    assert visit.confirms(visit.asks(typed)).status_code == 302
    assert [mailbox.name for mailbox in mailboxes()] == [name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\N{ZERO WIDTH SPACE}",
        "x" * 101,
        "two\nlines",
        "two\N{LINE SEPARATOR}lines",
        "two\N{PARAGRAPH SEPARATOR}paragraphs",
        "bell\x07",
        "\N{RIGHT-TO-LEFT OVERRIDE}lanruoJ",
        "\N{LEFT-TO-RIGHT EMBEDDING}Journal",
        "\N{FIRST STRONG ISOLATE}Journal",
    ],
)
def test_a_name_that_is_none_is_refused_beside_the_field(
    visit: Visit, mailboxes: Mailboxes, name: str
) -> None:
    page = visit.asks(name)
    assert "generated-password" not in page.texts
    assert "aria-invalid" in page.inputs[NEW]["name"]
    assert mailboxes() == []


def test_a_taken_name_is_refused_in_step_1(visit: Visit, make_mailbox: Any) -> None:
    make_mailbox("Office 365 Journal")
    page = visit.asks("office 365 journal")
    assert "There is already a mailbox named “office 365 journal”." in page.text
    assert page.links["Show the mailbox “office 365 journal”"] == "/mailboxes/?q=office%20365%20journal"
    assert "generated-password" not in page.texts


def test_reloading_step_1_gives_another_password_and_still_no_mailbox(
    visit: Visit, mailboxes: Mailboxes
) -> None:
    first, second = visit.asks(), visit.asks()
    assert first.texts["generated-password"] != second.texts["generated-password"]
    assert mailboxes() == []


def test_the_server_insists_on_the_tick_and_the_password_stays_valid(
    visit: Visit, mailboxes: Mailboxes
) -> None:
    page = visit.asks("Journal", "with a description")
    refused = Page(visit.confirms(page, ticked=False))
    assert refused.text.count("Tick the box to confirm that you have read and understood the warning.") == 1
    assert "stays valid" in refused.text
    assert mailboxes() == []
    assert visit.confirms(refused).status_code == 302
    [mailbox] = mailboxes()
    assert (mailbox.name, mailbox.description) == ("Journal", "with a description")
    collection.open_maildrop(mailbox.address, page.texts["generated-password"], peer="192.0.2.1").release()


def test_a_second_press_of_ok_leads_to_the_same_mailbox(visit: Visit, mailboxes: Mailboxes) -> None:
    page = visit.asks()
    first, second = visit.confirms(page), visit.confirms(page)
    assert second["Location"] == first["Location"]
    assert len(mailboxes()) == 1
    landed = Page(visit.client.get(second["Location"]))
    assert (
        "This mailbox has been created already. The password that was shown with it is valid." in landed.text
    )


def test_going_back_and_pressing_ok_with_another_name_makes_no_second_mailbox(
    visit: Visit, mailboxes: Mailboxes
) -> None:
    page = visit.asks()
    visit.confirms(page)
    assert visit.confirms(page, name="Another").status_code == 302
    assert [mailbox.name for mailbox in mailboxes()] == ["Office 365 Journal"]


def test_an_expired_page_says_so_and_keeps_what_was_typed(
    visit: Visit, mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.asks("Journal", "kept")
    monkeypatch.setattr("mailboxes.services.offers.OFFER_SECONDS", 0)
    refused = Page(visit.confirms(page))
    assert "This page is too old, so nothing was done." in refused.text
    assert refused.sent_by(NEW).items() >= {"name": "Journal", "description": "kept"}.items()
    assert "token" not in refused.sent_by(NEW)
    assert mailboxes() == []


@pytest.mark.parametrize("alter", [lambda token: token[:-1] + "x", lambda token: token[2:], lambda token: ""])
def test_an_altered_token_creates_nothing(
    visit: Visit, mailboxes: Mailboxes, alter: Callable[[str], str]
) -> None:
    page = visit.asks()
    refused = Page(visit.confirms(page, token=alter(page.sent_by(NEW)["token"])))
    assert "This page was altered or belongs to somebody else" in refused.text
    assert mailboxes() == []


def test_another_persons_token_creates_nothing(
    visit: Visit, mailboxes: Mailboxes, cast: Cast, client_for: Callable[..., Client]
) -> None:
    page = visit.asks()
    refused = Page(Visit(client_for(cast.owner)).confirms(page))
    assert "This page was altered or belongs to somebody else" in refused.text
    assert mailboxes() == []


def test_a_token_of_one_customer_creates_nothing_at_another(
    cast: Cast, mailboxes: Mailboxes, client_for: Callable[..., Client]
) -> None:
    page = Visit(client_for(cast.owner, "globex")).asks()
    refused = Page(Visit(client_for(cast.owner, "acme")).confirms(page))
    assert "This page was altered or belongs to somebody else" in refused.text
    assert mailboxes() == []


def test_a_name_taken_meanwhile_can_be_changed_and_the_password_stays_valid(
    visit: Visit, mailboxes: Mailboxes, make_mailbox: Any
) -> None:
    page = visit.asks("Journal")
    make_mailbox("Journal")
    refused = Page(visit.confirms(page))
    assert "There is already a mailbox named “Journal”." in refused.text
    assert refused.inputs[NEW]["name"]["type"] == "text"
    assert len(mailboxes()) == 1
    assert visit.confirms(refused, name="Journal 2").status_code == 302
    mailbox = mailboxes()[1]
    collection.open_maildrop(mailbox.address, page.texts["generated-password"], peer="192.0.2.1").release()


def test_back_leads_to_the_first_step_with_what_was_typed(visit: Visit) -> None:
    page = visit.asks("Journal & more", "kept")
    first = Page(visit.client.get(page.links["Back"])).sent_by(NEW)
    assert (first["name"], first["description"]) == ("Journal & more", "kept")


def test_a_viewer_may_look_but_not_create(
    visit: Visit, mailboxes: Mailboxes, cast: Cast, client_for: Callable[..., Client]
) -> None:
    page = visit.asks()
    viewer = client_for(cast.viewer)
    assert viewer.get("/mailboxes/").status_code == 200
    assert "Create mailbox" not in Page(viewer.get("/mailboxes/")).text
    assert viewer.get(NEW).status_code == 403
    assert viewer.post(NEW, {"name": "Journal"}).status_code == 403
    assert Visit(viewer).confirms(page).status_code == 403
    assert mailboxes() == []


def test_the_form_is_refused_when_another_site_sends_it(
    cast: Cast, client_for: Callable[..., Client]
) -> None:
    careful = client_for(cast.admin, enforce_csrf_checks=True)
    assert careful.post(NEW, {"name": "Journal"}).status_code == 403
    token = Page(careful.get(NEW)).sent_by(NEW)
    assert careful.post(NEW, {**token, "name": "Journal"}).status_code == 200


def test_the_sheet_speaks_the_language_of_who_gets_it_and_the_page_that_of_who_makes_it(admin):
    page = admin.post("/mailboxes/new/", {"name": "Journal", "sheet_language": "ar"}).content.decode()
    before, sheet = page.split("<article", 1)
    sheet = sheet[: sheet.index("</article>")]
    assert 'lang="ar"' in sheet
    assert 'dir="rtl"' in sheet
    assert "User name" not in sheet
    assert "<button" not in sheet
    assert "Copy the password" in before, "the buttons are for who looks at the page"
    assert "Warning: this password is shown only now" in page
