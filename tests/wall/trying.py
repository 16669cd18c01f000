"""What all tests of the wall do: walk the URLs that the table knows, and name what somebody got."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.wall.routes import Route, admin_object, routes
from tests.wall.scene import ACME, BASE, Person, Thing
from tests.wall.table import NORTHWIND, Line, Outcome, line_of

HOSTS = {"base": BASE, "customer": ACME}
SIGN_INS = ("/accounts/login/", "/admin/login/")
OUTCOMES = {
    200: Outcome.PAGE,
    204: Outcome.PAGE,
    403: Outcome.FORBIDDEN,
    404: Outcome.MISSING,
    405: Outcome.NO_METHOD,
}


@dataclass(frozen=True)
class Door:
    """A URL with its line and what its places name."""

    route: Route
    line: Line
    thing: Thing

    @property
    def name(self) -> str:
        return self.route.name

    @property
    def path(self) -> str:
        return self.route.filled(*self.thing.own)

    def __str__(self) -> str:
        return f"{self.path} ({self.name})"


def doors(host: str, things: dict[str, Thing]) -> Iterator[Door]:
    """All that the table knows; that it knows all is a test of its own."""
    for route in routes(host):
        if line := line_of(host, route.name):
            yield Door(route, line, _thing_of(route, line, things))


def _thing_of(route: Route, line: Line, things: dict[str, Thing]) -> Thing:
    if isinstance(line.of, tuple):
        return Thing(line.of)
    if line.of == "row of the administration":
        return Thing(tuple(admin_object(route) for _ in route.places))
    return things[line.of]


def alike(
    door: Door, host: str, people: Iterable[Person]
) -> dict[tuple[frozenset[Outcome], bool], list[Person]]:
    """Groups of people of whom the table expects the same there, by GET and by POST, with roles of the same kind: a
    provider's people have rights at its other customers, too.
    """
    groups: dict[tuple[frozenset[Outcome], bool], list[Person]] = {}
    for person in people:
        expected = (door.line.expected(host, person.name, method) for method in ("GET", "POST"))
        key = (frozenset().union(*expected), person.name in NORTHWIND)
        groups.setdefault(key, []).append(person)
    return groups


def outcome(answer: Any) -> Outcome | int:
    """What somebody got. A number is nothing that anybody should get."""
    if answer.status_code == 200 and "Allow" in answer and not answer.content:
        return Outcome.NO_METHOD  # to OPTIONS, which tells no more than a refusal of the method does
    if answer.status_code in (301, 302, 303):
        return Outcome.SIGN_IN if answer["Location"].startswith(SIGN_INS) else Outcome.AWAY
    return OUTCOMES.get(answer.status_code, answer.status_code)


def seen(answer: Any, asked: str) -> tuple[int, str]:
    """All that an answer tells, but for what differs with each request, and for the path or host that was asked."""
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())
    headers = {
        name: "" if name == "Expires" else value  # a second later it is another one
        for name, value in answer.headers.items()
        if name != "Content-Length"
    }
    told = repr((page, sorted(headers.items()), sorted(answer.cookies)))
    for spelling in (asked, quote(asked), quote(asked, safe="")):
        told = told.replace(spelling, "(what was asked)")
    return answer.status_code, told


class Holes:
    """What was found, and how much was tried."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.tried = 0

    def check(self, door: Door, person: Person, method: str, host: str, expected: set[Outcome]) -> None:
        """Let the person try, and note what the table does not say, and what they may not read."""
        answer = person.tries(method, door.path, host)
        got = outcome(answer)
        self.tried += 1
        if got not in expected:
            wanted = " or ".join(sorted(expected))
            self.note(f"{method} {door}, {person.name}: {got}, expected {wanted}")
        page = answer.content.decode(errors="replace").lower()  # some is a file
        secrets = person.secrets
        if person.user is None and Outcome.PAGE in expected:  # a customer's door says whose it is
            secrets = tuple(secret for secret in secrets if not host.startswith(f"{secret}."))
        if any(secret in door.path for secret in secrets):
            # What was asked for is told to nobody by being repeated: the way back in the menu has it.
            page = page.replace(quote(door.path, safe="").lower(), "").replace(door.path.lower(), "")
        self.found += [
            f"{method} {door}, {person.name}: the page names {secret}"
            for secret in secrets
            # As a word: four letters of it stand in a random token of every few thousandth page.
            if re.search(rf"(?<![a-z0-9]){re.escape(secret)}(?![a-z0-9])", page)
        ]

    def note(self, text: str) -> None:
        self.found.append(text)

    def __str__(self) -> str:
        return f"{len(self.found)} holes in the wall:\n" + "\n".join(self.found[:60])
