"""One name, one mailbox: names that people can't tell apart are one, and a name stays in its row."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.errors import TooManyMarks
from mailboxes import errors, services
from mailboxes.models import Mailbox

# The last steps before names had to differ, and before some letters were known to be blank.
BEFORE_ONE_NAME = "0006_publish_unfinished_jobs"
BEFORE_BLANKS = "0008_which_damage"

ONE = [
    ("B\N{LATIN SMALL LETTER U WITH DIAERESIS}ro", "Bu\N{COMBINING DIAERESIS}ro"),
    ("mb one", "mb  one"),
    ("mb one", "mb\N{IDEOGRAPHIC SPACE}one"),
    ("mb one", "mb one\N{ZERO WIDTH SPACE}"),
    ("mb one", "\N{WORD JOINER}mb one"),
    ("mb one", "mb\N{SOFT HYPHEN} one"),
    ("mb one", "mb one\N{HANGUL FILLER}"),
    ("mb one", "mb\N{COMBINING GRAPHEME JOINER} one"),
    ("mb one", "mb one\N{VARIATION SELECTOR-16}"),
    ("mb one", "mb one\N{TAG SPACE}"),
    ("mb one", "mb\u2065 one"),
    ("mb one", "mb one\ufff8"),
    ("mb one", "mb\N{OBJECT REPLACEMENT CHARACTER} one"),
    ("mb one", "mb\U000e0fff one"),
    ("mb one", "mb\U00016fe4 one"),  # KHITAN SMALL SCRIPT FILLER
    ("mb one", "mb\U00013440 one"),
    ("mb one", "mb\N{BRAILLE PATTERN BLANK}one"),
    ("mb one", "mb\N{HANGUL FILLER}one"),
    ("mb one", "mb\U00013441one"),  # EGYPTIAN HIEROGLYPH FULL BLANK
    ("mb one", "MB O\N{FULLWIDTH LATIN SMALL LETTER N}e"),
    ("Straße", "STRASSE"),
    ("file", "ﬁle"),
    ("mb 1", "mb ①"),
    ("ΟΔΟΣ", "οδος"),
]
FINE = [
    "می\N{ZERO WIDTH NON-JOINER}خواهم",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER} desk",
    "Việt Nam",
    "x\N{RIGHT-TO-LEFT ISOLATE}abc\N{POP DIRECTIONAL ISOLATE}",
    "དཔལ་སྒྲུབ",
    "שָׁלוֹם",
    "ปี่",
]


def migrate(to=None):
    """Back to a migration, or on to the last: today's models and verbs need today's columns."""
    with connection.cursor() as cursor:  # or it can't change tables, in the one transaction that the test is
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor = MigrationExecutor(connection)
    executor.migrate([("mailboxes", to)] if to else executor.loader.graph.leaf_nodes("mailboxes"))


def names(customer):
    with tenant_context(customer):
        return list(Mailbox.objects.order_by("created_at").values_list("name", flat=True))


@pytest.mark.parametrize(("first", "second"), ONE)
def test_a_name_that_looks_like_anothers_is_taken(acme, make_mailbox, first, second):
    make_mailbox(first)
    other = make_mailbox("Another")
    with pytest.raises(errors.NameTaken):
        make_mailbox(second)
    with pytest.raises(errors.NameTaken):
        services.edit_mailbox(acme, other.mailbox, by=SYSTEM, name=second, description="")
    assert names(acme) == [first, "Another"]


def test_what_looks_different_is_different_and_is_kept_as_it_was_typed(acme, make_mailbox):
    for name in FINE:
        make_mailbox(name)
    assert names(acme) == FINE


def test_a_mailbox_may_write_its_own_name_in_another_way(acme, make_mailbox):
    made = make_mailbox("Journal")
    services.edit_mailbox(acme, made.mailbox, by=SYSTEM, name="JOURNAL", description="")
    assert names(acme) == ["JOURNAL"]
    with pytest.raises(errors.NameTaken):
        make_mailbox("journal")


@pytest.mark.parametrize("join", ["", "\N{ZERO WIDTH JOINER}"])
@pytest.mark.parametrize("mark", ["\N{COMBINING ACUTE ACCENT}", "\N{COMBINING ENCLOSING CIRCLE}"])
def test_a_tower_of_marks_is_refused_with_what_to_do(acme, make_mailbox, mark, join):
    with pytest.raises(TooManyMarks, match="fewer"):
        make_mailbox("z" + (mark + join) * 45)
    assert names(acme) == []


@pytest.mark.parametrize(
    "name",
    [
        "\N{HANGUL FILLER}",
        "\N{BRAILLE PATTERN BLANK}",
        "\U00016fe4\U00013441",
        "\N{COMBINING ACUTE ACCENT}",
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 100,
    ],
)
def test_what_nobody_sees_or_what_stands_for_a_page_is_no_name(make_mailbox, name):
    with pytest.raises(errors.InvalidName):
        make_mailbox(name)


def test_mailboxes_that_shared_a_name_before_the_rule_keep_it_and_go_on(acme, make_mailbox):
    first, second = make_mailbox("Büro"), make_mailbox("Something else")
    with tenant_context(acme):
        migrate(BEFORE_ONE_NAME)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mailboxes_mailbox SET name = %s WHERE id = %s",
                ["Bu\N{COMBINING DIAERESIS}ro", second.mailbox.pk],
            )
        migrate()
    assert [name.casefold() for name in names(acme)] == ["büro", "bu\N{COMBINING DIAERESIS}ro"]
    with tenant_context(acme):
        second.mailbox.refresh_from_db()
    services.edit_mailbox(
        acme, second.mailbox, by=SYSTEM, name=second.mailbox.name, description="x", status="suspended"
    )
    services.edit_mailbox(acme, first.mailbox, by=SYSTEM, name="Head office", description="")
    with pytest.raises(errors.NameTaken):
        make_mailbox("BÜRO")
    services.edit_mailbox(acme, second.mailbox, by=SYSTEM, name="Branch office", description="")
    make_mailbox("BÜRO")


def test_mailboxes_whose_names_differ_in_what_is_known_since_to_be_invisible_keep_them_and_hold_them(
    acme, make_mailbox
):
    made = [make_mailbox(name).mailbox for name in ("journal", "b", "c", "d")]
    typed = dict(zip(made[1:], ("jour\u2065nal", "Arc\ufff8hive", "Head\u2800office"), strict=True))
    with tenant_context(acme):
        migrate(BEFORE_BLANKS)
        for mailbox, name in typed.items():  # as the release before wrote them
            Mailbox.objects.filter(pk=mailbox.pk).update(name=name, canonical_name=name.lower())
        migrate()
    assert names(acme) == ["journal", *typed.values()]
    for taken in ("Journal", "archive", "head office"):
        with pytest.raises(errors.NameTaken):
            make_mailbox(taken)
    with tenant_context(acme):
        made[1].refresh_from_db()
    services.edit_mailbox(acme, made[1], by=SYSTEM, name=made[1].name, description="It goes on.")


def test_a_name_that_an_older_rule_took_stays_while_the_rest_is_edited(acme, make_mailbox):
    make_mailbox("A B")
    old = make_mailbox("other").mailbox
    with tenant_context(acme):
        Mailbox.objects.filter(pk=old.pk).update(name="A\u3164B", canonical_name=f"\n{old.pk}")
        old.refresh_from_db()
    edited = services.edit_mailbox(
        acme, old, by=SYSTEM, name=old.name, description="It goes on.", status="suspended"
    )
    assert (edited.name, edited.description, edited.status) == ("A\u3164B", "It goes on.", "suspended")


def test_what_only_an_older_copy_of_the_mailbox_has_is_held_to_todays_rule(acme, make_mailbox):
    mailbox = make_mailbox("journal").mailbox
    copy = Mailbox(pk=mailbox.pk, name="A\nB", description="for \u202eyap")
    for typed, refusal in (
        ({"name": copy.name}, errors.InvalidName),
        ({"name": "journal", "description": copy.description}, errors.InvalidDescription),
    ):
        with pytest.raises(refusal):
            services.edit_mailbox(acme, copy, by=SYSTEM, **typed)


def test_what_an_older_rule_took_of_a_mailbox_is_kept_and_what_is_typed_anew_is_held_to_todays(
    acme, make_mailbox
):
    old = make_mailbox("journal").mailbox
    kept = {"description": "for \u202eyap", "reason": "since\u2028Monday"}
    with tenant_context(acme):
        Mailbox.objects.filter(pk=old.pk).update(
            status="suspended", description=kept["description"], suspension_reason=kept["reason"]
        )
        old.refresh_from_db()
    edited = services.edit_mailbox(acme, old, by=SYSTEM, name="Archive", status="suspended", **kept)
    assert (edited.name, edited.description, edited.suspension_reason) == ("Archive", *kept.values())
    for field, refusal in (("description", errors.InvalidDescription), ("reason", errors.InvalidReason)):
        with pytest.raises(refusal):
            services.edit_mailbox(
                acme, edited, by=SYSTEM, name="A", status="suspended", **kept | {field: "\u202eyap"}
            )
