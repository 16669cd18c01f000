"""The HTML part of mails: the words of the text in the look of the pages, and nothing from elsewhere."""

import re
from html import unescape

import pytest
from django.test.signals import template_rendered
from django.utils import translation
from django.utils.translation import gettext

from accounts.actors import SYSTEM
from accounts.mails import notices
from accounts.mails.colours import DARK, LIGHT
from accounts.mails.markup import html_of
from accounts.models import PendingMail, User
from accounts.services import mail_reset_link
from accounts.tasks import send_mails
from portal.languages.catalogs import ROOT
from tenants import services
from tests.console.frame.tokens import token

HOME = "http://portal.localhost:8000/"
LINK = "http://portal.localhost:8000/x/"


def html_part(mail):
    (part,) = mail.alternatives
    assert part.mimetype == "text/html"
    return part.content


def words_of(html):
    """What a person reads, without the name on top and the words on buttons."""
    body = re.sub(r"(?s).*<body|<a class=\"button\".*?</a>", "<body", html)
    head, *below = re.split(r'(?s)(?=<td class="paper")', body)
    assert words_in(head)[-1:] in (["Gatehouse"], ["IT"])  # Northwind's
    return words_in("".join(below))


def words_in(html):
    return unescape(re.sub(r"(?s)<[^>]*>", " ", html)).split()


def messages():
    """The templates of all mails that there are, but for those on which others are based."""
    folders = [ROOT / room / "templates" for room in ("accounts", "mailboxes", "tenants")]
    return {
        str(path.relative_to(folder))
        for folder in folders
        for path in folder.rglob("*_message.txt")
        if not path.name.startswith("base_")
    }


@pytest.fixture
def every_mail(cast, acme, mailoutbox):
    """At least one of each, in that language."""

    def write(language):
        User.objects.update(language=language)
        mailoutbox.clear()
        for kind in sorted(notices.NOTICES):
            PendingMail.objects.create(
                kind=kind, user=cast.admin, ip="192.0.2.7", user_agent="Firefox/140.0 (X11; Linux)"
            )
        staff_change_much()
        send_mails()
        mail_reset_link(cast.admin.email)
        cast.admin.refresh_from_db()
        with translation.override(language):
            services.invite(acme, "nora@acme.example", role="viewer", by=cast.admin)
        assert written >= messages()
        return mailoutbox

    def staff_change_much():
        services.change_role(cast.viewer.memberships.get(), role="admin", by=cast.staff)
        services.switch_off(cast.viewer, by=cast.staff)
        services.switch_on(cast.viewer, by=cast.staff)
        services.let_in(cast.owner.email, by=SYSTEM)
        person = User.objects.get(pk=cast.stranger.pk)
        same = ("name", "language", "time_zone", "theme", "is_active", "is_superuser")
        services.change_person(
            person,
            **{field: getattr(person, field) for field in same},
            email="elsewhere@stranger.example",
            is_staff=True,
            groups=[],
            by=cast.staff,
        )

    written = set()

    def note(sender, template, **rest):
        written.add(template.name)

    template_rendered.connect(note)
    yield write
    template_rendered.disconnect(note)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_it_says_word_for_word_what_the_text_says_and_in_its_direction(every_mail, language):
    for mail in every_mail(language):
        html = html_part(mail)
        assert words_of(html) == [word for word in mail.body.split() if word != "-"]
        direction = "rtl" if language == "ar" else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in html


def test_it_fetches_nothing_and_leads_nowhere_but_the_text_does(every_mail):
    for mail in every_mail("en"):
        html = html_part(mail)
        assert not re.search(r"<(img|link|script|iframe|object|form)\b|\bsrc=|url\(|@import|@font-face", html)
        leads_to = re.findall(r'href="([^"]*)"', html)
        assert leads_to and set(leads_to) <= set(mail.body.split())


def test_the_link_that_stands_alone_is_a_button_and_readable(cast, mailoutbox):
    mail_reset_link(cast.admin.email)
    html = html_part(mailoutbox[0])
    link = re.search(r"http\S+/password/reset/key/\S+", mailoutbox[0].body)[0]
    button = re.search(r'<a class="button"\s+href="([^"]+)"[^>]*>([^<]+)</a>', html)
    assert (button[1], button[2]) == (link, gettext("Choose a new password"))
    assert re.search(rf">\s*{re.escape(link)}\s*</a>", html)
    assert html.count('class="button"') == 1


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_button_says_what_it_does(every_mail, language):
    """No button of a mail says only that it goes on, and each mail says it in its language."""
    with translation.override(language):
        verbs = {
            gettext(verb) for verb in ("Choose a new password", "End all sessions", "Accept the invitation")
        }
    said = {
        verb
        for mail in every_mail(language)
        for verb in re.findall(r'<a class="button"[^>]*>([^<]+)</a>', html_part(mail))
    }
    assert len(said) >= 2 and said <= verbs


def test_a_name_is_text_and_no_markup(cast, mailoutbox):
    User.objects.filter(pk=cast.admin.pk).update(name="Ada & Co <b onclick=x>")
    mail_reset_link(cast.admin.email)
    assert "Good day, Ada & Co <b onclick=x>," in mailoutbox[0].body
    assert "Good day, Ada &amp; Co &lt;b onclick=x&gt;," in html_part(mailoutbox[0])
    assert "<b " not in html_part(mailoutbox[0])


def test_facts_have_names_lists_have_entries_and_the_end_is_the_foot():
    text = (
        f"Hello,\n\nOne: 1\nTwo: 2\n\nFor these:\n\n- A\n- B\n\nGo:\n{LINK}\nThen rest.\n\nFrom us.\n{HOME}"
    )
    html = " ".join(html_of(text, subject="S", home=HOME, verbs={}).split())
    assert re.search(r">One:</td> <td[^>]*> <bdi>1</bdi>", html)
    assert re.search(r"<li><bdi>A</bdi></li> <li><bdi>B</bdi></li>", html)
    paper, _, foot = html.partition("Then rest.")
    assert f'href="{LINK}"' in paper and HOME not in re.findall(r'href="([^"]+)"', paper)
    assert "From us." in foot and f'href="{HOME}"' in foot
    assert 'class="button"' not in foot


def test_its_colours_are_those_of_the_pages_and_named_in_one_place(every_mail):
    assert LIGHT.keys() == DARK.keys()
    assert {name: [LIGHT[name], DARK[name]] for name in LIGHT} == {
        name: token(name.replace("_", "-")) for name in LIGHT
    }
    colour = re.compile(r"#[\da-fA-F]{3,8}\b")
    shown = {one for mail in every_mail("en") for one in colour.findall(unescape(html_part(mail)))}
    assert shown == {*LIGHT.values(), *DARK.values()}
    assert not colour.findall((ROOT / "accounts/templates/accounts/email/mail.html").read_text())
