"""An owner's page about the look, what it changes on other pages, and what a stranger sees of it."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.actors import SYSTEM
from mailboxes import services as mailboxes
from tenants import branding, services
from tenants.branding.colours import palette_of
from tenants.models import AuditEvent, Branding, Membership
from tests.accounts.factors import half_way
from tests.pages import presses, read, text_of
from tests.tenants.drawing import picture
from tests.tenants.kit import path_of

HERE, UPLOAD, LOGIN = "/branding/", "/branding/logo/", "/accounts/login/"
GREEN, YELLOW = "#0d6b5f", "#ffcc00"
SUPPORT = {"support_email": "help@northwind.example", "support_phone": "+49 30 0000 2200"}
WEBSITE = "https://northwind.example/help"


@pytest.fixture
def owner(cast, client_for):
    return client_for(cast.owner, host=None)


@pytest.fixture
def branded(cast, northwind):
    branding.set_branding(
        northwind, name="Northwind Mail", colour=GREEN, support_url=WEBSITE, **SUPPORT, by=cast.owner
    )
    branding.set_logo(northwind, picture(), by=cast.owner)
    return northwind


@pytest.fixture
def gone(cast, acme, acme_mailbox, work):
    """The id of a mailbox that was deleted."""
    mailbox = acme_mailbox.mailbox
    mailboxes.suspend_mailbox(acme, mailbox, by=cast.admin)
    mailboxes.start_deletion(acme, mailbox, by=cast.admin)
    work()
    return mailbox.pk


def upload(client, octets, name="logo.png"):
    return client.post(UPLOAD, {"logo": SimpleUploadedFile(name, octets)})


def styles(answer):
    """The addresses of stylesheets, but for that of all pages."""
    return [
        one for one in read(answer).xpath("//link[@rel='stylesheet']/@href") if "gatehouse.css" not in one
    ]


def logos(answer):
    return read(answer).xpath("//img[@class='logo']/@src")


# --- The page ---
def test_what_is_saved_is_shown_at_once_and_says_which_colours_stand_in(owner):
    answer = presses(
        owner.get(HERE),
        "Save changes",
        name="Northwind Mail",
        colour=YELLOW,
        support_email="help@northwind.example",
    )
    page = owner.get(answer["Location"])
    assert "The branding is saved." in page.content.decode()
    (sheet,) = styles(page)
    css = owner.get(sheet).content.decode()
    palette = palette_of(YELLOW)
    assert f"--accent:light-dark({palette.light.accent},{YELLOW});" in css
    said = text_of(read(page).xpath("//main")[0])
    assert f"On light pages {YELLOW} has too little contrast" in said and palette.light.fill in said
    assert "Northwind Mail" in said and "help@northwind.example" in said


def test_a_colour_that_can_be_read_everywhere_is_said_to_be_fine(owner, cast, northwind):
    branding.set_branding(northwind, colour="#767676", by=cast.owner)
    brand = branding.brand_of(northwind).palette
    said = text_of(read(owner.get(HERE)).xpath("//main")[0])
    assert ("as it is" in said) == (brand.stands_in_light and brand.stands_in_dark)


def test_what_is_refused_stands_beside_its_field(owner):
    page = presses(owner.get(HERE), "Save changes", colour="green")
    assert "Type a colour" in text_of(read(page).xpath("//*[@id='id_colour_error']")[0])
    page = upload(owner, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo.svg")
    assert "can't be used as a logo" in text_of(read(page).xpath("//*[@id='id_logo_error']")[0])
    assert not Branding.objects.exists()


def test_a_logo_comes_and_goes(owner):
    page = owner.get(upload(owner, picture())["Location"])
    assert len(set(logos(page))) == 1
    page = owner.get(presses(page, "Remove the logo")["Location"])
    assert logos(page) == [] and "The logo is removed." in page.content.decode()


def test_a_file_that_is_too_large_for_a_request_is_refused_unread(owner):
    assert upload(owner, bytes(1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize("path", [HERE, "/settings/", "/team/invite/"])
def test_no_other_page_takes_a_file(owner, path):
    assert owner.post(path, {"logo": SimpleUploadedFile("logo.png", picture())}).status_code == 400


def test_a_reset_brings_gatehouses_own_look_back(owner, branded):
    page = owner.get(HERE)
    answer = owner.get(presses(page, "Reset the branding", beside="deleted")["Location"])
    assert styles(answer) == logos(answer) == []
    assert text_of(read(answer).xpath("//nav[@id='rail']/a[@class='brand']")[0]) == "Gatehouse"
    assert AuditEvent.objects.of("provider.branding-reset").exists()


def test_who_owns_several_providers_says_of_which(cast, owner, northwind):
    services.add_membership(
        cast.owner, provider=services.provider_by_slug("fabrikam", by=SYSTEM), role="owner", by=SYSTEM
    )
    page = owner.get(f"{HERE}?provider=northwind")
    presses(page, "Save changes", colour=GREEN)
    assert Branding.objects.get().provider == northwind
    assert styles(owner.get("/customers/")) == [], "of two none is the one"


def test_who_owns_only_the_second_of_their_providers_is_led_to_that(cast, owner):
    fabrikam = services.provider_by_slug("fabrikam", by=SYSTEM)
    services.add_membership(cast.auditor, provider=fabrikam, role="owner", by=SYSTEM)
    Membership.objects.filter(user=cast.owner).update(role="operator")
    services.add_membership(cast.owner, provider=fabrikam, role="owner", by=SYSTEM)
    assert "Fabrikam" in text_of(read(owner.get(HERE)).xpath("//h1")[0])


# --- What its people see ---
def test_the_console_wears_it_on_both_hosts(cast, client_for, branded):
    for person, host, path in [
        (cast.owner, None, "/customers/"),
        (cast.owner, "acme", "/mailboxes/"),
        (cast.viewer, "acme", "/mailboxes/"),
    ]:
        page = client_for(person, host).get(path)
        brand = read(page).xpath("//nav[@id='rail']/a[@class='brand']")[0]
        assert text_of(brand) == "Northwind Mail" and brand.xpath("img/@src")
        assert len(styles(page)) == 1
    assert text_of(read(page).xpath("//*[contains(@class, 'switcher')]//small")[0]) == "by Northwind Mail"


def test_others_see_nothing_of_it(cast, client_for, branded):
    for person, host in [(cast.rival, None), (cast.rival, "initech"), (cast.staff, None)]:
        page = client_for(person, host).get("/settings/")
        assert "Northwind" not in page.content.decode() and styles(page) == []


def test_sheet_and_certificate_bear_it_outside_of_what_is_signed(cast, client_for, branded, acme, gone):
    admin = client_for(cast.admin)
    sheet = read(admin.post("/mailboxes/new/", {"name": "Journal"})).xpath(
        "//article[contains(@class, 'doc')]"
    )[0]
    page = admin.get(f"/mailboxes/deleted/{gone}/")
    certificate = read(page).xpath("//article[contains(@class, 'doc')]")[0]
    for document in (sheet, certificate):
        head, foot = (document.xpath(f"./*[@class='doc-{part}']")[0] for part in ("head", "foot"))
        assert "Northwind Mail" in text_of(head) and head.xpath(".//img/@src")
        assert "help@northwind.example" in text_of(foot)
    assert "by Admin" in text_of(sheet.xpath("./*[@class='doc-head']")[0])
    # What is signed says what they were called then.
    assert text_of(certificate.xpath(".//dd")[0]) == "Northwind IT"
    signed = admin.get(f"/mailboxes/deleted/{gone}/certificate.json").content.decode()
    assert "Northwind IT" in signed and "Northwind Mail" not in signed and "/branding/" not in signed


# --- What strangers see ---
DOORS = [
    LOGIN,
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/2fa/webauthn/login/",
]


@pytest.mark.parametrize("path", DOORS)
def test_a_customers_door_says_whose_it_is_and_whom_to_ask(client_for, branded, path):
    page = client_for(host="acme").get(path)
    tree = read(page)
    assert text_of(tree.xpath("//*[@class='door-place']")[0]) == "Acme"
    assert text_of(tree.xpath("//header[@class='door-brand']")[0]) == "Northwind Mail"
    foot = tree.xpath("//footer[@class='door-foot']")[0]
    assert all(one in text_of(foot) for one in (*SUPPORT.values(), "northwind.example/help"))
    assert foot.xpath(".//a/@href") == ["mailto:help@northwind.example", WEBSITE]
    (sheet,), (logo,) = styles(page), logos(page)
    for address, kind in ((sheet, "text/css; charset=utf-8"), (logo, "image/png")):
        file = client_for(host="acme").get(address)
        assert (file.status_code, file["Content-Type"]) == (200, kind)
        assert "immutable" in file["Cache-Control"] and file["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in file.headers and "Cookie" not in file.get("Vary", "")


def test_the_second_step_of_a_sign_in_says_it_too(with_app, cast, client_for, branded):
    page = half_way(client_for, cast).get("/accounts/2fa/authenticate/")
    assert text_of(read(page).xpath("//*[@class='door-place']")[0]) == "Acme"
    assert "Northwind Mail" in page.content.decode()


def test_a_strangers_door_tells_nothing_else_of_the_provider(client_for, branded):
    page = client_for(host="acme").get(LOGIN).content.decode()
    for secret in ("Northwind IT", 'northwind"', "Globex", "operator@"):
        assert secret not in page
    assert str(branded.pk) not in re.findall(r"/branding/([^/]*)/", page)


@pytest.mark.parametrize("host", ["globex", "initech", "nowhere", None])
def test_files_are_there_on_the_hosts_of_its_customers_and_for_whom_they_were_shown(
    client_for, branded, host
):
    """On the operators' host they are there for who knows the address: its key stands on pages of the provider's alone."""
    page = client_for(host="acme").get(LOGIN)
    visitor = client_for(host=host)
    for address in (*styles(page), *logos(page)):
        assert (visitor.get(address).status_code == 200) == (host in ("globex", None))
        assert visitor.get(address.replace("/branding/", "/branding/0", 1)).status_code == 404
        assert visitor.post(address).status_code in (403, 404)


def test_nobody_finds_a_provider_on_the_operators_host(client_for, branded):
    for path in DOORS:
        page = client_for(host=None).get(path)
        assert "Northwind" not in page.content.decode() and styles(page) == logos(page) == []


def test_what_was_changed_has_another_address_and_the_old_one_is_gone(cast, client_for, branded):
    visitor = client_for(host="acme")
    page = visitor.get(LOGIN)
    before = styles(page) + logos(page)
    branding.set_branding(branded, colour=YELLOW, by=cast.owner)
    branding.set_logo(branded, picture((100, 100)), by=cast.owner)
    page = visitor.get(LOGIN)
    assert not set(before) & {*styles(page), *logos(page)}
    assert [visitor.get(address).status_code for address in before] == [404, 404]


def test_a_missing_page_of_the_customers_looks_as_that_of_no_customer(client_for, branded):
    here, nowhere = (client_for(host=host).get("/no/such/page/") for host in ("acme", "nowhere"))
    assert here.content == nowhere.content


def test_who_was_invited_sees_who_invites(cast, client_for, branded, acme, mailoutbox):
    services.invite(acme, "nora@acme.example", role="viewer", by=cast.admin)
    page = client_for(host=None).get(path_of(mailoutbox[0]), follow=True)
    assert text_of(read(page).xpath("//header[@class='door-brand']")[0]) == "Northwind Mail"
    for address in (*styles(page), *logos(page)):
        assert client_for(host=None).get(address).status_code == 200
