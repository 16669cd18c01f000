"""Signing in with more than a password, in a real browser: an app's code, and passkeys of a device that Chromium plays."""

import re

import pytest

from accounts import second_factor
from tenants.models import Provider
from tests.cast import PASSWORD
from tests.journeys.device import Device


def confirms(page):
    page.wait_for_selector("#id_password")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def adds_a_passkey(visitor, customer, *, confirmed=False):
    page = visitor.page
    page.goto(visitor.url("/settings/security/", customer))
    page.get_by_role("link", name="Add a passkey").click()
    if not confirmed:
        confirms(page)
    page.fill("[name=name]", "Lena's laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_selector("#recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    visitor.sees("Lena's laptop")


def signs_out(visitor):
    page = visitor.page
    page.goto(visitor.url("/accounts/logout/"))
    page.locator("main").get_by_role("button", name="Sign out").click()
    page.wait_for_selector("[name=login]")


def gives_the_password(visitor, person, next="/mailboxes/"):
    """On Acme's host; what comes then is another matter."""
    page = visitor.page
    page.goto(visitor.url(f"/accounts/login/?next={next}", "acme"))
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def signs_in_by_passkey(visitor, customer):
    page = visitor.page
    page.goto(visitor.url("/accounts/login/?next=/settings/security/", customer))
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(visitor.url("/settings/security/", customer))
    visitor.sees("Lena's laptop")


@pytest.mark.parametrize(("made_on", "used_on"), [(None, "acme"), ("acme", None)])
def test_a_passkey_made_on_one_host_signs_in_on_the_other(visit, cast, made_on, used_on):
    def story(visitor):
        device = Device(visitor)
        visitor.signs_in(cast.owner.email, PASSWORD)
        adds_a_passkey(visitor, made_on)
        assert [one["rpId"] for one in device.passkeys()] == ["portal.localhost"]
        for host in (used_on, made_on):
            signs_out(visitor)
            signs_in_by_passkey(visitor, host)
        return visitor

    visitor = visit(story)
    assert visitor.complaints == []
    assert visitor.foreign == []


def test_a_passkey_follows_the_password_and_confirms_what_is_sensitive(visit, cast):
    def story(visitor):
        page = visitor.page
        Device(visitor)
        gives_the_password(visitor, cast.admin)
        page.wait_for_selector(".person")
        adds_a_passkey(visitor, "acme")
        signs_out(visitor)
        gives_the_password(visitor, cast.admin, next="/settings/security/")
        page.get_by_role("button", name="Use a passkey").click()
        visitor.sees("Lena's laptop")
        page.get_by_role("link", name="Remove").click()
        page.get_by_role("link", name="Use a passkey").click()
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_role("button", name="Remove").click()
        visitor.sees("The passkey is removed.")
        return visitor

    visitor = visit(story)
    assert (visitor.complaints, visitor.foreign) == ([], [])
    assert not second_factor.has_second_factor(cast.admin)


def test_when_the_device_says_no_the_page_says_so_and_lets_people_try_again(visit, cast):
    def story(visitor):
        page = visitor.page
        device = Device(visitor)
        visitor.signs_in(cast.owner.email, PASSWORD)
        adds_a_passkey(visitor, None)
        signs_out(visitor)
        device.knows_its_owner(False)
        page.goto(visitor.url("/accounts/2fa/webauthn/login/"))
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_role("alert").filter(has_text="Your device did not confirm the passkey").wait_for()
        device.knows_its_owner(True)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_selector(".person")
        return visitor.complaints

    assert visit(story) == []


def test_an_app_is_set_up_and_asked_for_on_the_customers_host(visit, cast, clock):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/settings/security/", "acme"))
        page.get_by_role("link", name="Set up an app").click()
        confirms(page)
        picture = page.get_by_role("img", name=re.compile("QR code"))
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        secret = page.inner_text("#totp-secret").replace(" ", "")
        page.fill("[name=code]", clock.code(secret))
        page.get_by_role("button", name="Switch on").click()
        code = page.inner_text("#recovery-codes").splitlines()[0]
        signs_out(visitor)
        for second in (lambda: clock.code(secret), lambda: code):
            clock.tick()
            gives_the_password(visitor, cast.owner)
            page.fill("[name=code]", second())
            page.press("[name=code]", "Enter")
            page.wait_for_url(visitor.url("/mailboxes/", "acme"))
            signs_out(visitor)
        return visitor

    visitor = visit(story)
    assert (visitor.complaints, visitor.foreign) == ([], [])


def test_without_scripts_an_app_can_be_set_up_and_passkeys_say_what_they_need(visit, cast, clock):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/accounts/2fa/totp/activate/"))
        confirms(page)
        page.fill("[name=code]", clock.code(page.inner_text("#totp-secret").replace(" ", "")))
        page.press("[name=code]", "Enter")
        page.wait_for_selector("#recovery-codes")
        page.goto(visitor.url("/accounts/2fa/webauthn/add/"))
        page.locator("noscript p", has_text="Passkeys need JavaScript").wait_for()
        assert page.locator("#passkey_add").is_hidden()

    visit(story, java_script_enabled=False)


def test_a_required_factor_keeps_everything_shut_until_it_is_there(visit, cast):
    Provider.objects.filter(slug="northwind").update(require_second_factor=True)

    def story(visitor):
        page = visitor.page
        Device(visitor)
        visitor.signs_in(cast.owner.email, PASSWORD)
        for address in (visitor.url("/customers/"), visitor.url("/mailboxes/", "acme")):
            page.goto(address)
            assert page.url.endswith("/settings/security/")
            visitor.sees("Northwind IT requires a second factor")
            assert not page.is_visible("nav.places"), "no links that lead back here"
        adds_a_passkey(visitor, "acme")
        page.goto(visitor.url("/mailboxes/", "acme"))
        return page.url, visitor.url("/mailboxes/", "acme"), visitor.complaints

    there, wanted, complaints = visit(story)
    assert there == wanted
    assert complaints == []
