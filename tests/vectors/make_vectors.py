"""Make the test vectors anew: `python -m tests.vectors.make_vectors`.

Sealing is randomised, so each run gives other octets and the same expectations. What a vector says is released
before its failure is stated here by hand, never read off the code under test.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailboxes.vault import (
    Cost,
    LockContext,
    MessageContext,
    PrivateKey,
    lock_to_key,
    lock_with_password,
    seal,
)
from mailboxes.vault.container import CHUNK_OCTETS, FRAME, HEADER_OCTETS, binding, nonce, parse_header
from mailboxes.vault.passwords import parse_password
from mailboxes.vault.primitives import hpke_open

HERE = Path(__file__).parent
STEP = CHUNK_OCTETS + FRAME.size + 16
COSTS = {"0_1": Cost(memory_kib=65536, passes=3, lanes=4), "0_2": Cost(memory_kib=4096, passes=1, lanes=1)}
CHEAP = Cost(memory_kib=64, passes=1, lanes=1)  # for tests only
PASSWORD = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSCT"
OTHER_PASSWORD = "79W1-11VH-4974-VRD5-N1R5-SN2S-BTF9"
IDS = {
    "customer": "11111111-1111-4111-8111-111111111111",
    "mailbox": "22222222-2222-4222-8222-222222222222",
    "message": "33333333-3333-4333-8333-333333333333",
}
OTHER = "99999999-9999-4999-8999-999999999999"
SEEDS = {"mailbox": bytes(range(32)), "other": bytes(range(32, 64)), "workers": bytes(range(64, 96))}
KEYS = {name: PrivateKey.from_seed(seed) for name, seed in SEEDS.items()}
MESSAGE = MessageContext(**{name: UUID(text) for name, text in IDS.items()})
PLACE = LockContext(MESSAGE.customer, MESSAGE.mailbox)
SIZES = {"empty": 0, "one-octet": 1, "one-chunk": CHUNK_OCTETS, "three-chunks": 2 * CHUNK_OCTETS + 100}

Change = list[Any]


def plaintext(octets: int) -> bytes:
    """The message of every container: as much of SHAKE128("gatehouse") as it is long."""
    return hashlib.shake_128(b"gatehouse").digest(octets)


def main() -> None:
    for folder in ("containers", "sealed", "locks", "passwords"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    containers = {name: b"".join(seal([plaintext(size)], KEYS["mailbox"].public, context=MESSAGE))
                  for name, size in SIZES.items()}  # fmt: skip
    for name, octets in containers.items():
        (HERE / "containers" / f"{name}.sealed").write_bytes(octets)
    for vector in [*whole_messages(), *bad_headers(containers), *bad_chunks(containers["three-chunks"])]:
        write("sealed", vector)
    for vector in [*good_locks(), *bad_password_locks(), *bad_key_locks()]:
        write("locks", vector)
    for vector in passwords():
        write("passwords", vector)


def write(folder: str, vector: dict[str, Any]) -> None:
    path = HERE / folder / f"{vector['name']}.json"
    if path.exists():
        raise ValueError(path)
    path.write_text(json.dumps(vector, indent=1) + "\n")


# --- Sealed messages ---
def sealed(
    name: str, ending: str, *changes: Change, container: str = "three-chunks", released: int = 0, key: str = "mailbox",
    **ids: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "container": f"{container}.sealed",
        "changes": list(changes),
        "key": SEEDS[key].hex(),
        **IDS,
        **ids,
        "released": {"octets": released, "sha256": hashlib.sha256(plaintext(released)).hexdigest()},
        "ending": ending,
    }


def whole_messages() -> Iterable[dict[str, Any]]:
    for name, size in SIZES.items():
        yield sealed(f"whole_{name}", "whole", container=name, released=size)


def bad_headers(containers: dict[str, bytes]) -> Iterable[dict[str, Any]]:
    yield sealed("no_input", "truncated", ["cut", 0])
    yield sealed("not_a_container", "bad-magic", ["flip", 0, 0])
    yield sealed("not_a_container_and_short", "bad-magic", ["flip", 0, 0], ["cut", 3])
    yield sealed("cut_in_magic", "truncated", ["cut", 5])
    yield sealed("cut_after_magic", "truncated", ["cut", 8])
    yield sealed("version_2", "unknown-version", ["replace", 8, 1, "02"], ["recheck"])
    yield sealed("version_2_and_short", "unknown-version", ["replace", 8, 1, "02"], ["cut", 20])
    yield sealed("cut_in_header", "truncated", ["cut", HEADER_OCTETS - 1])
    yield sealed("suite_2", "unknown-suite", ["replace", 9, 1, "02"], ["recheck"])
    yield sealed("suite_flipped", "header-tampered", ["flip", 9, 1])
    yield sealed("key_id_flipped", "header-tampered", ["flip", 10, 0])
    yield sealed("customer_name_flipped", "header-tampered", ["flip", 26, 7])
    yield sealed("mailbox_name_flipped", "header-tampered", ["flip", 34, 0])
    yield sealed("message_name_flipped", "header-tampered", ["flip", 42, 0])
    yield sealed("encapsulation_flipped", "header-tampered", ["flip", 50, 0])
    yield sealed("encapsulation_flipped_and_rechecked", "header-tampered", ["flip", 50, 0], ["recheck"])
    yield sealed("content_key_flipped_and_rechecked", "header-tampered", ["flip", 1170, 0], ["recheck"])
    yield sealed("check_flipped", "header-tampered", ["flip", HEADER_OCTETS - 1, 0])
    yield sealed("wrong_customer", "wrong-customer", customer=OTHER)
    yield sealed("wrong_mailbox", "wrong-mailbox", mailbox=OTHER)
    yield sealed("wrong_message", "wrong-message", message=OTHER)
    yield sealed("wrong_key", "wrong-key", key="other")
    # A forger who knows the format rewrites what the header says about itself; the seal does not follow.
    for at, octets, what in ((26, 8, "customer"), (34, 8, "mailbox"), (42, 8, "message")):
        moved = MessageContext(**{name: UUID(IDS[name] if name != what else OTHER) for name in IDS})
        theirs = b"".join(seal([b""], KEYS["mailbox"].public, context=moved))[at : at + octets].hex()
        changes = ["replace", at, octets, theirs], ["recheck"]
        yield sealed(f"renamed_to_another_{what}", "header-tampered", *changes, **{what: OTHER})
    other_id = KEYS["other"].key_id.hex()
    changes = ["replace", 10, 16, other_id], ["recheck"]
    yield sealed("renamed_to_another_key", "header-tampered", *changes, key="other")
    # The content key of another container under the same key and ids: opens, but proves no chunk here.
    foreign = containers["one-octet"][50:HEADER_OCTETS].hex()
    yield sealed(
        "header_of_another_container", "chunk-tampered", ["replace", 50, HEADER_OCTETS - 50, foreign]
    )


def bad_chunks(three: bytes) -> Iterable[dict[str, Any]]:
    first, second, last = (HEADER_OCTETS + number * STEP for number in range(3))
    end = len(three)
    one, two = CHUNK_OCTETS, 2 * CHUNK_OCTETS
    yield sealed("cut_after_header", "truncated", ["cut", first])
    yield sealed("cut_in_frame", "truncated", ["cut", first + 5])
    yield sealed("cut_in_first_chunk", "truncated", ["cut", first + 1000])
    yield sealed("cut_after_first_chunk", "truncated", ["cut", second], released=one)
    yield sealed("cut_after_second_chunk", "truncated", ["cut", last], released=two)
    yield sealed("cut_in_last_chunk", "truncated", ["cut", end - 50], released=two)
    yield sealed("last_octet_missing", "truncated", ["cut", end - 1], released=two)
    yield sealed("trailing_octet", "trailing-data", ["replace", end, 0, "00"], released=two)
    repeated = three[last:].hex()
    yield sealed("last_chunk_twice", "trailing-data", ["replace", end, 0, repeated], released=two)
    yield sealed("trailing_octet_after_empty", "trailing-data", ["replace", HEADER_OCTETS + 25, 0, "00"],
                 container="empty")  # fmt: skip
    yield sealed("flipped_in_first_chunk", "chunk-tampered", ["flip", first + 9, 0])
    yield sealed("flipped_in_second_chunk", "chunk-tampered", ["flip", second + 9, 0], released=one)
    yield sealed("flipped_in_tag_of_first_chunk", "chunk-tampered", ["flip", second - 1, 7])
    yield sealed("flipped_in_last_chunk", "chunk-tampered", ["flip", end - 20, 3], released=two)
    yield sealed("flipped_in_tag_of_last_chunk", "chunk-tampered", ["flip", end - 1, 0], released=two)
    yield sealed("first_chunk_missing", "out-of-order", ["replace", first, STEP, ""])
    yield sealed("second_chunk_missing", "out-of-order", ["replace", second, STEP, ""], released=one)
    # Swapping by renumbering, so that the vector stays small: what is there now claims another place.
    yield sealed("position_of_another_chunk", "out-of-order", ["replace", first + 1, 4, "00000001"])
    number = ["replace", second + 1, 4, "00000000"]
    yield sealed("position_repeated", "out-of-order", number, released=one)
    renumbered = [["replace", first, STEP, ""], ["replace", first + 1, 4, "00000000"]]
    yield sealed("first_chunk_missing_and_renumbered", "chunk-tampered", *renumbered)
    yield sealed("flag_2", "malformed-chunk", ["replace", first, 1, "02"])
    yield sealed("last_flag_on_first_chunk", "chunk-tampered", ["replace", first, 1, "01"])
    yield sealed("last_flag_on_second_chunk_and_cut", "chunk-tampered", ["replace", second, 1, "01"],
                 ["cut", last], released=one)  # fmt: skip
    yield sealed("last_flag_missing", "malformed-chunk", ["replace", last, 1, "00"], released=two)
    yield sealed("length_too_large", "malformed-chunk", ["replace", first + 5, 4, "00010001"])
    yield sealed("length_huge", "malformed-chunk", ["replace", first + 5, 4, "ffffffff"])
    yield sealed("length_of_last_chunk_smaller", "chunk-tampered", ["replace", last + 5, 4, "00000063"],
                 released=two)  # fmt: skip
    yield sealed(
        "length_of_last_chunk_larger", "truncated", ["replace", last + 5, 4, "00000065"], released=two
    )
    # Made with the content key: what a faulty writer, not a thief, could produce.
    empty_last = ["replace", last, end - last, chunk(three, 1, 2, b"")]
    yield sealed("empty_last_chunk", "malformed-chunk", empty_last, released=two)
    short_middle = ["replace", second, STEP, chunk(three, 0, 1, b"short")]
    yield sealed("short_chunk_in_the_middle", "malformed-chunk", short_middle, released=one)
    early_end = ["replace", second, end - second, chunk(three, 1, 1, b"")]
    yield sealed("empty_last_chunk_after_the_first", "malformed-chunk", early_end, released=one)


def chunk(container: bytes, flag: int, position: int, piece: bytes) -> str:
    """A chunk that proves itself in this container."""
    header = parse_header(container)
    key = hpke_open(header.sealed_key, KEYS["mailbox"].opener, binding(header.prefix, MESSAGE))
    assert key is not None
    frame = FRAME.pack(flag, position, len(piece))
    return (frame + AESGCM(key).encrypt(nonce(frame), piece, header.digest)).hex()


# --- Locks ---
def lock(name: str, ending: str, octets: bytes, kind: str, opener: str, **ids: str) -> dict[str, Any]:
    """`opener` is the password of a password lock, the recipient's seed of a key lock."""
    place = {"customer": IDS["customer"], "mailbox": IDS["mailbox"], **ids}
    return {"name": name, "kind": kind, "lock": octets.hex(), "opener": opener, **place,
            "seed": SEEDS["mailbox"].hex() if ending == "opens" else None, "ending": ending}  # fmt: skip


