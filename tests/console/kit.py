"""What a browser without scripts makes of a page: the text of its parts, and the form that it would send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

NEW = "/mailboxes/new/"
VOID = {"input", "meta", "link", "br", "hr", "img", "path", "circle", "rect", "use"}


class Page(HTMLParser):
    """A response, read."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.inputs: dict[str, dict[str, dict[str, str]]] = {}
        self._open: list[tuple[str, dict[str, str]]] = []
        self._action: str | None = None
        self.text = ""
        self.feed(response.content.decode())
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given.get("action", "")
            self.inputs.setdefault(self._action, {})
        elif (
            tag in ("input", "textarea", "button", "select") and self._action is not None and "name" in given
        ):
            self.inputs[self._action][given["name"]] = given
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"
        for tag, given in self._open:
            if "id" in given:
                self.texts[given["id"]] = self.texts.get(given["id"], "") + data
            if tag == "a" and "href" in given:
                self.links[" ".join(data.split())] = given["href"]

    def sent_by(self, action: str) -> dict[str, str]:
        """What the form would send as it stands, with no box ticked."""
        inputs = self.inputs[action].values()
        return {each["name"]: each.get("value", "") for each in inputs if each.get("type") != "checkbox"}


@dataclass
class Visit:
    """A person on the way through the two steps."""

    client: Any
    seen: list[Any] = field(default_factory=list)

    def asks(self, name: str = "Office 365 Journal", description: str = "") -> Page:
        return Page(self._post({"name": name, "description": description}))

    def confirms(self, page: Page, *, ticked: bool = True, **changes: str) -> Any:
        tick = {"understood": "on"} if ticked else {}
        return self._post({**page.sent_by(NEW), **tick, **changes})

    def _post(self, data: dict[str, str]) -> Any:
        self.seen.append(self.client.post(NEW, data))
        return self.seen[-1]
