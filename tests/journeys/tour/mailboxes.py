"""From the first mailbox to a deleted one's certificate, with what goes wrong on the way."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from mailboxes.vault import new_password
from tests.cast import PASSWORD
from tests.journeys.stage import REASON
from tests.journeys.tour.looking import Look

# What may become of a job, and stands on its page.
JOBS = {
    "in trouble": {"state": "running", "error": "store-failed", "failures": 3, "done": 3, "total": 4},
    "failed": {"state": "failed", "error": "unreadable"},
    "waiting for the password": {"state": "waiting-for-password", "error": "no-lock"},
    "waiting for its turn": {"state": "queued", "error": "", "failures": 0, "paused_until": None},
}


def first_steps(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """From the sign-in to the first mailbox."""
    page = visitor.page
    page.goto(visitor.url("/accounts/login/"))
    look("sign in")
    visitor.signs_in(company.owner.email, PASSWORD)
    look("customers")
    page.goto(visitor.url("/customers/?q=nothing"))
    look("no customer found")
    page.goto(visitor.url("/mailboxes/", stage.empty.slug))
    look("no mailbox yet")
    page.goto(visitor.url("/mailboxes/new/", stage.customer.slug))
    look("create a mailbox")
    page.fill("[name=name]", " ")
    visitor.presses("main form .primary", "#id_name_error")
    look("a mailbox without a name")
    page.fill("[name=name]", f"Office 365 Journal {company.number}")
    visitor.presses("main form .primary", "#generated-password")
    look("password")
    visitor.forgets_to_tick("#understood-errors")
    look("created without the tick")
    page.check("[name=understood]")
    visitor.presses("#ok", "#address")
    look("mailbox")
    page.click(".tabs a[href='?tab=setup']")
    page.wait_for_selector("#m365-address")
    look("set-up of a mailbox")
    page.click(".tabs a[href$='/deliveries/']")
    page.wait_for_selector(".empty")
    look("no delivery yet")
    visitor.presses("main form .actions .button", "#reach")
    look("the way is tested")
    stage.way_was_tested()
    page.wait_for_selector("#reach .is-bad")
    look("what was found on the way")
    page.goto(visitor.url("/mailboxes/", stage.customer.slug))
    look("mailboxes")
    page.goto(visitor.url("/mailboxes/?q=nothing", stage.customer.slug))
    look("nothing found")


def whole_life(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """From an edit to the deleted mailbox's certificate."""
    page, life = visitor.page, stage.life(company)

    def look_at(*paths: str) -> None:
        for path in paths:
            page.goto(visitor.url(path, stage.customer.slug))
            look(path)

    visitor.signs_in(company.admin.email, PASSWORD)
    life.receives_mail()
    life.refuses_strangers()
    look_at(f"{life.url}deliveries/", f"{life.url}unlock/", f"{life.url}edit/")  # nothing is locked yet
    page.check("[name=status][value=suspended]")
    page.fill("[name=reason]", REASON)
    visitor.presses("main form .primary", ".notice.success")
    look("suspended")

    look_at(f"{life.url}reset-password/")
    page.fill("[name=current_password]", new_password().reveal())
    visitor.presses("main form .primary", "#id_current_password_error")
    look("wrong password")
    _gives_the_mail_up(page, look)
    visitor.presses("main form .primary", "#generated-password")
    look("new password, and what is locked deleted")
    visitor.forgets_to_tick("#understood-errors")
    look("reset without the tick")
    look_at(f"{life.url}reset-password/")
    page.fill("[name=current_password]", life.password)
    visitor.presses("main form .primary", "#generated-password")
    look("new password")
    job = life.is_reset(current_password=life.password)
    page.check("[name=understood]")
    visitor.presses("#ok", ".notice.error[role=alert]")
    look("reset meanwhile")
    look_at(job, life.url, f"{life.url}?tab=jobs", "/mailboxes/")
    life.job_is(paused_until=timezone.now() + timedelta(hours=1))
    for state, values in JOBS.items():
        life.job_is(**values)
        page.goto(visitor.url(job, stage.customer.slug))
        look(f"job {state}")
    life.is_worked_on()
    look_at(job)

    life.is_reset(locked_mail="keep")
    look_at(life.url, f"{life.url}unlock/", f"{life.url}delete-locked-mail/", f"{life.url}delete/")
    visitor.presses("main form .danger", "#id_confirmed_name_error")
    look("another name")
    page.fill("[name=confirmed_name]", life.name)
    visitor.presses("main form .danger", "#progress")
    look("deletion")
    look_at(life.url)
    life.is_worked_on()
    page.wait_for_selector("#progress .badge.ok")
    look("deletion done")
    look_at(page.get_attribute("#progress a.button", "href"))
    look_at(life.leaves_a_ruined_certificate(), "/mailboxes/deleted/", "/mailboxes/deleted/?q=nothing")


def _gives_the_mail_up(page: Any, look: Look) -> None:
    """In step 1 of a reset, where nobody has the password that opens it."""
    page.check("[name=way][value=without]")
    look("without the password")
    page.check("[name=locked_mail][value=delete]")
