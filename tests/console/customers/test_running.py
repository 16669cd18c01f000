"""A provider's people create and run a customer, in a browser without scripts."""

import pytest

from accounts.actors import SYSTEM
from mailboxes.services import delivery
from tenants import services
from tenants.models import AuditEvent, Customer, Invitation
from tests.cast import customer
from tests.pages import follows, presses, read, text_of

GB = 1024**3
SHOWN = {"waiting_quota_octets": "1.5 GB", "tags": "a, b"}


@pytest.fixture
def owner(cast, client_for):
    return client_for(cast.owner, host=None)


def fields(answer):
    """The names of fields beside which something is wrong."""
    return {each.get("name") for each in read(answer).xpath("//*[@aria-invalid='true']")}


def said(answer):
    return text_of(read(answer).find(".//main"))


# --- Creating ---
def test_from_the_list_to_a_customer_and_on_to_its_first_mailbox(owner, mailoutbox, client_for, cast):
    page = follows(owner.get("/customers/"), "Create customer")
    typed = {
        "name": "Juniper Clinics",
        "slug": "",
        "group": "Gold",
        "tags": "on-site, new",
        "time_zone": "Europe/Berlin",
        "mailbox_limit": "20",
        "waiting_quota_octets": "10 GB",
        "allowed_networks": "192.0.2.0/24\n2001:db8::/32",
        "admin_email": "dana@juniper.example",
        "mailbox_name": "Microsoft 365 Journal",
    }
    answer = presses(page, "Create customer", **typed)
    made = customer("juniper-clinics")
    assert (made.group, made.tags, made.mailbox_limit, made.waiting_quota_octets) == (
        "Gold",
        ["on-site", "new"],
        20,
        10 * GB,
    )
    assert (made.language, made.time_zone) == ("en", "Europe/Berlin")
    assert made.allowed_networks == ["192.0.2.0/24", "2001:db8::/32"]
    assert [mail.to for mail in mailoutbox] == [["dana@juniper.example"]]
    there = "/mailboxes/new/?name=Microsoft+365+Journal"
    assert answer["Location"] == f"http://juniper-clinics.portal.localhost{there}"
    page = client_for(cast.owner, host="juniper-clinics").get(there)
    assert read(page).xpath("string(//input[@name='name']/@value)") == "Microsoft 365 Journal"
    assert "There may be 20 more mailboxes here." in said(page)


def test_a_customer_alone_is_fine_and_its_page_says_what_it_lacks(owner):
    answer = presses(owner.get("/customers/new/"), "Create customer", name="Juniper", slug="juniper")
    assert answer["Location"] == "/customers/juniper/"
    page = said(owner.get("/customers/juniper/"))
    assert "It has no mailbox yet." in page
    assert "none yet" in page
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"name": "Acme"}, {"slug"}),  # proposed, taken, and shown to be changed
        ({"name": "شركة"}, {"slug"}),  # nothing can be proposed
        ({"name": ""}, {"name", "slug"}),
        ({"name": "New", "slug": "new"}, {"slug"}),
        ({"name": "Juniper", "admin_email": "dana@juniper"}, {"admin_email"}),
        ({"name": "Juniper", "waiting_quota_octets": "10"}, {"waiting_quota_octets"}),
        ({"name": "Juniper", "message_limit_octets": "10 KB"}, {"message_limit_octets"}),
        ({"name": "Juniper", "mailbox_limit": "-1"}, {"mailbox_limit"}),
        ({"name": "Juniper", "allowed_networks": "nonsense"}, {"allowed_networks"}),
        ({"name": "Juniper", "tags": "x" * 41}, {"tags"}),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_made(owner, typed, wrong):
    before = Customer.objects.count()
    answer = presses(owner.get("/customers/new/"), "Create customer", **typed)
    assert (answer.status_code, fields(answer)) == (200, wrong)
    assert Customer.objects.count() == before
    if typed["name"] == "Acme":
        assert read(answer).xpath("string(//input[@name='slug']/@value)") == "acme"


def test_a_mail_that_fails_leaves_customer_and_invitation_and_says_so(owner, settings):
    settings.EMAIL_BACKEND = "tests.console.customers.test_running.Broken"
    typed = {"name": "Juniper", "admin_email": "dana@juniper.example"}
    answer = presses(owner.get("/customers/new/"), "Create customer", **typed)
    page = said(owner.get(answer["Location"]))
    assert "its email could not be sent" in page
    assert "dana@juniper.example" in page


class Broken:
    def __init__(self, *args, **kwargs):
        raise OSError("no mail server")


def test_who_works_for_several_providers_says_for_which(cast, owner):
    services.add_membership(
        cast.owner, provider=Customer.objects.get(slug="initech").provider, role="operator", by=SYSTEM
    )
    presses(owner.get("/customers/new/"), "Create customer", name="Juniper", provider="fabrikam")
    assert customer("juniper").provider.slug == "fabrikam"


