"""People and their addresses."""

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.services import create_person


def test_a_password_is_made_for_who_brings_none(db):
    user, password = create_person("Ada@Acme.Example ")
    assert user.email == "ada@acme.example"
    assert len(password) >= 22
    assert User.objects.get(pk=user.pk).check_password(password)


def test_a_password_brought_along_is_not_given_back(db):
    user, password = create_person("ada@acme.example", password="brought-along-words")
    assert password is None
    assert user.check_password("brought-along-words")


@pytest.mark.parametrize("email", ["", "no address", "ADMIN@acme.example"])
def test_a_person_needs_an_address_of_their_own(cast, email):
    with pytest.raises(ValidationError):
        create_person(email)


def test_only_staff_have_rights_in_the_administration(db):
    person, _ = create_person("ada@acme.example")
    staff, _ = create_person("grace@gatehouse.example", staff=True)
    assert (person.is_staff, person.is_superuser) == (False, False)
    assert (staff.is_staff, staff.is_superuser) == (True, True)


def test_the_administration_adds_people_with_lower_case_addresses(cast, client_for):
    client = client_for(cast.staff, host=None)
    fields = {"email": "Ada@Acme.Example", "name": "Ada", "usable_password": "true"}
    passwords = {"password1": "words-of-some-length", "password2": "words-of-some-length"}
    assert client.post("/admin/accounts/user/add/", {**fields, **passwords}).status_code == 302
    user = User.objects.get(email="ada@acme.example")
    assert user.check_password("words-of-some-length")
    again = client.post("/admin/accounts/user/add/", {**fields, "email": "ADA@acme.example", **passwords})
    assert "email" in again.context["adminform"].form.errors