def password_lock() -> bytes:
    return lock_with_password(KEYS["mailbox"], parse_password(PASSWORD), context=PLACE, cost=CHEAP)


def rechecked(octets: bytes) -> bytes:
    return octets[:-8] + hashlib.sha256(octets[:-8]).digest()[:8]


def put(octets: bytes, at: int, new: bytes) -> bytes:
    return octets[:at] + new + octets[at + len(new) :]


def flipped(octets: bytes, at: int) -> bytes:
    return put(octets, at, bytes([octets[at] ^ 1]))


def good_locks() -> Iterable[dict[str, Any]]:
    yield lock("opens_password", "opens", password_lock(), "password", PASSWORD)
    for release, cost in COSTS.items():
        octets = lock_with_password(KEYS["mailbox"], parse_password(PASSWORD), context=PLACE, cost=cost)
        yield lock(f"opens_password_at_the_cost_of_{release}", "opens", octets, "password", PASSWORD)
    for kind in ("successor", "worker", "recovery"):
        octets = lock_to_key(KEYS["mailbox"], KEYS["workers"].public, kind=kind, context=PLACE)  # type: ignore[arg-type]
        yield lock(f"opens_{kind}", "opens", octets, kind, SEEDS["workers"].hex())


def bad_password_locks() -> Iterable[dict[str, Any]]:
    good = password_lock()

    def case(
        name: str, ending: str, octets: bytes = good, password: str = PASSWORD, **ids: str
    ) -> dict[str, Any]:
        return lock(f"password_{name}", ending, octets, "password", password, **ids)

    yield case("wrong", "wrong-password", password=OTHER_PASSWORD)
    yield case("nothing", "truncated", b"")
    yield case("bad_magic", "bad-magic", flipped(good, 0))
    yield case("cut_in_head", "truncated", good[:42])
    yield case("cut_in_seal", "truncated", good[:-1])
    yield case("trailing_octet", "trailing-data", good + b"\0")
    yield case("version_2", "unknown-version", rechecked(put(good, 8, b"\2")))
    yield case("suite_2", "unknown-suite", rechecked(put(good, 10, b"\2")))
    worker = lock_to_key(KEYS["mailbox"], KEYS["workers"].public, kind="worker", context=PLACE)
    yield case("is_a_key_lock", "wrong-kind", worker)
    for at, what in ((11, "key_id"), (27, "customer_name"), (35, "mailbox_name"), (43, "cost"), (52, "salt"),
                     (68, "seed"), (115, "tag"), (123, "check")):  # fmt: skip
        yield case(f"{what}_flipped", "tampered", flipped(good, at))
    for at, what in ((11, "key_id"), (50, "passes"), (52, "salt"), (68, "seed"), (115, "tag")):
        yield case(f"{what}_rewritten", "wrong-password", rechecked(put(good, at, bytes([good[at] ^ 3]))))
    yield case("wrong_customer", "wrong-customer", customer=OTHER)
    yield case("wrong_mailbox", "wrong-mailbox", mailbox=OTHER)
    bad_costs = {"memory_huge": (2**32 - 1, 1, 1), "memory_tiny": (7, 1, 1), "passes_none": (64, 0, 1),
                 "passes_huge": (64, 17, 1), "lanes_none": (64, 1, 0), "lanes_huge": (4096, 1, 17)}  # fmt: skip
    for what, (memory, passes, lanes) in bad_costs.items():
        cost = memory.to_bytes(4, "big") + passes.to_bytes(4, "big") + bytes([lanes])
        yield case(what, "cost-out-of-bounds", rechecked(put(good, 43, cost)))


