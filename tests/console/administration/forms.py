"""Forms of the administration as staff see them: what the page shows is what is sent, but for what somebody changes."""

from typing import Any

from tenants.models import AuditEvent
from tests.pages import read


def fields_of(page: Any, form: str) -> set[str]:
    """The names of what the page's form with this ID asks for."""
    return set(read(page).get_element_by_id(form).fields.keys())


def submit(client: Any, path: str, **changes: Any) -> Any:
    """Opens the page, fills its form in, and presses *Save*, also with what it does not offer. A box is ticked by "on"
    and cleared by None.
    """
    page = client.get(path)
    assert page.status_code == 200, page.status_code
    name = f"{path.split('/')[3]}_form"
    unknown = set(changes) - fields_of(page, name)
    assert not unknown, f"the page shows no {unknown}"
    sent: dict[str, Any] = {}
    for field, value in read(page).get_element_by_id(name).form_values():
        sent.setdefault(field, []).append(value)
    sent = {field: value for field, value in {**sent, **changes}.items() if value is not None}
    return client.post(path, sent, follow=True)


def last_event() -> Any:
    """What the trail tells of what was just pressed."""
    return AuditEvent.objects.order_by("pk").last()
