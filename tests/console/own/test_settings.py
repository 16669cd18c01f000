"""What people say about themselves: name, language, time zone and theme."""

import re
from datetime import UTC, datetime

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from accounts.models import User
from mailboxes.models import Mailbox
from tests.cast import PASSWORD
from tests.pages import offered, presses, read, text_of

SETTINGS = "/settings/"


def save(client, **fields):
    return client.post(SETTINGS, {"name": "Ada", "language": "", **fields}, follow=True)


def menu_of(page):
    """What opens the person's menu, at the upper right of each page."""
    return re.search(r'<details class="menu end person">\s*<summary>.*?</summary>', page, re.S)[0]


@pytest.mark.parametrize("host", [None, "acme"])
def test_the_language_changes_at_once_and_stays(cast, client_for, host):
    client = client_for(cast.admin, host=host)
    page = save(client, language="de")
    assert page.redirect_chain == [(SETTINGS, 302)]
    assert '<html lang="de"' in page.content.decode()
    assert page.content.decode().count('class="notice success"') == 1
    for other in (None, "acme"):
        assert '<html lang="de"' in client_for(cast.admin, host=other).get(SETTINGS).content.decode()


def test_the_chosen_language_wins_over_the_browsers(cast, client_for):
    client = client_for(cast.admin)
    save(client, language="en")
    page = client.get(SETTINGS, headers={"accept-language": "de"})
    assert page["Content-Language"] == "en"
    save(client, language="")
    page = client.get(SETTINGS, headers={"accept-language": "de"})
    assert '<html lang="de"' in page.content.decode()


def test_before_signing_in_the_browsers_language_counts(db, client_for):
    page = client_for(host=None).get("/accounts/login/", headers={"accept-language": "de"})
    assert '<html lang="de"' in page.content.decode()


def test_the_name_is_shown_at_the_upper_right_as_text(cast, client_for):
    page = save(client_for(cast.admin), name="Ada <b onclick=x>Lovelace</b>").content.decode()
    assert "Ada &lt;b onclick=x&gt;Lovelace&lt;/b&gt;</span>" in menu_of(page)
    assert "<b onclick" not in page


def test_without_a_name_the_address_is_shown(cast, client_for):
    page = save(client_for(cast.admin), name="").content.decode()
    assert ">admin@acme.example</span>" in menu_of(page)


def test_a_name_that_an_older_rule_took_stays_while_the_rest_is_changed(cast, client_for):
    User.objects.filter(pk=cast.admin.pk).update(name="Ada 0800 1234567")
    page = presses(client_for(cast.admin).get(SETTINGS), "OK", time_zone="Europe/Berlin")
    assert page.status_code == 302
    person = User.objects.get(pk=cast.admin.pk)
    assert (person.name, person.time_zone) == ("Ada 0800 1234567", "Europe/Berlin")
    another = presses(page.client.get(SETTINGS), "OK", name="Ada 0800 7654321")
    assert "The name must not have an address" in another.content.decode()


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"name": "x" * 101}])
def test_what_does_not_fit_is_refused_with_a_reason(cast, client_for, wrong):
    page = save(client_for(cast.admin), **wrong)
    assert page.context["form"].errors
    assert 'class="errors"' in page.content.decode()
    assert 'aria-invalid="true"' in page.content.decode()
    assert User.objects.get(pk=cast.admin.pk).name == cast.admin.name


def test_nobody_changes_more_than_name_and_language(cast, client_for):
    save(client_for(cast.admin), email="other@acme.example", is_staff="on", is_superuser="on")
    after = User.objects.get(pk=cast.admin.pk)
    assert (after.email, after.is_staff, after.is_superuser) == ("admin@acme.example", False, False)


@pytest.mark.parametrize("host", [None, "acme"])
def test_no_page_of_the_frame_needs_another_host_or_inline_code(cast, client_for, host):
    page = client_for(cast.admin, host=host).get(SETTINGS)
    text = page.content.decode()
    assert "style=" not in text and "<style" not in text and " onclick" not in text
    assert "<script>" not in text
    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


# --- Language ---
def test_each_language_stands_in_the_list_by_its_own_name_and_is_read_as_itself(cast, client_for):
    page = client_for(cast.admin).get(SETTINGS, headers={"accept-language": "de"}).content.decode()
    assert re.search(r'<option value="de" lang="de"[^>]*>Deutsch</option>', page)
    assert re.search(r'<option value="en" lang="en"[^>]*>English</option>', page)


def test_what_is_not_sent_stays_as_it_is(cast, client_for):
    client = client_for(cast.admin)
    save(client, name="Ada", time_zone="Europe/Berlin", theme="dark")
    client.post(SETTINGS, {"language": "de"})
    person = User.objects.get(pk=cast.admin.pk)
    assert (person.name, person.language) == ("Ada", "de")
    assert (person.time_zone, person.theme) == ("Europe/Berlin", "dark")


def test_the_choice_of_one_person_does_not_reach_another(cast, client_for):
    save(client_for(cast.admin), language="de", time_zone="Asia/Tokyo", theme="dark")
    page = client_for(cast.viewer).get(SETTINGS)
    assert '<html lang="en"' in page.content.decode()
    assert "data-theme" not in page.content.decode()


