"""A walk over all pages that tries each link and each form that they show."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

from tests.pages import read
from tests.wall.scene import Person
from tests.wall.trying import HOSTS, SIGN_INS, Holes

ENDS = 3  # redirects, at most, until a page


class SignedOut:
    """Where those are led whose session has ended when they press a button: everybody to the same sign-in."""

    def __init__(self, anonymous: Person) -> None:
        self._anonymous = anonymous
        self._led: dict[str, list[str]] = {}

    def leads_on(self, there: str, holes: Holes) -> list[str]:
        """Where the sign-in leads on to."""
        if there not in self._led:
            holes.tried += 1
            answer = self._anonymous.tries("POST", _path(there), urlsplit(there).netloc)
            sign_in = urlsplit(answer.get("Location", ""))
            is_one = sign_in.geturl().startswith(SIGN_INS)
            self._led[there] = parse_qs(sign_in.query).get("next", []) if is_one else []
        return self._led[there]


class Visit:
    """One person's walk: what is offered several times is tried once."""

    def __init__(self, person: Person, later: SignedOut, holes: Holes) -> None:
        self.person, self.later, self.holes = person, later, holes
        self.opened: dict[tuple[str, ...], Any] = {}
        self.sent: set[str] = set()

    def sees(self, page: str) -> None:
        answer = self._get(page)
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            return
        tree = read(answer)
        for form in tree.forms:
            if form.method == "POST":
                self._sends(page, urljoin(page, form.action or page), dict(form.form_values()))
        for link in tree.xpath("//a/@href"):
            there = urljoin(page, link).partition("#")[0]
            if urlsplit(there).netloc in HOSTS.values() and not urlsplit(there).path.startswith("/admin/"):
                self._opens(there, f"{page} has a link to {there}")

    def _sends(self, page: str, there: str, fields: dict[str, str]) -> None:
        if there in self.sent:
            return
        self.sent.add(there)
        self.holes.tried += 1
        answer = self.person.submits(fields, _path(there), urlsplit(there).netloc)
        if answer.status_code not in (200, 302):
            self._note(f"{page} has a form for {there}, which is answered {answer.status_code}")
        for onward in self.later.leads_on(there, self.holes):
            self._opens(urljoin(there, onward), f"the sign-in before {there} leads on to {onward}")

    def _opens(self, there: str, what: str) -> None:
        for _redirect in range(ENDS):
            answer = self._get(there)
            if answer.status_code != 302:
                break
            there = urljoin(there, answer["Location"])
        if answer.status_code != 200:
            self._note(f"{what}, which is answered {answer.status_code}")

    def _get(self, there: str) -> Any:
        """Of links that differ in values of their query only, as those of columns do, one is enough."""
        parts = urlsplit(there)
        kind = (parts.netloc, parts.path, *sorted(name for name, _ in parse_qsl(parts.query)))
        if kind not in self.opened:
            self.holes.tried += 1
            self.opened[kind] = self.person.tries("GET", _path(there), parts.netloc)
        return self.opened[kind]

    def _note(self, text: str) -> None:
        self.holes.note(f"{self.person.name}: {text}")


def _path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
