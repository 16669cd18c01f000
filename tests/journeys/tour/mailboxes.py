"""A tour of every page, for tests that look at each: `look(step)` is called whenever a page stands still."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from mailboxes.vault import new_password
from tests.cast import PASSWORD

Look = Callable[[str], None]

# What may become of a job, and stands on its page.
JOBS = {
    "in trouble": {"state": "running", "error": "store-failed", "failures": 3, "done": 3, "total": 4},
    "failed": {"state": "failed", "error": "unreadable"},
    "waiting for the password": {"state": "waiting-for-password", "error": "no-lock"},
    "waiting for its turn": {"state": "queued", "error": "", "failures": 0, "paused_until": None},
}


def first_steps(visitor: Any, cast: Any, look: Look) -> None:
    """From the sign-in to the first mailbox."""
    page = visitor.page
    page.goto(visitor.url("/accounts/login/"))
    look("sign in")
    visitor.signs_in(cast.owner.email, PASSWORD)
    look("customers")
    page.goto(visitor.url("/settings/"))
    look("settings")
    page.goto(visitor.url("/mailboxes/", "acme"))
    look("no mailbox yet")
    page.goto(visitor.url("/mailboxes/new/", "acme"))
    look("create a mailbox")
    page.fill("[name=name]", "Office 365 Journal")
    page.click("main button[type=submit]")
    page.wait_for_selector("#generated-password")
    look("password")
    page.check("[name=understood]")
    page.click("#ok")
    page.wait_for_selector("#address")
    look("mailbox")
    page.goto(visitor.url("/mailboxes/", "acme"))
    look("mailboxes")
    page.goto(visitor.url("/mailboxes/?q=nothing", "acme"))
    look("nothing found")


def whole_life(visitor: Any, cast: Any, life: Any, look: Look) -> None:
    """From an edit to the deleted mailbox's certificate, with what goes wrong on the way."""
    page = visitor.page

    def look_at(*paths):
        for path in paths:
            page.goto(visitor.url(path, "acme"))
            look(path)

    def press_and_look(button, then, step):
        page.click(f"main form {button}")
        page.wait_for_selector(then)
        look(step)

    visitor.signs_in(cast.admin.email, PASSWORD)
    life.receives_mail()
    look_at(f"{life.url}edit/")
    page.check("[name=status][value=suspended]")
    page.fill("[name=reason]", "Donaudampfschifffahrtsgesellschaftskapitänswitwenrente " * 3)
    press_and_look(".primary", ".notice.success", "suspended")

    look_at(f"{life.url}reset-password/")
    page.fill("[name=current_password]", new_password().reveal())
    press_and_look(".primary", "#id_current_password_error", "wrong password")
    page.fill("[name=current_password]", life.password)
    press_and_look(".primary", "#generated-password", "new password")
    job = life.is_reset(current_password=life.password)
    page.check("[name=understood]")
    press_and_look("#ok", ".notice.error[role=alert]", "reset meanwhile")
    look_at(job, life.url, "/mailboxes/")
    life.job_is(paused_until=timezone.now() + timedelta(hours=1))
    for state, values in JOBS.items():
        life.job_is(**values)
        page.goto(visitor.url(job, "acme"))
        look(f"job {state}")
    life.is_worked_on()
    look_at(job)

    life.is_reset(locked_mail="keep")
    look_at(life.url, f"{life.url}unlock/", f"{life.url}delete-locked-mail/", f"{life.url}delete/")
    press_and_look(".danger", "#id_confirmed_name_error", "another name")
    page.fill("[name=confirmed_name]", life.name)
    press_and_look(".danger", "#progress", "deletion")
    look_at(life.url)
    life.is_worked_on()
    page.wait_for_selector("#progress .badge.ok")
    look("deletion done")
    look_at(page.get_attribute("#progress a.button", "href"))
    look_at("/mailboxes/deleted/", "/mailboxes/deleted/?q=nothing")


OWN_PAGES = (
    "/settings/",
    "/settings/password/",
    "/settings/password/choose/",
    "/settings/sessions/",
    "/settings/security/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
)
TEAM_PAGES = ("/team/", "/team/invite/", "/team/identity-provider/", "/activity/")
PEOPLE_PAGES = ("/people/", "/people/invite/", "/activity/")


def people(visitor: Any, cast: Any, look: Look) -> None:
    """A person's own pages, and those on which people are managed."""
    page = visitor.page
    for path in ("/accounts/password/reset/", "/accounts/organization/"):
        page.goto(visitor.url(path))
        look(path)
    visitor.signs_in(cast.owner.email, PASSWORD)
    for path in OWN_PAGES + TEAM_PAGES:
        page.goto(visitor.url(path))
        if "/reauthenticate/" in page.url:
            look("confirm that it is you")
            page.fill("[name=password]", PASSWORD)
            page.click("main form button.primary")
            page.wait_for_url(f"**{path}*")
        look(path)
    page.goto(visitor.url("/team/"))
    links = [link.get_attribute("href") for link in page.query_selector_all("main a[href*='/team/']")]
    page.goto(visitor.url(next(link for link in links if re.fullmatch(r"/team/\d+/", link or ""))))
    look("a member of the team")
    for path in PEOPLE_PAGES:
        page.goto(visitor.url(path, "acme"))
        look(f"customer {path}")