# --- One customer ---
def test_its_page_shows_limits_use_people_and_the_way_in(cast, owner, acme, acme_mailbox):
    services.edit_customer(
        acme, mailbox_limit=5, waiting_quota_octets=GB, group="Gold", tags=["on-site"], by=cast.owner
    )
    delivery.deliver([delivery.resolve(acme_mailbox.address, peer="192.0.2.7")], [b"x" * 2048])
    page = follows(owner.get("/customers/"), "About Acme")
    for text in (
        "As in each reader's browser",
        "Gold",
        "on-site",
        "of 5 that there may be",
        "1 message, 2.0 KB",
        "of 1.0 GB that may wait",
        "Admin",
    ):
        assert text in said(page).replace("\xa0", " "), text
    assert {"http://acme.portal.localhost/mailboxes/"} <= set(read(page).xpath("//main//a/@href"))
    assert "Invite the first administrator" not in said(page)  # there is one


def test_an_auditor_looks_and_is_offered_nothing(cast, client_for):
    page = client_for(cast.auditor, host=None).get("/customers/acme/")
    assert not {"Edit", "Suspend…"} & {text_of(link) for link in read(page).xpath("//main//a")}
    assert "Create customer" not in client_for(cast.auditor, host=None).get("/customers/").content.decode()


def test_editing_shows_what_is_there_and_changes_what_was_typed(cast, owner, acme):
    services.edit_customer(acme, waiting_quota_octets=3 * GB // 2, tags=["a", "b"], by=cast.owner)
    page = follows(owner.get("/customers/acme/"), "Edit")
    shown = {name: read(page).xpath(f"string(//input[@name='{name}']/@value)") for name in SHOWN}
    assert shown == SHOWN
    presses(page, "Save changes", name="Acme Ltd", message_limit_octets="25 MB")
    now = customer("acme")
    assert (now.name, now.message_limit_octets, now.waiting_quota_octets) == (
        "Acme Ltd",
        25 * 1024**2,
        3 * GB // 2,
    )
    assert AuditEvent.objects.order_by("pk").last().data == {
        "name": "Acme Ltd",
        "message_limit_octets": 25 * 1024**2,
    }


def test_suspended_and_active_again_by_two_buttons(cast, owner, client_for):
    page = follows(owner.get("/customers/acme/"), "Suspend…")
    assert "senders try again, but not for ever" in said(page)
    presses(page, "Suspend customer", reason="Unpaid since May")
    page = owner.get("/customers/acme/")
    assert "This customer is suspended" in said(page)
    assert "Unpaid since May" in said(page)
    assert "“Acme” is suspended" in said(client_for(cast.owner).get("/mailboxes/"))  # the operators' visit
    presses(page, "Activate it")
    assert "Suspended" not in said(owner.get("/customers/acme/"))
    assert customer("acme").status == "active"


def test_the_first_administrator_is_asked_in_and_another_one_instead(owner, mailoutbox):
    services.create_customer("juniper", "Juniper", provider=customer("acme").provider, by=SYSTEM)
    page = follows(owner.get("/customers/juniper/"), "Invite the first administrator")
    presses(page, "Send the invitation", email="dana@juniper.example")
    page = owner.get("/customers/juniper/administrator/")
    assert "Somebody has been invited already" in said(page)
    presses(page, "Send the invitation", email="ed@juniper.example")
    assert [mail.to for mail in mailoutbox] == [["dana@juniper.example"], ["ed@juniper.example"]]
    assert "dana@" not in said(owner.get("/customers/juniper/"))


# --- Its own people ---
def test_whom_a_suspension_shuts_out_reads_by_whom_and_why_on_every_page(cast, acme, client_for):
    services.suspend_customer(acme, reason="Moving house", by=cast.owner)
    for page in ("/", "/mailboxes/", "/people/", "/activity/", "/settings/", "/no/such/page/"):
        answer = client_for(cast.admin).get(page)
        assert answer.status_code == 403, page
        assert "Northwind IT, has suspended “Acme”" in said(answer)
        assert "Moving house" in said(answer)
    strangers = client_for(cast.mallory).get("/mailboxes/")
    assert (strangers.status_code, "suspended" in said(strangers)) == (404, False)
    assert client_for(cast.admin).get("/accounts/logout/").status_code == 200
    home = client_for(cast.admin, host=None)
    assert home.get("/")["Location"] == "/customers/"
    assert "Northwind IT, has suspended “Acme”" in said(home.get("/customers/"))


def test_its_people_are_told_when_there_is_no_room_for_another_mailbox(cast, acme, acme_mailbox, client_for):
    services.edit_customer(acme, mailbox_limit=1, by=cast.owner)
    page = client_for(cast.admin).get("/mailboxes/new/")
    assert "There is no room for another one" in said(page)
    refused = presses(page, "OK", name="Another")
    assert "There may be no more than 1 mailbox here." in said(refused)


def test_a_hand_over_sheet_is_offered_in_the_customers_language(cast, acme, client_for):
    services.edit_customer(acme, language="fr", by=cast.owner)
    page = client_for(cast.admin).get("/mailboxes/new/")
    assert read(page).xpath("string(//select[@name='sheet_language']/option[@selected]/@value)") == "fr"
