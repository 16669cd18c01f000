"""A request as the web server hands it to the gates."""

import encodings
from io import BytesIO

import pytest

from portal.gates.bodies import Request


@pytest.mark.parametrize("letters", ["none-such", "x" * 8000])
def test_what_a_header_calls_its_letters_is_looked_up_nowhere(letters):
    """Python keeps each name that it was asked for, and anybody may send another one with each request."""
    form = f"application/x-www-form-urlencoded; charset={letters}"
    request = Request({"REQUEST_METHOD": "POST", "CONTENT_TYPE": form, "wsgi.input": BytesIO(b"")})
    assert request.content_params["charset"] == letters
    assert letters not in encodings._cache
