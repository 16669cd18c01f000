"""A tour of every page, for tests that look at each: `look(step)` is called whenever a page stands still.

Each part is `part(visitor, stage, company, look)`, and can be walked again with another company.
"""

from tests.journeys.tour.administration import administration
from tests.journeys.tour.doors import ways_in
from tests.journeys.tour.mailboxes import first_steps, whole_life
from tests.journeys.tour.own import own_pages
from tests.journeys.tour.parts import parts
from tests.journeys.tour.people import people

PARTS = {
    "parts": parts,  # first: what all others are made of
    "first steps": first_steps,
    "whole life": whole_life,
    "people": people,
    "own pages": own_pages,
    "ways in": ways_in,
    "administration": administration,
}
IN_ENGLISH_ALONE = {"parts"}  # for developers
