"""The pages on which people are managed, and what they did is read."""

from typing import Any

from tests.cast import PASSWORD
from tests.journeys.tour.looking import Look
from tests.tenants.drawing import picture


def people(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """At the provider, then at a customer."""
    visitor.signs_in(company.owner.email, PASSWORD)
    visitor.page.goto(visitor.url("/team/"))
    visitor.page.get_by_role("row").filter(has_text=company.owner.email).get_by_role("link").click()
    visitor.page.wait_for_selector("main .notice")
    look("the owner, perhaps the last")
    manage(visitor, look, "/team/", None, company.operator)
    identity_provider(visitor, look)
    branding(visitor, look)
    customers(visitor, stage, look)
    manage(visitor, look, "/people/", stage.customer.slug, company.admin)
    visitor.page.goto(visitor.url("/people/?page=2", stage.empty.slug))
    look("many people")
    visitor.page.goto(visitor.url("/switch/?from=/people/", stage.customer.slug))
    look("another customer")
    visitor.page.goto(visitor.url("/switch/?q=nothing", stage.customer.slug))
    look("no such customer")
    visitor.page.goto(visitor.url("/people/", stage.customer.slug))
    visitor.page.evaluate("document.querySelector('.switcher').open = true")
    visitor.page.wait_for_selector("#switch-found a", state="attached")
    look("the switcher")


def manage(visitor: Any, look: Look, home: str, customer: str | None, newest: Any) -> None:
    page = visitor.page

    def look_at(path: str) -> None:
        page.goto(visitor.url(path, customer))
        look(path)

    look_at(home)
    look_at(f"{home}invite/")
    page.fill("[name=email]", newest.email)
    page.check("[name=role] >> nth=0")
    visitor.presses("main form .primary", "[role=alert], .errors")
    look("invited already")
    page.fill("[name=email]", f"guest-of-{newest.email}")
    visitor.presses("main form .primary", "#invited")
    look("invited")
    page.get_by_role("row").filter(has_text=newest.email).first.get_by_role("link").first.click()
    page.wait_for_selector("main form .danger")
    look("a member")
    visitor.presses("main form a.danger", "main form button.danger")
    look("remove a member")
    look_at("/activity/")
    look_at("/activity/?q=nothing")
    look_at("/activity/?since=nonsense")


def branding(visitor: Any, look: Look) -> None:
    """As it is at first, refused, and worn; then it is taken back, for the stage is everybody's."""
    page = visitor.page
    page.goto(visitor.url("/branding/"))
    look("branding")
    page.fill("[name=colour]", "yellow")
    visitor.presses("main form .primary", "#id_colour_error")
    look("branding refused")
    page.fill("[name=colour]", "#ffcc00")
    page.fill("[name=support_email]", "help@northwind.example")
    page.fill("[name=support_url]", "https://contoso.example/")
    visitor.presses("main form .primary", ".messages")
    file = {"name": "logo.png", "mimeType": "image/png", "buffer": picture()}
    page.set_input_files("[name=logo]", file)
    visitor.presses("main form[enctype] .button", "main img.logo")
    look("branding worn")
    page.click("[commandfor=reset]")
    visitor.presses("#reset [type=submit]", ".messages")


def identity_provider(visitor: Any, look: Look) -> None:
    page = visitor.page
    page.goto(visitor.url("/team/identity-provider/"))
    look("identity provider")
    page.fill("[name=issuer]", "https://127.0.0.1:9/")
    page.fill("[name=client_id]", "gatehouse")
    page.fill("[name=client_secret]", "between us")
    page.fill("[name=email_domains]", "contoso.example")
    visitor.presses("[name=check]", "main [role=alert], main .errors")
    look("identity provider unknown")


def customers(visitor: Any, stage: Any, look: Look) -> None:
    """A customer is created, and one that is there is run."""
    page, own = visitor.page, f"/customers/{stage.empty.slug}/"
    page.goto(visitor.url("/customers/new/"))
    look("create a customer")
    page.fill("[name=name]", "Contoso")
    page.fill("[name=waiting_quota_octets]", "10")
    visitor.presses("main form .primary", "[role=alert], .errors")
    look("a customer with a wrong limit")
    page.goto(visitor.url(own))
    look("a customer")
    page.goto(visitor.url(f"{own}edit/"))
    look("edit a customer")
    page.goto(visitor.url(f"{own}administrator/"))
    look("the first administrator")
    page.goto(visitor.url(f"{own}suspend/"))
    look("suspend a customer")
    page.fill("[name=reason]", "Moving house")
    visitor.presses("main form button.danger", "main .notice")
    look("a suspended customer")
    visitor.presses("main .notice form button", "[role=status], .notice.success")
