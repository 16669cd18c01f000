"""People and their addresses."""

import time

import pytest
import regex

from accounts.actors import SYSTEM
from accounts.errors import (
    InvalidAddress,
    InvalidPersonName,
    PersonExists,
    Refusal,
    TooManyMarks,
    WeakPassword,
)
from accounts.models import User
from accounts.names import visible
from accounts.services import create_person, save_settings
from mailboxes.services import create_mailbox
from tenants.services import create_customer, create_provider
from tests import cast as players

IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
TRICK = "N\n\nPay at https://evil.example now\n\nX"


def test_a_password_is_made_for_who_brings_none(db):
    user, password = create_person("Ada@Acme.Example ", by=SYSTEM)
    assert user.email == "ada@acme.example"
    assert len(password) >= 22
    assert User.objects.get(pk=user.pk).check_password(password)


def test_new_people_have_the_time_zone_of_the_installation_and_others_keep_theirs(cast, settings):
    settings.NEW_PEOPLES_TIME_ZONE = "Europe/Zurich"
    new, _ = create_person("new@northwind.example", by=SYSTEM)
    by_hand = User.objects.create_user("hand@northwind.example")
    assert [new.time_zone, by_hand.time_zone, cast.admin.time_zone] == ["Europe/Zurich", "Europe/Zurich", ""]


def test_a_password_brought_along_is_not_given_back(db):
    user, password = create_person("ada@acme.example", password="brought-along-words", by=SYSTEM)
    assert password is None
    assert user.check_password("brought-along-words")


@pytest.mark.parametrize(
    ("email", "refusal"),
    [
        ("", InvalidAddress),
        ("no address", InvalidAddress),
        (f"{'a' * 250}@acme.example", InvalidAddress),
        ("ADMIN@acme.example", PersonExists),
    ],
)
def test_a_person_needs_an_address_of_their_own(cast, email, refusal):
    with pytest.raises(refusal):
        create_person(email, by=SYSTEM)


@pytest.mark.parametrize("password", ["x", "eleven-long", "password1234", "ada@acme.example"])
def test_a_weak_password_is_refused_whoever_brings_it(db, password):
    with pytest.raises(WeakPassword):
        create_person("ada@acme.example", password=password, by=SYSTEM)
    assert not User.objects.filter(email="ada@acme.example").exists()


@pytest.mark.parametrize(
    "name",
    [
        TRICK,
        "N\N{LINE SEPARATOR}Pay",
        "N\N{RIGHT-TO-LEFT OVERRIDE}yaP",
        "N\N{RIGHT-TO-LEFT ISOLATE}yaP",  # to the end of whatever stands behind it
        "N\N{POP DIRECTIONAL ISOLATE}",
    ],
)
def test_a_name_has_no_paragraphs_of_its_own(cast, name):
    """It stands at the beginning of our mails, to people who don't know who wrote it."""
    with pytest.raises(InvalidPersonName):
        create_person("ada@acme.example", name=name, by=SYSTEM)
    with pytest.raises(InvalidPersonName):
        save_settings(cast.admin, name=name, language="", time_zone="", theme="system", by=SYSTEM)
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


def test_too_many_marks_upon_a_letter_are_one_refusal_whoever_is_called_so(cast, client_for):
    """Programs know it by its code."""
    name = "N" + "\N{COMBINING VERTICAL LINE ABOVE}\N{ZERO WIDTH JOINER}" * 9
    settings = {"language": "", "time_zone": "", "theme": "system"}
    for verb in (
        lambda: create_person("ada@acme.example", name=name, by=SYSTEM),
        lambda: save_settings(cast.admin, name=name, by=SYSTEM, **settings),
        lambda: create_provider("marks", name, by=SYSTEM),
        lambda: create_customer("marks", name, provider=players.provider("northwind"), by=SYSTEM),
        lambda: create_mailbox(players.customer("acme"), name=name, by=SYSTEM),
    ):
        with pytest.raises(TooManyMarks, match="fewer") as refusal:
            verb()
        assert (refusal.value.code, refusal.value.status, refusal.value.field) == (
            "too-many-marks",
            422,
            "name",
        )
    page = client_for(cast.admin).post("/settings/", {"name": name, **settings})
    assert page.context["form"].errors["name"] == [TooManyMarks().message]


@pytest.mark.parametrize(
    "name",
    [
        "\N{RIGHT-TO-LEFT ISOLATE}\u05d0\N{POP DIRECTIONAL ISOLATE} Ada",
        "Z" + "\N{COMBINING VERTICAL LINE ABOVE}" * 8,
    ],
)
def test_a_name_may_hold_what_leaves_the_rest_of_the_page_alone(cast, name):
    person, _ = create_person("ada@acme.example", name=name, by=SYSTEM)
    assert person.name == name


