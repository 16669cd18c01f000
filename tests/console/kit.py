"""What a browser without scripts makes of a page: the text of its parts, and the form that it would send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.db import connection

from tests.pages import presses

NEW = "/mailboxes/new/"
VOID = {"input", "meta", "link", "br", "hr", "img", "path", "circle", "rect", "use"}


class Page(HTMLParser):
    """A response, read."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.answer = response
        self.texts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.inputs: dict[str, dict[str, dict[str, str]]] = {}
        self.choices: dict[str, list[str]] = {}  # of radio buttons
        self._open: list[tuple[str, dict[str, str]]] = []
        self._action: str | None = None
        self.text = ""
        self.feed(response.content.decode().replace("<wbr>", ""))  # a place to break is no space
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given.get("action", "")
            self.inputs.setdefault(self._action, {})
        elif (
            tag in ("input", "textarea", "button", "select") and self._action is not None and "name" in given
        ):
            if given.get("type") != "radio" or "checked" in given:
                self.inputs[self._action][given["name"]] = given
            if given.get("type") == "radio":
                self.choices.setdefault(given["name"], []).append(given["value"])
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None
        while tag not in VOID and self._open and self._open.pop()[0] != tag:
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
class TwoSteps:
    """A person on the way through a page that shows a password and then asks to confirm."""

    client: Any
    path: str
    first: str = "Show the new password"
    seen: list[Any] = field(default_factory=list)

    def asks(self, **fields: str) -> Page:
        self.seen.append(presses(self.client.get(self.path), self.first, **fields))
        return Page(self.seen[-1])

    def confirms(self, page: Page, *, ticked: bool = True, **changes: str) -> Any:
        """With what the page's form has, wherever it was taken from."""
        if page.answer.client is not self.client:
            return self.posts({**page.sent_by(self.path), "understood": "on"})
        self.seen.append(presses(page.answer, "OK", understood=ticked, **changes))
        return self.seen[-1]

    def posts(self, data: dict[str, str]) -> Any:
        """Past the form, as nobody does by accident."""
        self.seen.append(self.client.post(self.path, data))
        return self.seen[-1]


class Visit(TwoSteps):
    """Somebody creates a mailbox."""

    def __init__(self, client: Any) -> None:
        super().__init__(client, NEW, "OK")

    def asks(self, name: str = "Office 365 Journal", description: str = "") -> Page:  # type: ignore[override]
        return super().asks(name=name, description=description)


def rows_with(text: str) -> list[str]:
    """The tables, of all schemas, that hold a row with this text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = []
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {table} AS t WHERE strpos(t::text, %s) > 0)", [text]
            )
            if cursor.fetchone()[0]:
                found.append(table)
        return found
