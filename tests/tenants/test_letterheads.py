"""Mails to a provider's people and its customers' people carry its name, its look and whom to ask."""

from email import message_from_bytes
from email.policy import SMTP

import pytest
from django.conf import settings

from accounts.actors import SYSTEM
from accounts.services import mail_reset_link
from tenants import branding, services
from tenants.branding.colours import palette_of
from tenants.models import Branding
from tests.tenants.drawing import picture

GREEN = "#0d6b5f"
WEBSITE = "https://northwind.example/help"


@pytest.fixture
def branded(cast, northwind):
    branding.set_branding(
        northwind,
        name="Northwind Mail",
        colour=GREEN,
        support_email="help@northwind.example",
        support_phone="+49 30 0000 2200",
        support_url=WEBSITE,
        by=cast.owner,
    )
    branding.set_logo(northwind, picture(), by=cast.owner)
    return northwind


def read(mail):
    """As a mail program does: headers, text, HTML, and the picture or None."""
    message = message_from_bytes(mail.message().as_bytes(linesep="\r\n"), policy=SMTP)
    text, html = (message.get_body([kind]).get_content() for kind in ("plain", "html"))
    pictures = [part for part in message.walk() if part.get_content_maintype() == "image"]
    return message, text, html, pictures


def to(person, mailoutbox):
    mailoutbox.clear()
    mail_reset_link(person.email)
    return read(mailoutbox[0])


@pytest.mark.parametrize("who", ["owner", "auditor", "admin", "viewer"])
def test_its_own_people_and_its_customers_are_told_whose_portal_writes_and_whom_to_ask(
    cast, branded, mailoutbox, who
):
    message, text, html, pictures = to(getattr(cast, who), mailoutbox)
    assert message["From"] == settings.DEFAULT_FROM_EMAIL
    for part in (text, html):
        said = " ".join(part.split())
        assert "the Gatehouse portal of Northwind Mail" in said
        assert "help@northwind.example, +49 30 0000 2200" in said
        assert WEBSITE in said
    palette = palette_of(GREEN)
    assert palette.light.fill in html and palette.dark.fill in html and palette.dark.accent in html
    (logo,) = pictures
    assert logo["Content-ID"] == "<logo@gatehouse>" and 'src="cid:logo@gatehouse"' in html
    assert logo.get_content() == branding.logo_of(branding.brand_of(branded))
    assert logo.get_content_disposition() == "inline"
    assert message.get_content_type() == "multipart/related"
    assert message.get_payload()[0].get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("who", ["rival", "mallory"])
def test_others_mails_have_nothing_of_it(cast, branded, mailoutbox, who):
    if who == "mallory":  # of a customer of both
        fabrikam = services.provider_by_slug("fabrikam", by=SYSTEM)
        services.add_membership(cast.mallory, provider=fabrikam, role="auditor", by=SYSTEM)
    message, text, html, pictures = to(getattr(cast, who), mailoutbox)
    assert "Northwind" not in text + html and not pictures
    assert message.get_content_type() == "multipart/alternative"
    assert ("of Fabrikam Services" in text) == (who == "rival")


def test_an_invitation_has_that_of_where_it_leads(cast, branded, acme, mailoutbox):
    services.invite(acme, "nora@acme.example", role="viewer", by=cast.admin)
    _message, text, html, pictures = read(mailoutbox[0])
    assert "Northwind Mail" in text and "help@northwind.example" in html and len(pictures) == 1


def test_a_notice_of_what_staff_did_has_that_of_the_place(cast, branded, post):
    with post.of() as mails:
        services.change_role(cast.viewer.memberships.get(), role="admin", by=cast.staff)
    assert "Northwind Mail" in mails[0].body and mails[0].attachments


def test_a_name_that_holds_an_address_makes_no_link_in_a_mail(cast, branded, mailoutbox):
    Branding.objects.update(name="Pay at evil.example")  # as an earlier release may have taken one
    _message, text, html, _pictures = to(cast.admin, mailoutbox)
    assert "evil.example" not in text + html
    assert "the Gatehouse portal of northwind" in " ".join(text.split())
