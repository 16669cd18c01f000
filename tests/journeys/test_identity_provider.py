"""Signing in with one's organization in a browser: from a customer's host to the service and back, under our policy."""

import re

import pytest

from tenants.models import IdentityProvider
from tenants.services import consent_to_identity_provider
from tests.accounts.openid.kit import CLIENT_SECRET, callback
from tests.accounts.openid.kit import PASSWORD as THEIR_PASSWORD
from tests.cast import PASSWORD, customer
from tests.journeys.test_every_page import accessible

pytest_plugins = ["tests.accounts.openid.portal"]

ADMIN = "admin@acme.example"


@pytest.fixture
def organization(openid, playground, web_port):
    """The service knows our portal at its port of today."""
    here = f"portal.localhost:{web_port}"
    openid.knows_client(callback("northwind"), callback("fabrikam"), callback("northwind", here))
    openid.knows(ADMIN)
    return openid


def sets_it_up(visitor, organization, callback_url, name_server):
    page = visitor.page
    page.goto(visitor.url("/team/identity-provider/"))
    assert page.inner_text("#callback-url") == callback_url
    page.fill("[name=issuer]", organization.issuer)
    page.fill("[name=client_id]", "gatehouse")
    page.fill("[name=client_secret]", CLIENT_SECRET)
    page.fill("[name=email_domains]", "acme.example")
    page.click("[name=check]")
    visitor.sees("The service answers.")
    page.fill("[name=client_secret]", CLIENT_SECRET)
    page.get_by_role("button", name="Save the settings").click()
    visitor.sees("The identity provider is saved.")
    name, text = page.locator("code[id^=record-]").all_inner_texts()
    name_server.records[name] = text
    page.get_by_role("button", name="Check the record").click()
    visitor.sees("acme.example has agreed")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_owner_sets_it_up_and_a_customers_admin_signs_in_with_it(
    organization, visit, cast, web_port, scripts, name_server, settings
):
    settings.DNS_SERVER = name_server.address

    def owner(visitor):
        visitor.signs_in(cast.owner.email, PASSWORD)
        here = callback("northwind", f"portal.localhost:{web_port}")
        sets_it_up(visitor, organization, here, name_server)
        return visitor.complaints, visitor.foreign

    def admin(visitor):
        page = visitor.page
        page.goto(visitor.url("/mailboxes/", "acme"))
        page.get_by_role("link", name="Sign in with your organization").click()
        assert page.url.startswith(visitor.url("/accounts/organization/"))
        page.fill("[name=login]", ADMIN)
        page.press("[name=login]", "Enter")
        page.get_by_role("heading", name="The organization's own sign-in").wait_for()
        page.fill("[name=username]", ADMIN)
        page.fill("[name=password]", THEIR_PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_selector(".person")
        return page.url, visitor.complaints, visitor.foreign

    assert visit(owner, java_script_enabled=scripts) == ([], [])
    made = IdentityProvider.objects.get()
    consent_to_identity_provider(customer("acme"), given=True, service=made.service, by=cast.admin)
    url, complaints, foreign = visit(admin, java_script_enabled=scripts)
    assert re.fullmatch(rf"http://acme\.portal\.localhost:{web_port}/mailboxes/", url)
    assert complaints == []
    assert {request.startswith(organization.issuer) for request in foreign} == {True}


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_owner_reads_what_another_service_costs_before_it_is_saved(visit, northwinds, cast, scripts):
    def story(visitor):
        page, found = visitor.page, []
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/team/identity-provider/"))
        page.fill("[name=issuer]", "https://elsewhere.example")
        page.fill("[name=client_secret]", CLIENT_SECRET)
        page.get_by_role("button", name="Save").click()
        visitor.sees("1 customer allows its people to sign in with the service that is saved.")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if scripts:
            accessible(page, found)("another service")
        page.get_by_label("Save it, and ask them again").check()
        page.fill("[name=client_secret]", CLIENT_SECRET)
        page.get_by_role("button", name="Save").click()
        visitor.sees("The identity provider is saved.")
        return found

    narrow = {"width": 360, "height": 740}
    assert visit(story, java_script_enabled=scripts, viewport=narrow, reduced_motion="reduce") == []
    assert not customer("acme").identity_provider_consent


def test_leading_on_needs_the_page_between(organization, visit, northwinds):
    """Why the form's answer is no redirect: form-action would hold it back. If browsers change, so may we."""

    def story(visitor):
        page = visitor.page
        page.route(
            re.compile(r"/accounts/organization/"),
            lambda route: (
                route.fulfill(status=302, headers={"Location": organization.issuer})
                if route.request.method == "POST"
                else route.continue_()
            ),
        )
        page.goto(visitor.url("/accounts/organization/"))
        page.fill("[name=login]", ADMIN)
        with page.expect_event("console"):
            page.press("[name=login]", "Enter")
        return visitor.complaints

    assert "form-action" in " ".join(visit(story))


def test_the_page_between_can_be_read_where_browsers_stay_on_it(organization, visit, northwinds):
    def story(visitor):
        page, found = visitor.page, []
        page.route(f"{organization.issuer}/**", lambda route: route.fulfill(status=204))
        page.goto(visitor.url("/accounts/organization/"))
        page.fill("[name=login]", ADMIN)
        page.press("[name=login]", "Enter")
        page.get_by_role("link", name="Continue").wait_for()
        accessible(page, found)("onward")
        page.unroute_all()
        page.get_by_role("link", name="Continue").click()
        page.get_by_role("heading", name="The organization's own sign-in").wait_for()
        return found

    assert visit(story, reduced_motion="reduce") == []
