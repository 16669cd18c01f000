"""The ways in, and the doors that stay shut."""

from typing import Any

from tests.cast import PASSWORD
from tests.journeys.stage import GUEST
from tests.journeys.tour.looking import Look

WRONG = "not-the-one-of-today"
NEW = "seven-words-that-nobody-has-heard"


def ways_in(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    sign_in(visitor, stage, company, look)
    forgotten(visitor, stage, company, look)
    by_invitation(visitor, stage, company, look)
    shut(visitor, stage, company, look)


def sign_in(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/accounts/login/"))
    page.fill("[name=login]", company.viewer.email)
    page.fill("[name=password]", WRONG)
    visitor.presses("main form .primary", "[role=alert], .errors")
    look("sign-in refused")
    page.goto(visitor.url("/accounts/organization/"))
    look("sign in with an organization")
    page.fill("[name=login]", company.viewer.email)
    visitor.presses("main form .primary", "#id_login_error")
    look("no such organization")
    page.goto(visitor.url("/accounts/oidc/stage/login/callback/?error=denied"))
    look("organization refused")
    page.goto(visitor.url("/accounts/login/", stage.customer.slug))
    look("a customer's door")
    stage.wears_its_own_look()
    page.goto(visitor.url("/accounts/login/", stage.customer.slug))
    page.wait_for_selector("img.logo")
    look("a customer's door in its provider's look")
    stage.gives_that_up()


def forgotten(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/accounts/password/reset/"))
    look("forgotten password")
    page.fill("[name=email]", company.viewer.email)
    page.press("[name=email]", "Enter")
    page.wait_for_url("**/done/")
    look("look into your mailbox")
    link = stage.mails_a_way_back(company.viewer)
    page.goto(visitor.url(link))
    look("choose a new password")
    page.fill("[name=password1]", "password")
    page.fill("[name=password2]", "password")
    visitor.presses("main form .primary", ".errors")
    look("new password refused")
    page.fill("[name=password1]", NEW)
    page.fill("[name=password2]", NEW)
    page.press("[name=password2]", "Enter")
    page.wait_for_url("**/done/")
    look("new password saved")
    page.goto(visitor.url(link))
    look("link used up")


def by_invitation(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/invitations/unheard-of/"))
    look("no such invitation")
    link = stage.invites(company, f"guest-of-{company.admin.email}")
    page.goto(visitor.url(link))
    look("invitation of a newcomer")
    page.fill("[name=name]", GUEST)
    page.fill("[name=password]", "password")
    visitor.presses("main form .primary", "#id_password_error")
    look("newcomer's password refused")
    page.fill("[name=password]", NEW)
    visitor.presses("main form .primary", "[name=login]")
    look("account ready")
    page.goto(visitor.url(link))
    look("invitation used")
    link = stage.invites(company, company.owner.email)
    page.goto(visitor.url(link))
    look("invitation of somebody known")
    visitor.signs_in(company.admin.email, PASSWORD)
    page.goto(visitor.url(link))
    look("invitation of another person")
    visitor.presses("main form .primary", "[name=login]")
    visitor.signs_in(company.owner.email, PASSWORD)
    page.goto(visitor.url(link))
    look("invitation to accept")


def shut(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/nowhere/"))
    look("no such page")
    page.goto(visitor.url("/accounts/logout/"))
    visitor.presses("main form .primary", "[name=login]")
    visitor.signs_in(company.viewer.email, NEW)
    page.goto(visitor.url("/mailboxes/", stage.customer.slug))
    look("mailboxes for a viewer")
    page.goto(visitor.url("/people/", stage.customer.slug))
    look("people for a viewer")
    page.goto(visitor.url("/mailboxes/new/", stage.customer.slug))
    look("not allowed")
    stage.is_suspended(True)
    page.goto(visitor.url("/mailboxes/", stage.customer.slug))
    look("the own customer is suspended")
    page.goto(visitor.url("/customers/"))
    look("no customer but a suspended one")
    stage.is_suspended(False)
    page.goto(visitor.url("/settings/"))
    visitor.context.clear_cookies(name="csrftoken")
    visitor.presses("main form .primary", "main .lost")
    look("form out of date")
    page.goto(visitor.url("/accounts/inactive/"))
    look("account closed")
