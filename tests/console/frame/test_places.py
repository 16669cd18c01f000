"""Each part of the console is a place to go to from any page, or says why not."""

import pytest

from portal.console.frame.places import AT_BASE, AT_CUSTOMER
from tests.wall.routes import routes

PLACES = {"base": AT_BASE, "customer": AT_CUSTOMER}
# The parts to which the rail of a host does not lead, and what does.
NO_PLACE = {
    ("base", "administration"): "below the places in the rail of platform staff",
    ("base", "gallery"): "the parts that pages are made of, for who works on them",
    ("base", "identity_provider"): "a page of the team's",
    ("base", "own"): "under one's name, at the end of the bar",
    ("base", "signin"): "before one is anywhere",
    ("customer", "customers"): "the switcher, above the places",
    ("customer", "own"): "under one's name, at the end of the bar",
    ("customer", "signin"): "before one is anywhere",
}


@pytest.mark.parametrize("host", PLACES)
def test_each_part_with_a_page_on_a_host_has_a_place_there_or_a_reason(host):
    part_of = {
        route.name: route.pattern.callback.__module__.split(".")[2]
        for route in routes(host)
        if route.pattern.callback.__module__.startswith("portal.console.")
    }
    placed = {part_of[place.view] for place in PLACES[host]}
    excused = {part for at, part in NO_PLACE if at == host}
    missing = set(part_of.values()) - placed - excused
    assert not missing, f"Give {missing} a place in portal/console/frame/places.py, or say here why not."
    assert not excused & placed and excused <= set(part_of.values())
