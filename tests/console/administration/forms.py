"""Forms of the administration as staff see them: what the page shows is what is sent, but for what somebody changes."""

from html.parser import HTMLParser
from typing import Any


class Shown(HTMLParser):
    """The fields of a page's main form, with the values that a browser would send."""

    def __init__(self, page: Any, form: str) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self.types: dict[str, str] = {}
        self._form, self._here, self._select, self._textarea = form, False, "", ""
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._here = given.get("id") == self._form
        if not self._here:
            return
        name = given.get("name", "")
        if name:
            self.types[name] = given.get("type", tag)
        if given.get("type") == "submit":
            return
        if tag == "select":
            self._select = name
            self.values[name] = [] if "multiple" in given else ""
        elif tag == "option" and "selected" in given:
            chosen = self.values[self._select]
            self.values[self._select] = (
                [*chosen, given["value"]] if isinstance(chosen, list) else given["value"]
            )
        elif tag == "textarea":
            self._textarea = name
        elif tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.values[name] = given.get("value", "on" if given.get("type") == "checkbox" else "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._here = False
        if tag == "textarea":
            self._textarea = ""


def submit(client: Any, path: str, **changes: Any) -> Any:
    """Opens the page, fills its form in, and presses *Save*. A box is ticked by "on" and cleared by None."""
    page = client.get(path)
    assert page.status_code == 200, page.status_code
    shown = Shown(page, form=f"{path.split('/')[3]}_form")
    assert set(changes) <= set(shown.types), f"the page shows no {set(changes) - set(shown.types)}"
    sent = {name: value for name, value in {**shown.values, **changes}.items() if value is not None}
    return client.post(path, sent, follow=True)
