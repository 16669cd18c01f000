"""People hear by mail of what happens with their account: sign-ins from new devices, changed passwords."""

import re
import smtplib
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest
from celery import current_app
from django.core.mail import EmailMessage
from django.utils import timezone, translation
from django.utils.translation import gettext

from accounts.actors import SYSTEM
from accounts.mails import notices, outbox
from accounts.models import PendingMail, User
from accounts.tasks import send_mails
from tenants import services
from tests.cast import PASSWORD

LOGIN = "/accounts/login/"
ADMIN = "admin@acme.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"
FIREFOX_140, FIREFOX_141 = FIREFOX.format(140, 140), FIREFOX.format(141, 141)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"
SUBJECT = "A sign-in from a new device"


@pytest.fixture
def browser(client_for):
    def make(host="acme", agent=FIREFOX_140, address="192.0.2.7"):
        return client_for(host=host, REMOTE_ADDR=address, HTTP_USER_AGENT=agent)

    return make


@pytest.fixture
def sign_in(post):
    """Sign in; returns the subjects of the mails that follow."""

    def act(client, login=ADMIN, password=PASSWORD):
        with post.of() as mails:
            client.post(LOGIN, {"login": login, "password": password})
        assert "_auth_user_id" in client.session
        return [mail.subject for mail in mails]

    return act


# --- New devices ---
def test_a_device_never_seen_is_told_with_time_address_and_what_to_do(cast, browser, post):
    User.objects.filter(email=ADMIN).update(time_zone="Asia/Tokyo")
    with post.of() as mails:
        browser().post(LOGIN, {"login": ADMIN, "password": PASSWORD})
    (mail,) = mails
    assert (mail.to, mail.subject) == ([ADMIN], SUBJECT)
    for text in (
        "192.0.2.7",
        "Firefox on Linux",
        "(JST)",
        "http://portal.localhost:8000/accounts/password/reset/",
    ):
        assert text in mail.body
    assert PASSWORD not in str(mail.message())


def test_the_same_browser_is_known_the_next_time_from_wherever(cast, browser, sign_in):
    client = browser()
    sign_in(client)
    client.post("/accounts/logout/")
    client.defaults["REMOTE_ADDR"] = "198.51.100.20"
    assert sign_in(client) == []


def test_it_is_known_on_every_host(cast, browser, sign_in):
    client = browser()
    sign_in(client)
    cookie = client.cookies["device"]
    assert (cookie["domain"], cookie["samesite"]) == ("portal.localhost", "Lax")
    assert cookie["httponly"]
    other = browser(None, CHROME, "203.0.113.9")
    other.cookies = client.cookies
    other.post("/accounts/logout/")
    assert sign_in(other) == []


@pytest.mark.parametrize(
    ("agent", "address", "told"),
    [
        (FIREFOX_141, "192.0.2.200", False),  # an update, another desk of the same office
        (FIREFOX_140, "192.0.3.7", True),
        (CHROME, "192.0.2.7", True),
        ("", "192.0.2.7", True),
    ],
)
def test_without_the_cookie_kind_of_browser_and_network_both_have_to_be_known(
    cast, browser, sign_in, agent, address, told
):
    sign_in(browser())
    assert sign_in(browser(agent=agent, address=address)) == ([SUBJECT] if told else [])


@pytest.mark.parametrize(("address", "told"), [("2001:db8:1:ffff::1", False), ("2001:db8:2::1", True)])
def test_networks_of_ipv6_are_known_by_their_first_48_bits(cast, browser, sign_in, address, told):
    sign_in(browser(address="2001:db8:1::1"))
    assert sign_in(browser(address=address)) == ([SUBJECT] if told else [])


def test_a_device_known_for_one_person_is_new_for_another(cast, browser, sign_in):
    client = browser()
    sign_in(client)
    client.post("/accounts/logout/")
    assert sign_in(client, "viewer@acme.example") == [SUBJECT]
    client.post("/accounts/logout/")
    assert sign_in(client) == []
    client.post("/accounts/logout/")
    assert sign_in(client, "viewer@acme.example") == []


def test_a_cookie_that_was_made_up_or_altered_vouches_for_nobody(cast, browser, sign_in):
    first = browser()
    sign_in(first)
    genuine = first.cookies["device"].value
    for forged in ("", "x", "." * 50, genuine[:-1] + "x", "a" + genuine):
        client = browser(agent=CHROME, address="198.51.100.1")
        client.cookies["device"] = forged
        assert sign_in(client) == [SUBJECT]
        User.objects.get(email=ADMIN).usersession_set.filter(ip="198.51.100.1").delete()


def test_after_a_change_of_password_only_the_browser_that_made_it_is_known(cast, browser, sign_in):
    thief, owner = browser(agent=CHROME, address="198.51.100.1"), browser()
    sign_in(thief)
    sign_in(owner)
    new = "seven-lamps-under-water"
    fields = {"current_password": PASSWORD, "new_password": new, "new_password_again": new}
    owner.post("/settings/password/choose/", fields)
    for client in (owner, thief):
        client.post("/accounts/logout/")
    assert sign_in(owner, password=new) == []
    assert sign_in(thief, password=new) == [SUBJECT]