def bad_key_locks() -> Iterable[dict[str, Any]]:
    good = lock_to_key(KEYS["mailbox"], KEYS["workers"].public, kind="worker", context=PLACE)

    def case(
        name: str,
        ending: str,
        octets: bytes = good,
        kind: str = "worker",
        opener: str = "workers",
        **ids: str,
    ) -> dict[str, Any]:
        return lock(f"key_{name}", ending, octets, kind, SEEDS[opener].hex(), **ids)

    yield case("bad_magic", "bad-magic", flipped(good, 7))
    yield case("cut", "truncated", good[:-1])
    yield case("trailing_octet", "trailing-data", good + b"\0")
    yield case("version_2", "unknown-version", rechecked(put(good, 8, b"\2")))
    yield case("suite_2", "unknown-suite", rechecked(put(good, 10, b"\2")))
    yield case("of_another_kind", "wrong-kind", kind="successor")
    yield case("of_another_kind_rewritten", "tampered", rechecked(put(good, 9, b"\2")), kind="successor")
    yield case("is_a_password_lock", "wrong-kind", password_lock())
    yield case("for_another_recipient", "wrong-key", opener="other")
    renamed = rechecked(put(good, 43, KEYS["other"].key_id))
    yield case("for_another_recipient_rewritten", "tampered", renamed, opener="other")
    yield case("flipped", "tampered", flipped(good, 100))
    yield case("encapsulation_rewritten", "tampered", rechecked(flipped(good, 100)))
    yield case("tag_rewritten", "tampered", rechecked(flipped(good, 1226)))
    yield case("wrong_customer", "wrong-customer", customer=OTHER)
    yield case("wrong_mailbox", "wrong-mailbox", mailbox=OTHER)
    moved = lock_to_key(KEYS["mailbox"], KEYS["workers"].public, kind="worker",
                        context=LockContext(UUID(OTHER), PLACE.mailbox))  # fmt: skip
    yield case("customer_rewritten", "tampered", rechecked(put(good, 27, moved[27:35])), customer=OTHER)


