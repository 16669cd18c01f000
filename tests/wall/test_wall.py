"""Every URL of both hosts, with everybody, against one table.

`make test` has everybody look at every page of ours. Where the same few views or one question decide for many, it draws
one of those whom the table treats alike, in every run the same one; `make soak` tries them all.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest

from tests.breaking.kit import short_or_long
from tests.wall.routes import routes
from tests.wall.scene import BASE, GLOBEX, Person, Scene, send
from tests.wall.table import ANONYMOUS, READERS, SIGNED_IN, TABLE, Outcome, line_of
from tests.wall.trying import HOSTS, Door, Holes, alike, doors, outcome, seen
from tests.wall.visiting import SignedOut, Visit

Tell = Callable[[int, int, int], None]

METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

each_host = pytest.mark.parametrize("host", HOSTS)

# Everybody who sees something else on pages that are ours.
VISITORS = {
    "base": ("owner", "operator", "auditor", "staff", "stranger", "anonymous"),
    "customer": ("owner", "operator", "auditor", "admin", "viewer", "anonymous"),
}
# Django and Rosetta make their own: all of the administration's by the same few views.
NOT_OURS = ("admin:", "rosetta")

FILES = {
    ("base", "activity_csv"),
    ("base", "mfa_download_recovery_codes"),
    ("base", "rosetta-download-file"),
    ("customer", "activity_csv"),
    ("customer", "mailboxes:certificate_json"),
    ("customer", "mfa_download_recovery_codes"),
}
OPENED_BY_ANOTHER_SITE = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


# --- The table ---
@each_host
def test_every_url_has_a_line_in_the_table(host: str) -> None:
    missing = [route for route in routes(host) if line_of(host, route.name) is None]
    assert not missing, "\n".join(
        f'Say in tests/wall/table.py, {host.upper()}, who may go to /{route.address}: "{route.name}": Line(...).'
        for route in missing
    )


@each_host
def test_every_line_of_the_table_is_of_a_url(host: str) -> None:
    used = [line_of(host, route.name) for route in routes(host)]
    unused = [name for name, line in TABLE[host].items() if not any(line is other for other in used)]
    assert not unused, f"Take out of tests/wall/table.py what no URL of the {host} host is called: {unused}"


@each_host
def test_every_place_of_a_url_is_filled(host: str, scene: Scene) -> None:
    wrong = [
        f"{door.name}: {', '.join(door.route.places) or 'nothing'}"
        for door in doors(host, scene.things)
        if len(door.thing.own) != len(door.route.places)
    ]
    assert not wrong, "Say in tests/wall/table.py (`of`) what is named here:\n" + "\n".join(wrong)


# --- Everybody everywhere ---
@pytest.mark.parametrize("method", ["GET", "POST"])
@each_host
def test_everybody_gets_what_the_table_says(host: str, method: str, scene: Scene, counted: Tell) -> None:
    holes, urls, draw = Holes(), 0, Random(f"{host} {method}")
    for door in doors(host, scene.things):
        urls += 1
        everybody = method == "GET" and not door.name.startswith(NOT_OURS)
        for person in _those_who_try(door, host, scene, draw, everybody=everybody):
            holes.check(door, person, method, HOSTS[host], door.line.expected(host, person.name, method))
    counted(urls if method == "GET" else 0, holes.tried if method == "GET" else 0, holes.tried)
    assert not holes.found, str(holes)


def _those_who_try(
    door: Door, host: str, scene: Scene, draw: Random, *, everybody: bool = False
) -> Iterable[Person]:
    people = scene.people.values()
    if everybody:
        return people
    groups = alike(door, host, people).values()
    return [person for group in groups for person in short_or_long([draw.choice(group)], group)]


def test_who_is_limited_to_some_customers_has_the_same_rights_at_these(scene: Scene, counted: Tell) -> None:
    holes, limited = Holes(), scene.people["limited"]
    for door in doors("customer", scene.things | scene.at_globex()):
        if door.line.of == "passkey":
            continue  # one's own, and the same everywhere
        for method in ("GET", "POST"):
            expected = door.line.expected("customer", "operator", method)
            holes.check(door, limited, method, GLOBEX, expected)
    counted(0, holes.tried // 2, holes.tried)
    assert not holes.found, str(holes)


# --- Others' things ---
@each_host
def test_others_things_look_like_things_that_do_not_exist(host: str, scene: Scene, counted: Tell) -> None:
    """The same status, page and headers, whoever asks and however: nobody learns what others have."""
    holes, draw = Holes(), Random(host)
    for door in (door for door in doors(host, scene.things) if door.thing.foreign):
        for person in _those_who_try(door, host, scene, draw):
            if host == "customer" and person.name not in READERS | ANONYMOUS:
                continue  # for whom there is nothing at all here
            for method in ("GET", "POST"):
                nowhere = _sees(person, method, door, door.thing.missing, HOSTS[host])
                for values in door.thing.foreign:
                    if _is_theirs(person, door, values):
                        continue
                    there = _sees(person, method, door, values, HOSTS[host])
                    holes.tried += 1
                    led_away = method == "GET" and door.line.get == Outcome.AWAY  # from an act to its form
                    opened = there[0] < 400 and person.user is not None and not led_away
                    if there != nowhere or opened:
                        holes.note(
                            f"{method} {door.route.filled(*values)} ({door.name}), {person.name}: {there[0]}, "
                            f"where nothing is: {nowhere[0]}"
                        )
    counted(0, 0, holes.tried)
    assert holes.tried
    assert not holes.found, str(holes)


def _sees(person: Person, method: str, door: Door, values: tuple[str, ...], host: str) -> tuple[int, str]:
    path = door.route.filled(*values)
    return seen(person.tries(method, path, host), path)


def _is_theirs(person: Person, door: Door, values: tuple[str, ...]) -> bool:
    """What is foreign to Acme, Northwind and its owner is somebody's own. In scene.py it stands first."""
    owner = {"passkey": "admin", "team member": "rival", "team invitation": "rival"}.get(str(door.line.of))
    return person.name == owner and values == door.thing.foreign[0]


