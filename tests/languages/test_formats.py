"""Dates and numbers are written as the reader's language does; what programs read is the same in all of them."""

import re
from datetime import UTC, datetime

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Mailbox, TallyChange
from tenants import audit
from tenants.models import AuditEvent
from tests.console.kit import Page
from tests.mailboxes.backups import before_its_guards

NBSP = "\N{NO-BREAK SPACE}"
RLM = "\N{RIGHT-TO-LEFT MARK}"
MOMENT = datetime(2026, 3, 4, 16, 39, 5, tzinfo=UTC)
MANY = 1234567

EACH = pytest.mark.parametrize(
    ("language", "date", "time", "number"),
    [
        ("en", "4 Mar 2026", ", 16:39", "1,234,567"),
        ("de", "04.03.2026", " 16:39", "1.234.567"),
        ("fr", "04/03/2026", " 16:39", f"1{NBSP}234{NBSP}567"),
        ("es", "04/03/2026", " 16:39", f"1{NBSP}234{NBSP}567"),
        ("ar", f"04{RLM}/03{RLM}/2026", "، 16:39", "1.234.567"),
    ],
)


@pytest.fixture
def reader(cast, client_for):
    """The browser of Acme's administrator, who reads that language."""

    def make(language):
        cast.admin.language = language
        cast.admin.save()
        return client_for(cast.admin)

    return make


@pytest.fixture
def mailbox(acme, acme_mailbox):
    """A mailbox of that moment in which that much waits."""
    with tenant_context(acme):
        Mailbox.objects.filter(pk=acme_mailbox.mailbox.pk).update(created_at=MOMENT)
        TallyChange.objects.create(mailbox_id=acme_mailbox.mailbox.pk, messages=MANY, octets=MANY)
    return acme_mailbox.mailbox


@pytest.fixture
def happened(acme, monkeypatch):
    """Something with a number and a time, at that moment."""
    with monkeypatch.context() as then, before_its_guards():
        then.setattr(timezone, "now", lambda: MOMENT)
        data = {"messages": MANY, "expires_at": MOMENT.isoformat()}
        audit.record("probe.acted", customer=acme, target=("probe", 1, "no. 1"), data=data, by=SYSTEM)


@EACH
def test_times_are_written_as_the_language_does(reader, mailbox, language, date, time, number):
    page = reader(language).get(f"/mailboxes/{mailbox.pk}/").content.decode()
    (shown,) = re.findall(r'<time datetime="2026-03-04T16:39:05\+00:00"[^>]*>([^<]*)</time>', page)
    assert shown == f"{date}{time} UTC"
    assert f'title="{date} 16:39:05 UTC"' in page


@EACH
def test_numbers_are_written_as_the_language_does(reader, mailbox, language, date, time, number):
    browser = reader(language)
    assert re.search(rf'class="n"[^>]*>\s*{number}\s*<', browser.get("/mailboxes/").content.decode())
    assert f"<b>{number}</b> " in browser.get(f"/mailboxes/{mailbox.pk}/").content.decode()
    asking = browser.get(f"/mailboxes/{mailbox.pk}/reset-password/").content.decode()
    assert asking.count(number) >= 2, "in what becomes of the mail, too"


@EACH
@pytest.mark.usefixtures("happened")
def test_the_activity_is_written_as_the_language_does(reader, language, date, time, number):
    page = reader(language).get("/activity/", {"kind": "other"}).content.decode()
    assert re.search(rf'title="{date} 16:39:05 UTC"[^>]*>16:39:05</time>', page)
    assert f">{date}{time} UTC</bdi>" in page
    assert f">{number}</bdi>" in page


@EACH
def test_ports_are_no_amounts(reader, mailbox, language, date, time, number, settings):
    settings.PUBLIC_SMTP_PORT, settings.PUBLIC_SMTPS_PORT = 2525, 2465
    settings.PUBLIC_POP3_PORT, settings.PUBLIC_POP3S_PORT = 2110, 2995
    browser = reader(language)
    sheet, guide = (
        browser.post("/mailboxes/new/", {"name": "Journal"}),
        browser.get(f"/mailboxes/{mailbox.pk}/"),
    )
    for page, ports in ((sheet, ("2525", "2465", "2995", "2110")), (guide, ("2525", "2995", "2110"))):
        text = Page(page).text
        assert [port for port in ports if port not in text] == []
        assert not re.search(r"\b2\D(525|465|995|110)\b", text)


@EACH
def test_a_session_is_ended_by_its_number_however_many_there_were(
    reader, cast, client_for, language, date, time, number
):
    browser, other = reader(language), client_for(cast.admin)
    for each in (browser, other):
        each.get("/mailboxes/")
    sessions = UserSession.objects.filter(user=cast.admin)
    sessions.update(id=F("id") + MANY)
    page = browser.get("/settings/sessions/").content.decode()
    ends = re.findall(r'name="session"\s+value="(\d+)"', page)
    assert sorted(map(int, ends)) == sorted(sessions.values_list("id", flat=True))


def test_ids_in_the_administration_can_be_copied(cast, client_for):
    event = AuditEvent.objects.create(action="probe.acted", actor_id=MANY, provider_id=MANY + 1)
    page = Page(client_for(cast.staff, None).get(f"/admin/tenants/auditevent/{event.pk}/change/")).text
    assert f"Person's ID {MANY} " in page
    assert f"Provider's ID {MANY + 1} " in page


@pytest.mark.usefixtures("happened")
def test_a_file_is_written_for_programs_in_every_language(reader):
    for language in dict(settings.LANGUAGES):
        answer = reader(language).get("/activity/activity.csv", {"kind": "other"})
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        assert "2026-03-04 16:39:05+00:00" in text
        assert text.count("2026-03-04 16:39") == 2, "in the details, too"
        assert "1234567" in text


@pytest.mark.usefixtures("happened")
def test_a_label_and_its_value_are_put_together_as_the_language_does(reader):
    answer = reader("fr").get("/activity/activity.csv", {"kind": "other"})
    assert f"Messages{NBSP}: 1234567" in b"".join(answer.streaming_content).decode()
    page = reader("fr").get("/activity/", {"since": "yesterday"}).content.decode()
    assert f"À partir du{NBSP}: Saisissez une date valide." in page
