"""Pages fit a phone in every language: what is wider than the screen would have to be pushed about to be read."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from django_tenants.utils import tenant_context

from mailboxes import services
from mailboxes.models import Job
from mailboxes.vault import new_password
from mailboxes.work.slices import work_slice
from tests.cast import PASSWORD

PHONE = {"width": 360, "height": 740}
in_every_language = pytest.mark.parametrize("language", [code for code, name in settings.LANGUAGES])


def wider_than_a_phone(page, language, step):
    """How wide the page is if that is too much, as it stands and as it would be for people who read from the right."""
    assert page.get_attribute("html", "lang") == language
    for direction in ("rtl", "ltr"):
        page.evaluate("to => { document.documentElement.dir = to }", direction)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            yield step, direction, width


@in_every_language
def test_no_page_is_wider_than_a_phone(visit, gateway, cast, language):
    def story(visitor):
        page = visitor.page
        too_wide = []

        def look(step):
            too_wide.extend(wider_than_a_phone(page, language, step))

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
        for closed in page.query_selector_all("details:not([open]).card"):
            closed.evaluate("card => { card.open = true }")
        look("mailbox")
        page.goto(visitor.url("/mailboxes/", "acme"))
        look("mailboxes")
        page.goto(visitor.url("/mailboxes/?q=nothing", "acme"))
        look("nothing found")
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []


@pytest.fixture
def life(acme, cast, gateway, make_mailbox, meanwhile):
    """A mailbox with mail and a name that knows no spaces, and what happens to it while somebody looks on."""
    name = "Rechtsabteilungsjournalpostfachnachfolger-" * 2
    opened = make_mailbox(name, description="Vorratsdatenspeicherungsverantwortlichkeit " * 3)

    class Life:
        url = f"/mailboxes/{opened.mailbox.pk}/"

        def __init__(self):
            self.name, self.password = name, opened.password

        def receives_mail(self):
            assert gateway.send(b"Subject: 1\r\n\r\nHello.\r\n", opened.address).startswith(b"250 ")

        def is_reset(self, **how):
            password, job = meanwhile(
                lambda: services.reset_password(acme, opened.mailbox, by=cast.admin, **how)
            )
            self.password = password.reveal()
            return job and f"/mailboxes/jobs/{job.pk}/"

        def job_is(self, **values):
            def write():
                with tenant_context(acme):
                    Job.objects.update(**values)

            meanwhile(write)

        def is_worked_on(self):
            def work():
                with tenant_context(acme):
                    jobs = list(Job.objects.values_list("pk", flat=True))
                for job in jobs:
                    while work_slice(acme, job):
                        pass

            meanwhile(work)

    return Life()


# What may become of a job, and stands on its page.
JOBS = {
    "in trouble": {"state": "running", "error": "store-failed", "failures": 3, "done": 3, "total": 4},
    "failed": {"state": "failed", "error": "unreadable"},
    "waiting for the password": {"state": "waiting-for-password", "error": "no-lock"},
    "waiting for its turn": {"state": "queued", "error": "", "failures": 0, "paused_until": None},
}


@in_every_language
def test_no_page_of_a_mailboxs_life_is_wider_than_a_phone(visit, cast, life, language):
    def story(visitor):
        page = visitor.page
        too_wide = []

        def look(step):
            for closed in page.query_selector_all("details:not([open]).card"):
                closed.evaluate("card => { card.open = true }")
            too_wide.extend(wider_than_a_phone(page, language, step))

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
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []
