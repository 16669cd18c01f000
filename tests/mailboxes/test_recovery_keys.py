"""The recovery key as it stands on paper, and as somebody types it who reads it off there."""

import pytest
from django.core.management import CommandError, call_command

from mailboxes.backup.errors import NoRecoveryKey
from mailboxes.backup.keys import new_recovery_key, recovery_key
from portal.doctor.findings import Level
from portal.doctor.parts import store_works
from tests.breaking.workers import environment_of_processes
from tests.environment import BARE
from tests.terminal import Terminal

# docs/formats/backup.md, of the octets 0 to 31.
PAPER = "AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT-CQKR-MFYY-DENB-WHA5-DYPQ-AL23"
SEED = bytes(range(32))


@pytest.mark.parametrize(
    "typed",
    [
        PAPER,
        PAPER.lower().replace("-", " "),
        f"  {PAPER.replace('-', '')}\n",
        PAPER.replace("O", "0").replace("I", "1").replace("B", "8"),
        PAPER[:-5],  # as papers were before there was a check
    ],
    ids=["as it stands", "small, with blanks", "in one", "look-alikes", "an old paper"],
)
def test_it_is_read_as_people_type_it(typed):
    assert recovery_key(typed).seed() == SEED


def test_a_new_one_has_a_last_group_that_fits():
    _, paper = new_recovery_key()
    assert [len(group) for group in paper.split("-")] == [4] * 14
    assert recovery_key(paper).seed() == recovery_key(paper[:-5]).seed()


def other(symbol):
    return "A" if symbol != "A" else "B"


@pytest.mark.parametrize("at", [number for number, symbol in enumerate(PAPER) if symbol != "-"])
def test_one_wrong_symbol_is_told_as_a_slip_and_not_as_another_key(at):
    with pytest.raises(NoRecoveryKey, match="is mistyped: its last group does not fit"):
        recovery_key(PAPER[:at] + other(PAPER[at]) + PAPER[at + 1 :])


def test_two_groups_that_change_places_are_told_as_a_slip():
    first, second, *rest = PAPER.split("-")
    with pytest.raises(NoRecoveryKey, match="is mistyped"):
        recovery_key("-".join([second, first, *rest]))


@pytest.mark.parametrize(
    "typed",
    ["", "AAAA", PAPER[:-1], PAPER + "-AAAA", PAPER.replace("A", "9"), PAPER.replace("A", "Ä"), "🔑" * 56],
)
def test_what_is_no_key_at_all_is_refused_with_the_number_of_its_symbols(typed):
    with pytest.raises(NoRecoveryKey, match="it has 56 letters and digits") as refused:
        recovery_key(typed)
    assert typed not in str(refused.value) or not typed


# --- Before it is asked for ---
@pytest.mark.parametrize("typed", [["restore"], ["restore", "--customer", "acme"]], ids=" ".join)
def test_that_the_folder_of_the_message_store_is_missing_is_said_before_it_is_asked_for(
    operator, acme_mailbox, fill, settings, typed
):
    fill(b"A mail.")
    operator.backs_up()
    missing = settings.STORE_ROOT.with_name("elsewhere")
    settings.STORE_ROOT.rename(missing)
    command, *rest = typed
    with pytest.raises(CommandError) as refused:
        call_command(command, operator.place, *rest)  # nobody types a key: it would be missed
    assert str(refused.value) == (
        f"The message store: There is no folder {settings.STORE_ROOT}. Mount it, or make it."
    )
    (finding,) = [found for found in store_works() if found.level == Level.ERROR]
    assert finding.seen == f"There is no folder {settings.STORE_ROOT}." and "Mount it" in finding.advice


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param(
            ["restore", "{place}", "--set", "nosuch"], "There is no whole backup nosuch in", id="set"
        ),
        pytest.param(["restore", "{place}"], "There is no whole backup in", id="none"),
        pytest.param(["restore", "{place}/mistyped"], "There is no folder", id="place"),
        pytest.param(
            ["restore", "{place}", "--customer", "acme", "--set", "nosuch"],
            "no whole backup nosuch",
            id="one",
        ),
        pytest.param(["restore", "{place}", "--secrets-to", "{there}"], "it is there already", id="secrets"),
        pytest.param(
            ["restore", "{place}", "--secrets-to", "/no/such/file"], "no folder /no/such", id="folder"
        ),
        pytest.param(
            ["import_customer", "{place}", "--set", "nosuch"], "no whole backup nosuch", id="import"
        ),
    ],
)
def test_what_can_be_said_without_it_is_said_before_it_is_asked_for(db, tmp_path, typed, said):
    """It is on paper, in a safe, and long."""
    (tmp_path / "there").touch()
    (tmp_path / "place").mkdir()
    words = [word.format(place=(tmp_path / "place").as_uri(), there=tmp_path / "there") for word in typed]
    terminal = Terminal(*words, **BARE | environment_of_processes())
    assert terminal.ends() == 1
    assert "Recovery key" not in terminal.said
    (line,) = [line for line in terminal.said.splitlines() if "CommandError: " in line]
    assert said in line
