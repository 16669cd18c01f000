"""The recovery key as it stands on paper, and as somebody types it who reads it off there."""

import pytest

from mailboxes.backup.errors import NoRecoveryKey
from mailboxes.backup.keys import new_recovery_key, recovery_key

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