# --- Passwords ---
def passwords() -> Iterable[dict[str, Any]]:
    def case(name: str, typed: str, canonical: str | None) -> dict[str, Any]:
        ending = "mistyped-password" if canonical is None else "parses"
        return {"name": name, "typed": typed, "canonical": canonical, "ending": ending}

    yield case("as_shown", PASSWORD, PASSWORD)
    yield case("another", OTHER_PASSWORD, OTHER_PASSWORD)
    yield case("small_letters", PASSWORD.lower(), PASSWORD)
    yield case("without_dashes", PASSWORD.replace("-", ""), PASSWORD)
    yield case("with_spaces", f"  {PASSWORD.replace('-', ' ')}\r\n", PASSWORD)
    yield case("with_typographic_dashes", PASSWORD.replace("-", "\u2013"), PASSWORD)
    yield case("with_no_break_spaces", PASSWORD.replace("-", "\u00a0"), PASSWORD)
    yield case("with_full_width_symbols", "".join(chr(ord(s) + 0xFEE0) for s in PASSWORD), PASSWORD)
    yield case("with_look_alikes", "o" + "I" + PASSWORD[2:], PASSWORD)
    yield case("with_u_for_v", OTHER_PASSWORD.replace("V", "u"), OTHER_PASSWORD)
    yield case("empty", "", None)
    yield case("one_symbol_short", PASSWORD[:-1], None)
    yield case("one_symbol_more", PASSWORD + "0", None)
    yield case("one_symbol_wrong", "1" + PASSWORD[1:], None)
    yield case("two_symbols_swapped", "10" + PASSWORD[2:], None)
    yield case("groups_swapped", PASSWORD[5:9] + "-" + PASSWORD[:4] + PASSWORD[9:], None)
    yield case("foreign_symbol", "*" + PASSWORD[1:], None)
    yield case("foreign_letter", "\u0416" + PASSWORD[1:], None)
    yield case("nul", "\0" + PASSWORD[1:], None)


if __name__ == "__main__":
    main()