def test_a_provider_named_in_the_query_opens_no_door_either(scene: Scene) -> None:
    """People of several providers choose one by ?provider= on these pages."""
    holes = Holes()
    for door in doors("base", scene.things):
        if door.route.places or "rival" not in door.line.may or door.line.may >= SIGNED_IN:
            continue
        for name, other in (("owner", "fabrikam"), ("limited", "fabrikam"), ("rival", "northwind")):
            for method in ("GET", "POST"):
                answer = scene.people[name].tries(method, f"{door.path}?provider={other}", BASE)
                if outcome(answer) == Outcome.AWAY or other.title() in answer.content.decode():
                    holes.note(f"{method} {door.path}?provider={other}, {name}: {answer.status_code}")
    assert not holes.found, str(holes)


# --- Other methods, other sites ---
@each_host
def test_no_other_method_opens_what_get_and_post_do_not(host: str, scene: Scene, counted: Tell) -> None:
    """Everybody with every method at every URL would take minutes, also in `make soak`: beside HEAD, which views answer
    like GET, one more method is drawn, and at pages that are not ours one of all.
    """
    holes, draw = Holes(), Random(host)
    for door in doors(host, scene.things):
        for (expected, _), group in alike(door, host, scene.people.values()).items():
            drawn = draw.choice(METHODS)
            for method in [drawn] if door.name.startswith(NOT_OURS) else ["HEAD", drawn]:
                person = draw.choice(group)
                holes.check(door, person, method, HOSTS[host], expected | {Outcome.NO_METHOD})
    counted(0, 0, holes.tried)
    assert not holes.found, str(holes)


@each_host
def test_no_url_takes_a_form_of_another_host(host: str, scene: Scene) -> None:
    """To browsers all our hosts are one site, so that cookies come along: the form's own token has to tell."""
    holes = Holes()
    for door in doors(host, scene.things):
        headers = {
            "host": HOSTS[host],
            "cookie": scene.people["owner"].cookie,
            "origin": f"http://{GLOBEX}",
        }
        status = send("POST", door.path, headers, careful=True).status_code
        if status not in (403, 404, 405):
            holes.note(f"POST {door} from {GLOBEX}: {status}")
    assert not holes.found, str(holes)


def test_no_file_goes_to_another_sites_page_for_which_nobody_pressed(scene: Scene) -> None:
    """Whatever the wall finds to be one. That a press gets it is a test of the gate's own."""
    files = set()
    for host, name in HOSTS.items():
        for door in doors(host, scene.things):
            who = next((who for who in ("owner", "admin", "staff") if who in door.line.may), None)
            if who and _is_file(scene.people[who].tries("GET", door.path, name)):
                files.add((host, door.name))
                answer = scene.people[who].tries("GET", door.path, name, **OPENED_BY_ANOTHER_SITE)
                assert (answer.status_code, _is_file(answer)) == (403, False), door
    assert files == FILES


def _is_file(answer: Any) -> bool:
    return answer.get("Content-Disposition", "").startswith("attachment")


# --- What pages offer ---
@each_host
def test_every_form_is_taken_and_every_link_opens(host: str, scene: Scene, counted: Tell) -> None:
    """Also for who presses a button after the session has ended: the sign-in leads on to a page."""
    holes, later = Holes(), SignedOut(scene.people["anonymous"])
    for name in VISITORS[host]:
        visit = Visit(scene.people[name], later, holes)
        for door in doors(host, scene.things):
            if not door.name.startswith(NOT_OURS):
                visit.sees(f"http://{HOSTS[host]}{door.path}")
    counted(0, 0, holes.tried)
    assert holes.tried > 100
    assert not holes.found, str(holes)