def test_a_failed_sign_in_is_no_sign_in(cast, browser, post):
    client = browser()
    with post.of() as mails:
        client.post(LOGIN, {"login": ADMIN, "password": "a-wrong-guess"})
    assert mails == []
    assert "device" not in client.cookies


def test_what_a_browser_says_of_itself_does_not_get_into_the_mail(cast, browser, post):
    with post.of() as mails:
        browser(agent="Call +1 555 0100, http://evil.example/ \r\nBcc: x@evil.example").post(
            LOGIN, {"login": ADMIN, "password": PASSWORD}
        )
    assert "evil" not in str(mails[0].message()) and "555" not in str(mails[0].message())
    assert "an unknown device" in mails[0].body


# --- Changed passwords ---
@pytest.mark.parametrize("way", ["reset", "choose"])
def test_a_changed_password_is_told(cast, browser, post, sign_in, way):
    client = browser()
    sign_in(client)
    new = "seven-lamps-under-water"
    with post.of() as mails:
        if way == "choose":
            fields = {"current_password": PASSWORD, "new_password": new, "new_password_again": new}
            client.post("/settings/password/choose/", fields)
        else:
            page = client.post("/settings/password/", {"current_password": PASSWORD})
            client.post("/settings/password/", {"token": page.context["offer"].token})
    (mail,) = mails
    assert (mail.to, mail.subject) == ([ADMIN], "Your password was changed")
    assert "192.0.2.7" in mail.body
    assert PASSWORD not in mail.body and new not in mail.body


def test_a_refused_change_is_not_told(cast, browser, post, sign_in):
    client = browser()
    sign_in(client)
    with post.of() as mails:
        client.post("/settings/password/", {"current_password": "a-wrong-guess"})
        client.post("/settings/password/", {"token": "x"})
    assert mails == []


# --- What they advise ---
OF_OTHERS = {"account/email/password_reset"}  # with advice of its own
WITH_ADVICE = sorted(notices.NOTICES - OF_OTHERS)


@pytest.fixture
def notice(cast, mailoutbox):
    """What Acme's admin reads when the notice of that name is sent."""

    def read(template):
        PendingMail.objects.create(kind=template, user=cast.admin, ip="192.0.2.7")
        send_mails()
        return " ".join(mailoutbox[-1].body.split())

    return read


@pytest.mark.parametrize("template", WITH_ADVICE)
def test_every_notice_greets_tells_when_and_where_and_leads_to_a_new_password(notice, template):
    text = notice(template)
    assert text.startswith("Good day, Admin,")
    assert "IP address: 192.0.2.7 Device: an unknown device" in text
    assert "that ends all sessions: http://portal.localhost:8000/accounts/password/reset/" in text
    assert "remove every passkey and app under “Security” that is not yours" in text
    assert text.endswith("Nobody reads answers to it. http://portal.localhost:8000/")


@pytest.mark.parametrize("template", WITH_ADVICE)
def test_who_has_no_password_is_not_sent_to_choose_one(cast, notice, template):
    cast.admin.set_unusable_password()
    cast.admin.save()
    text = notice(template)
    assert "a new password" not in text and "/accounts/password/reset/" not in text
    assert "end all sessions here: http://portal.localhost:8000/settings/sessions/" in text


# --- How they are sent ---
@pytest.fixture
def no_server(monkeypatch):
    """While the block runs no mail server answers."""

    def refused(*_args, **_kwargs):
        raise smtplib.SMTPServerDisconnected("gone")

    @contextmanager
    def gone():
        with monkeypatch.context() as patch:
            patch.setattr(EmailMessage, "send", refused)
            yield

    return gone


def test_notices_are_in_the_persons_language_whatever_the_browser_prefers(cast, browser, post):
    User.objects.filter(email=ADMIN).update(language="en", name="Ada & Co <b>")
    with post.of() as mails:
        browser().post(LOGIN, {"login": ADMIN, "password": PASSWORD}, headers={"accept-language": "de"})
    assert mails[0].subject == SUBJECT
    assert mails[0].body.startswith("Good day, Ada & Co <b>,\n\n")


def test_for_who_has_chosen_no_language_notices_are_in_that_of_the_page(cast, browser, post):
    with post.of() as mails:
        browser().post(LOGIN, {"login": ADMIN, "password": PASSWORD}, headers={"accept-language": "de"})
    with translation.override("de"):
        assert mails[0].subject == gettext(SUBJECT) != SUBJECT
        assert (
            gettext("%(browser)s on %(system)s") % {"browser": "Firefox", "system": "Linux"} in mails[0].body
        )


