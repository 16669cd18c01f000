"""A request as the web server hands it to the gates."""

import encodings
from io import BytesIO

import pytest
from django.core.exceptions import BadRequest
from django.http import HttpResponse

from portal.gates.bodies import ModestBodies, Request


@pytest.mark.parametrize("letters", ["none-such", "x" * 8000])
def test_what_a_header_calls_its_letters_is_looked_up_nowhere(letters):
    """Python keeps each name that it was asked for, and anybody may send another one with each request."""
    form = f"application/x-www-form-urlencoded; charset={letters}"
    request = Request({"REQUEST_METHOD": "POST", "CONTENT_TYPE": form, "wsgi.input": BytesIO(b"")})
    assert request.content_params["charset"] == letters
    assert letters not in encodings._cache


FORM = "multipart/form-data; boundary=x"
PART = b"--x\r\nContent-Disposition: form-data; name=a; name*=none-of-ours'en'%41\r\n\r\nb\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("method", "kind", "body"),
    [
        ("GET", "text/plain; a*=none-of-ours'en'%41", b""),
        ("GET", "text/plain; a*0*=none-of-ours'en'%41", b""),
        ("POST", FORM, PART),
        ("POST", f"{FORM}; a*=none-of-ours'en'%41", b""),
    ],
)
def test_nor_is_what_a_parameter_or_a_part_of_a_form_calls_its_own(method, kind, body):
    request = Request(
        {
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }
    )
    with pytest.raises(BadRequest):
        ModestBodies(lambda _request: HttpResponse())(request)
    assert not [name for name in encodings._cache if name.startswith("none_of_ours")]
