"""A person's own pages: settings, password, sessions, second factors."""

from typing import Any

from tests.cast import PASSWORD
from tests.journeys.device import Device
from tests.journeys.tour.looking import Look

APP = "/accounts/2fa/totp/activate/"
PASSKEY = "/accounts/2fa/webauthn/add/"
CODES = "/accounts/2fa/recovery-codes/"
CONFIRMATIONS = (
    "/accounts/reauthenticate/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/webauthn/reauthenticate/",
)


def own_pages(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """Settings first, then what can be added to the password."""
    visitor.signs_in(company.owner.email, PASSWORD)
    settings(visitor, look)
    factors(visitor, stage, look)
    with_a_factor(visitor, stage, company, look)


def settings(visitor: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/settings/"))
    look("settings")
    visitor.presses("main form .primary", ".notice.success")
    look("settings saved")
    page.goto(visitor.url("/settings/password/"))
    look("own password")
    page.fill("[name=current_password]", "not-the-one-of-today")
    visitor.presses("main form .primary", "#id_current_password_error")
    look("own password mistyped")
    page.fill("[name=current_password]", PASSWORD)
    visitor.presses("main form .primary", "#generated-password")
    look("new own password")
    page.goto(visitor.url("/settings/password/choose/"))
    look("choose a password")
    page.fill("[name=current_password]", PASSWORD)
    page.fill("[name=new_password]", "password")
    page.fill("[name=new_password_again]", "password")
    visitor.presses("main form .primary", "#id_new_password_error")
    look("chosen password refused")
    page.goto(visitor.url("/settings/sessions/"))
    look("sessions")


def factors(visitor: Any, stage: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/settings/security/"))
    look("no second factor")
    stage.requires_a_second_factor(True)
    page.goto(visitor.url("/team/"))
    look("second factor required")
    stage.requires_a_second_factor(False)

    Device(visitor)
    page.goto(visitor.url(APP))
    look("confirm that it is you")
    page.fill("[name=password]", "not-the-one-of-today")
    visitor.presses("main form .primary", "#id_password_error")
    look("confirm with a wrong password")
    page.fill("[name=password]", PASSWORD)
    visitor.presses("main form .primary", "#totp-secret")
    look("set up an app")
    page.fill("[name=code]", "000000")
    visitor.presses("main form .primary", "#code_error")
    look("wrong code")
    secret = page.inner_text("#totp-secret").replace(" ", "")
    page.fill("[name=code]", stage.clock.code(secret))
    visitor.presses("main form .primary", "#recovery-codes")
    look("recovery codes")
    page.goto(visitor.url(PASSKEY))
    look("add a passkey")
    page.fill("[name=name]", "Nokia 3310")
    visitor.presses("#passkey_add", "main h2")
    page.goto(visitor.url("/settings/security/"))
    look("second factors")
    for act in ("edit", "remove"):
        page.goto(visitor.url("/settings/security/"))
        page.click(f"main a[href$='/{act}/']")
        look(f"{act} a passkey")
    stage.requires_a_second_factor(True)
    page.goto(visitor.url("/team/"))
    look("second factor required of all")
    page.click("main a[href*='/team/security/']")
    page.wait_for_selector("main form .danger")
    look("second factor no longer required")
    stage.requires_a_second_factor(False)
    for path in (f"{CODES}generate/", "/accounts/2fa/totp/deactivate/", *CONFIRMATIONS):
        page.goto(visitor.url(path))
        look(path)


def with_a_factor(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """Out, and in again."""
    page = visitor.page
    page.goto(visitor.url("/accounts/logout/"))
    look("sign out")
    visitor.presses("main form .primary", "[name=login]")
    page.goto(visitor.url("/accounts/2fa/webauthn/login/"))
    look("sign in with a passkey")
    page.goto(visitor.url("/accounts/login/"))
    page.fill("[name=login]", company.owner.email)
    page.fill("[name=password]", PASSWORD)
    visitor.presses("main form .primary", "[name=code]")
    look("second step")
    page.fill("[name=code]", "000000")
    visitor.presses("main form:has([name=code]) .button:not(.quiet)", "#code_error")
    look("second step refused")