# --- Time zone ---
@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("", "1 Jul 2026, 22:30 UTC"),
        ("Europe/Berlin", "2 Jul 2026, 00:30 CEST"),
        ("America/Argentina/Buenos_Aires", "1 Jul 2026, 19:30 -03"),
        ("Asia/Kolkata", "2 Jul 2026, 04:00 IST"),
    ],
)
def test_times_are_those_of_the_persons_clock_with_its_name(
    cast, client_for, make_mailbox, acme, zone, shown
):
    from django_tenants.utils import tenant_context

    mailbox = make_mailbox().mailbox
    with tenant_context(acme):
        Mailbox.objects.filter(pk=mailbox.pk).update(created_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    client = client_for(cast.admin)
    save(client, time_zone=zone)
    page = client.get(f"/mailboxes/{mailbox.pk}/").content.decode()
    assert shown in page
    assert f"{shown} UTC" not in page


def test_one_persons_clock_is_not_the_next_ones(cast, client_for):
    client = client_for(cast.admin)
    save(client, time_zone="Asia/Tokyo")
    client.get(SETTINGS)
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_zone_that_the_database_no_longer_knows_breaks_no_page(cast, client_for):
    User.objects.filter(pk=cast.admin.pk).update(time_zone="Atlantis/Capital")
    assert client_for(cast.admin).get("/mailboxes/").status_code == 200


def test_the_zones_are_grouped_by_region(cast, client_for):
    page = client_for(cast.admin).get(SETTINGS).content.decode()
    assert '<optgroup label="Europe">' in page
    assert re.search(
        r'<option value="America/Argentina/Buenos_Aires">\s*Argentina, Buenos Aires\s*</option>', page
    )
    assert "posixrules" not in page and "Factory" not in page


def test_a_place_is_offered_by_its_name_of_today_and_by_an_old_one_to_who_has_that(cast, client_for):
    client = client_for(cast.admin)

    def calcutta():
        return {"Asia/Calcutta", "Asia/Kolkata"} & set(offered(client.get(SETTINGS), "OK", "time_zone"))

    assert calcutta() == {"Asia/Kolkata"}
    User.objects.filter(pk=cast.admin.pk).update(time_zone="Asia/Calcutta")
    assert calcutta() == {"Asia/Calcutta", "Asia/Kolkata"}
    assert presses(client.get(SETTINGS), "OK", name="Ada").status_code == 302
    assert User.objects.get(pk=cast.admin.pk).time_zone == "Asia/Calcutta"


@pytest.mark.parametrize("wrong", ["Europe/Atlantis", "../etc/passwd", "CET; DROP TABLE", "utc"])
def test_only_known_zones_are_taken(cast, client_for, wrong):
    page = save(client_for(cast.admin), time_zone=wrong)
    assert page.context["form"].errors["time_zone"]
    assert User.objects.get(pk=cast.admin.pk).time_zone == ""


# --- Theme ---
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("host", [None, "acme"])
def test_the_theme_is_on_every_page_at_once(cast, client_for, theme, host):
    page = save(client_for(cast.admin, host=host), theme=theme)
    assert f'data-theme="{theme}"' in page.content.decode()


def test_without_a_choice_the_device_decides(cast, client_for):
    client = client_for(cast.admin)
    save(client, theme="dark")
    assert "data-theme" not in save(client, theme="system").content.decode()


def test_no_other_theme_is_taken(cast, client_for):
    assert save(client_for(cast.admin), theme='dark" onload="x').context["form"].errors["theme"]


# --- Where it leads ---
@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("/mailboxes/", "/mailboxes/"),
        ("/mailboxes/new/?name=Journal", "/mailboxes/new/?name=Journal"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/settings/password/", "/"),
        ("account_logout", "account_logout"),  # a page that is not there, and none that we have a name for
        ("", "/"),
    ],
)
def test_ok_closes_the_settings_and_leads_back_with_the_message(cast, client_for, came_from, back):
    page = client_for(cast.admin).get(SETTINGS, {"next": came_from})
    closed = presses(page, "OK", name="Ada")
    assert (closed.status_code, closed["Location"]) == (302, back)
    assert f'<a class="button quiet" href="{back}">Cancel</a>' in page.content.decode()
    landed = closed.client.get("/mailboxes/").content.decode()
    assert "Your settings are saved." in landed


def test_the_frame_leads_to_the_settings_and_knows_the_way_back(cast, client_for):
    page = client_for(cast.admin).get("/people/").content.decode()
    assert 'href="/settings/?next=/people/"' in page


def test_the_password_is_reset_by_a_link_beside_its_label(cast, client_for):
    page = read(client_for(cast.admin).get(SETTINGS))
    (link,) = page.xpath("//dt[.='Password']/following-sibling::dd[1]//a[@href='/settings/password/']")
    assert text_of(link) == "Reset own password"


@pytest.mark.parametrize("host", [None, "acme"])
def test_the_page_leads_to_password_and_sessions(cast, client_for, host):
    page = client_for(cast.admin, host=host).get(SETTINGS).content.decode()
    for target in ("/settings/password/", "/settings/password/choose/", "/settings/sessions/"):
        assert f'href="{target}"' in page


@pytest.mark.parametrize(
    "path", ["", "password/", "password/choose/", "sessions/"], ids=lambda path: path or "settings"
)
def test_strangers_are_asked_to_sign_in(db, client_for, path):
    client = client_for()
    assert client.get(SETTINGS + path)["Location"] == f"/accounts/login/?next=/settings/{path}"
    answer = client.post(SETTINGS + path, {"current_password": PASSWORD, "session": "all", "language": "de"})
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next=/settings/{path}")


def test_the_settings_say_which_second_factors_are_on(cast, client_for):
    def badges():
        page = client_for(cast.admin).get(SETTINGS).content.decode()
        return re.findall(r'<span class="badge ok">.*?</svg>([^<]+)</span>', page)

    assert badges() == []
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN):
        Authenticator.objects.create(user=cast.admin, type=kind, data={})
    assert badges() == ["Passkeys", "Authenticator app"]