ADDRESSES = [
    "Your account is locked: https://evil.example",
    "www.evil",
    "ada@evil.example",
    "Go to evil。example now",
    "evil.ⓒom",
    "evil\u2024ex\N{SOFT HYPHEN}ample",
    "see evil\u2065.example",
    "evil.\ufff0example",
    "evil.ex\N{MATHEMATICAL BOLD SMALL A}mple",
    "ada\uff20evil",
    "\uff57\uff57\uff57。evil",
    "उदाहरण.कॉम",
    "https\uff1a//evil",
    "evil:8080",
    "tel:110",
    r"\\evil\share",
    "Call +49 (0)30 / 123-45",
    "①②③ 456 789",
    "192。0。2。7",
    "i\N{HEAVY BLACK HEART}.evil",
    "\N{PILE OF POO}.evil",
    "éhttps://evil",
    "Ada(ada@evil",
]


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_name_leads_nobody_anywhere(cast, name):
    with pytest.raises(InvalidPersonName, match="address"):
        save_settings(cast.admin, name=name, language="", time_zone="", theme="system", by=SYSTEM)
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


@pytest.mark.parametrize(
    "name",
    [
        "Zoë\N{NO-BREAK SPACE}Ada",
        "Dr. J.R. Smith-Jones",
        "Mehr\N{ZERO WIDTH NON-JOINER}dad",
        "अनुपम. शर्मा",
        "Louis XIV. (2026)",
        "Team: Ada",
        "",
    ],
)
def test_a_name_is_written_as_its_language_writes(cast, client_for, name):
    client_for(cast.admin).post("/settings/", {"name": name})
    cast.admin.refresh_from_db()
    assert cast.admin.name == name


def test_nobody_sees_what_unicode_says_is_to_be_ignored():
    """A table of Unicode's that is not ours, and newer than Python's, says the same."""
    ignored = [char for char in map(chr, range(0x110000)) if IGNORABLE.fullmatch(char)]
    assert len(ignored) > 4000 and visible("".join(ignored)) == ""


NOTHING_TO_SEE = [
    "\N{HANGUL FILLER}",
    "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}",
    "\N{HALFWIDTH HANGUL FILLER} \N{ZERO WIDTH JOINER}",
    "\N{BRAILLE PATTERN BLANK}",
    "\U00016fe4",  # KHITAN SMALL SCRIPT FILLER
    "\U00013441\U00013442",  # EGYPTIAN HIEROGLYPH FULL BLANK, HALF BLANK
    "\N{NO-BREAK SPACE}\N{COMBINING ACUTE ACCENT}",
]


@pytest.mark.parametrize("name", NOTHING_TO_SEE)
def test_a_name_has_something_to_see_whoever_is_called_so(cast, client_for, name):
    """A row, a mail and a line of the trail would name nobody."""
    settings = {"language": "", "time_zone": "", "theme": "system"}
    page = client_for(cast.admin).post("/settings/", {"name": name, **settings})
    assert "that people can see" in page.content.decode()
    with pytest.raises(InvalidPersonName, match="people can see"):
        create_person("ada@acme.example", name=name, by=SYSTEM)
    for verb in (
        lambda: create_provider("nothing", name, by=SYSTEM),
        lambda: create_customer("nothing", name, provider=players.provider("northwind"), by=SYSTEM),
        lambda: create_mailbox(players.customer("acme"), name=name, by=SYSTEM),
    ):
        with pytest.raises(Refusal, match="people can see"):
            verb()
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


def test_a_name_whose_letters_stand_for_many_is_refused_before_they_do(cast):
    """One that stands for eighteen, in a form as long as a form may be: seconds, with all threads waiting."""
    began = time.process_time()
    with pytest.raises(InvalidPersonName):
        create_person(
            "ada@acme.example", name="\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 340_000, by=SYSTEM
        )
    assert time.process_time() - began < 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("letters", ["a", "a-", "a.", "1.", "1 ", "!"])
def test_a_name_of_any_length_is_judged_before_anybody_notices(cast, client_for, letters):
    """Hours of work, if it took the square of it, while all threads of the process wait."""
    page = client_for(cast.admin).post("/settings/", {"name": letters * 400_000})
    assert "at most 100" in page.content.decode()
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


def test_the_settings_say_so_beside_the_name(cast, client_for):
    answer = client_for(cast.admin).post("/settings/", {"name": TRICK})
    assert "line breaks" in answer.context["form"].errors["name"][0]
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


def test_the_administration_takes_no_such_name_either(cast, client_for):
    page = f"/admin/accounts/user/{cast.admin.pk}/change/"
    answer = client_for(cast.staff, host=None).post(
        page, {"email": cast.admin.email, "name": TRICK, "theme": "system", "is_active": "on"}
    )
    assert "line breaks" in answer.content.decode()
    cast.admin.refresh_from_db()
    assert cast.admin.name == "Admin"


def test_only_staff_have_rights_in_the_administration(db):
    person, _ = create_person("ada@acme.example", by=SYSTEM)
    staff, _ = create_person("grace@gatehouse.example", staff=True, by=SYSTEM)
    assert (person.is_staff, person.is_superuser) == (False, False)
    assert (staff.is_staff, staff.is_superuser) == (True, True)
