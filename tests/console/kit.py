"""What a browser without scripts makes of a page: the text of its parts, and the form that it would send."""

from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from tests.pages import presses, read

NEW = "/mailboxes/new/"


class Page:
    """A response, read."""

    def __init__(self, response: Any) -> None:
        self.answer = response
        page = read(response)
        self.text = " ".join(" ".join(page.xpath("//text()")).split())
        self.texts = {each.get("id"): each.text_content() for each in page.xpath("//*[@id][.//text()]")}
        self.links = {
            " ".join(text.split()): link.get("href")
            for link in page.xpath("//a[@href]")
            for text in link.xpath(".//text()")
        }
        self.inputs: dict[str, dict[str, dict[str, str]]] = {}
        self.choices: dict[str, list[str]] = {}  # of radio buttons
        for form in page.iter("form"):
            asked = self.inputs.setdefault(form.get("action", ""), {})
            for one in form.iter("input", "textarea", "button", "select"):
                name, radio = one.get("name"), one.get("type") == "radio"
                if name and radio:
                    self.choices.setdefault(name, []).append(one.get("value"))
                if name and (not radio or "checked" in one.attrib):
                    asked[name] = dict(one.attrib)

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
