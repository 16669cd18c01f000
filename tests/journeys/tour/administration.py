"""The administration: its lists, what can be changed or looked at there, and what is asked before people lose a role."""

from typing import Any

from django.contrib.admin import site

from tests.cast import PASSWORD
from tests.journeys.tour.looking import Look


def administration(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """As platform staff see it who may do everything there."""
    page = visitor.page
    stage.makes_staff(company.operator)
    visitor.signs_in(company.operator.email, PASSWORD)

    def look_at(path: str) -> None:
        page.goto(visitor.url(f"/admin/{path}"))
        look(f"administration {path}")

    look_at("")
    look_at("tenants/")
    # People of the other tests are called by their roles, which would pass for texts.
    ours = {
        "user": "contoso",
        "membership": "contoso",
        "customer": "contoso",
        "domain": "contoso",
        "provider": "stage",
    }
    for model in site._registry:
        name = model._meta.model_name
        look_at(f"{model._meta.app_label}/{name}/?q={ours.get(name, '')}")
        if page.locator("main tbody th a").count():
            page.click("main tbody th a >> nth=0")
            page.wait_for_selector("main form, main .facts")
            look(f"one in the administration: {model._meta.verbose_name}")
    look_at("tenants/membership/add/")
    page.click("main [role=combobox] >> nth=0")
    page.wait_for_selector(".select2-results__option[aria-selected]")
    look("a person to be chosen for a role")
    page.goto(visitor.url("/admin/tenants/provider/add/"))
    visitor.presses("main form [name=_save]", ".errors")
    look("a provider refused")
    page.goto(visitor.url(f"/admin/accounts/user/{company.viewer.pk}/change/"))
    visitor.presses("main form [name=_save]", ".notice.success")
    page.goto(visitor.url(f"/admin/accounts/user/{company.viewer.pk}/history/"))
    look("what was changed of a person")
    page.goto(visitor.url(f"/admin/tenants/membership/?q={company.viewer.email}"))
    page.check("main tbody [type=checkbox]")
    visitor.presses("main form [name=action]", "main form .danger")
    look("roles to be taken away")
    page.goto(visitor.url(f"/admin/tenants/membership/?q={company.viewer.email}"))
    page.click("main tbody th a")
    visitor.presses("main form a.danger", "main form button.danger")
    look("a role to be taken away")