def test_a_subject_begins_on_the_line_of_its_header_and_comes_out_as_it_was(cast, post):
    User.objects.filter(pk=cast.viewer.pk).update(language="fr")
    with post.of() as mails:
        services.switch_off(cast.viewer, by=SYSTEM)
        services.switch_on(cast.viewer, by=SYSTEM)
    assert len(mails) == 2
    for mail in mails:
        sent = mail.message().as_bytes(linesep="\r\n")
        assert re.search(rb"^Subject: \S.*\r\n", sent, re.MULTILINE)
        assert all(len(line) <= 78 for line in sent.partition(b"\r\n\r\n")[0].split(b"\r\n"))
        assert message_from_bytes(sent, policy=SMTP)["Subject"] == mail.subject


def test_mails_are_text_of_readable_width_and_then_html_and_no_absence_note_answers_them(cast, browser, post):
    with post.of() as mails:
        browser().post(LOGIN, {"login": ADMIN, "password": PASSWORD})
    message = mails[0].message()
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.get_payload()] == ["text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert all(len(line) <= 72 or "://" in line for line in mails[0].body.splitlines())
    assert "\n\n\n" not in mails[0].body


def test_nobody_is_told_of_a_closed_account(cast, mailoutbox):
    PendingMail.objects.create(kind=notices.NEW_DEVICE, user=cast.admin)
    User.objects.filter(email=ADMIN).update(is_active=False)
    send_mails()
    assert mailoutbox == []
    assert not PendingMail.objects.exists()


def test_a_mail_that_no_server_takes_is_tried_again_later_and_given_up_at_last(cast, mailoutbox, no_server):
    pending = PendingMail.objects.create(kind=notices.NEW_DEVICE, user=cast.admin)
    with no_server():
        send_mails()
    send_mails()
    assert mailoutbox == []  # its pause is not over
    PendingMail.objects.update(due_at=timezone.now())
    send_mails()
    assert [mail.to for mail in mailoutbox] == [[ADMIN]]
    assert not PendingMail.objects.exists()

    pending.pk = None
    pending.at -= outbox.LIFE
    pending.save(force_insert=True)
    with no_server():
        send_mails()
    assert not PendingMail.objects.exists()


def test_while_no_server_answers_one_mail_waits_for_it_and_not_each(cast, no_server):
    for _ in range(3):
        PendingMail.objects.create(kind=notices.NEW_DEVICE, user=cast.admin)
    with no_server():
        send_mails()
    assert sorted(PendingMail.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_a_mail_that_can_not_be_written_keeps_no_other_back(cast, mailoutbox):
    PendingMail.objects.create(kind="tenants/email/invitation", user=cast.admin)
    PendingMail.objects.create(kind=notices.NEW_DEVICE, user=cast.admin)
    send_mails()
    assert [mail.subject for mail in mailoutbox] == [SUBJECT]


def test_what_a_mail_suffers_from_is_told_in_the_log_once_and_not_for_hours(cast, caplog):
    PendingMail.objects.create(kind="tenants/email/invitation", user=cast.admin)
    for _round in range(3):
        PendingMail.objects.update(due_at=timezone.now())
        send_mails()
    assert [bool(line.exc_info) for line in caplog.records] == [True, False, False]
    assert PendingMail.objects.exists()


def test_a_mail_to_an_address_that_has_none_is_given_up_at_once_and_the_log_says_so(cast, post, caplog):
    """An earlier release took it."""
    User.objects.filter(pk=cast.admin.pk).update(email="a@" + "\u00fc" * 60 + ".example")
    with post.of() as mails:
        services.switch_off(User.objects.get(pk=cast.admin.pk), by=SYSTEM)
        services.switch_off(cast.viewer, by=SYSTEM)
    assert [mail.to for mail in mails] == [[cast.viewer.email]]
    (line,) = caplog.records
    assert "a mail is given up" in line.message and line.exc_info
    assert not PendingMail.objects.exists()


def test_a_task_says_neither_what_is_mailed_nor_to_whom(cast, mailoutbox):
    """All that whoever rings can do is to have sent what is due anyway."""
    with pytest.raises(TypeError):
        send_mails("accounts/email/new_device", cast.admin.pk)
    send_mails()
    assert mailoutbox == []
    ours = {name for name in current_app.tasks if name.startswith("accounts.")}
    assert ours == {outbox.TASK, "accounts.tasks.clear_expired_sessions"}  # which takes no argument either


def test_every_notice_that_has_a_text_is_in_the_closed_set(cast, caplog):
    texts = Path("accounts/templates").rglob("*_message.txt")
    told = {text for text in texts if "base_notification.txt" in text.read_text()}
    names = {str(text).partition("templates/")[2].removesuffix("_message.txt") for text in told}
    assert names == set(notices.NOTICES)
    notices.announce("tenants/email/invitation", cast.admin, ip="192.0.2.1", user_agent="")
    assert "no such notice" in caplog.text
    assert not PendingMail.objects.exists()
