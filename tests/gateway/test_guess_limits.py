"""What wrong passwords cost, with Redis, without it, and when it goes away."""

import asyncio
import json
import sys
import threading
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType

import pytest
import redis

from gateway.lanes import PLACES, Lanes
from gateway.limits import WINDOW_SECONDS, GuessLimits
from gateway.pop3.maildrops import Maildrops
from gateway.pop3.replies import Refused
from gateway.threads import Threads
from mailboxes.errors import BadCredentials
from mailboxes.services.collection import open_maildrop
from mailboxes.vault import Secret, new_password
from tests.gateway.kit import SECONDS

WRONG = b"-ERR [AUTH] Login name or password is wrong\r\n"
NEIGHBOURS = json.loads((Path(__file__).parents[1] / "cases/guess-limit-neighbours.json").read_text())


def guess(limits: GuessLimits, login: str, peer: str, times: int) -> None:
    for _ in range(times):
        limits.failed(login, peer)


def allowed(limits: GuessLimits, login: str, peer: str) -> bool:
    return limits.standing(login, peer).allowed


def goes_ahead(limits: GuessLimits, login: str, peer: str) -> bool:
    return limits.standing(login, peer).goes_ahead


@pytest.fixture(params=["alone", "redis"])
def limits_of(request):
    """Limits as several processes of one installation have them; the network is this test's own."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return lambda **numbers: GuessLimits(url, **{"per_pair": 3, "per_network": 5, **numbers})


@pytest.fixture
def peer():
    return address_in(new_network())


@pytest.fixture
def elsewhere():
    return address_in(new_network())


@pytest.fixture
def name():
    return f"mbx-{uuid.uuid4().hex}"


def new_network() -> str:
    """The beginning of a /48."""
    octets = uuid.uuid4().bytes
    return f"2001:{octets[:2].hex()}:{octets[2:4].hex()}"


def address_in(network: str, number: int = 1) -> str:
    """In a /64 of its own."""
    return f"{network}:{number:x}::1"


def neighbour_of(peer: str, number: int = 2) -> str:
    """Another address of the same network."""
    return address_in(":".join(peer.split(":")[:3]), number)


def test_a_login_is_closed_to_the_network_that_failed_and_to_no_other(limits_of, name, peer, elsewhere):
    limits = limits_of()
    guess(limits, name, peer, 2)
    assert allowed(limits, name, peer)

    guess(limits, f"{name.upper()}@gateway.localhost", peer, 1)

    assert not allowed(limits, name, peer)
    assert allowed(limits, name, elsewhere), "not from elsewhere"
    assert allowed(limits, "mbx-other", peer), "and no other login"


def test_a_login_is_closed_to_strangers_after_very_many_failures_from_everywhere(limits_of, name):
    limits = limits_of(per_login=6)
    for _ in range(3):
        guess(limits, name, address_in(new_network()), 2)

    assert not allowed(limits, name, address_in(new_network()))


def test_a_network_is_closed_after_so_many_names_failed(limits_of, name, peer):
    limits = limits_of()
    for number in range(4):
        guess(limits, f"{name}-{number}", peer, 3)
    assert allowed(limits, f"{name}-9", peer), (
        "the same names fail for ever, as archivers with old passwords do"
    )
    guess(limits, f"{name}-4", peer, 1)

    assert not allowed(limits, f"{name}-9", neighbour_of(peer))
    assert allowed(limits, f"{name}-9", address_in(new_network()))


def test_who_signed_in_lately_is_not_refused_for_what_others_do(limits_of, name, peer):
    limits = limits_of(per_login=10, per_proven=4)
    limits.succeeded(name, peer)
    for number in range(9):
        guess(limits, f"{name}-{number}", peer, 1)
    guess(limits, name, neighbour_of(peer), 12)

    assert allowed(limits, name, peer)
    assert goes_ahead(limits, name, peer)
    assert not allowed(limits, name, neighbour_of(peer)), "who guesses beside it is refused"
    assert allowed(limits, name, neighbour_of(peer, 3)), "who comes from a third address is not"
    guess(limits, name, peer, 3)
    assert allowed(limits, name, peer), "an outdated password may be tried often"
    assert not goes_ahead(limits, name, peer), "but not before those who don't guess"
    guess(limits, name, peer, 1)
    assert not allowed(limits, name, peer), "and its own failures have an end"


def test_a_network_where_somebody_signed_in_has_a_ceiling_all_the_same(limits_of, name, peer):
    limits = limits_of(per_proven=6)
    limits.succeeded(name, peer)
    guess(limits, name, neighbour_of(peer, 2), 3)
    guess(limits, name, f"{neighbour_of(peer, 2)[:-1]}ffff", 9)
    assert allowed(limits, name, neighbour_of(peer, 3)), "addresses of one /64 are one"
    guess(limits, name, neighbour_of(peer, 3), 3)

    assert not allowed(limits, name, neighbour_of(peer, 4))
    assert allowed(limits, name, peer), "but not for the address that signed in"


def test_one_network_does_not_use_up_what_all_may_do(limits_of, name, peer, elsewhere):
    limits = limits_of(per_login=6)
    limits.succeeded(name, peer)
    for number in range(2, 8):
        guess(limits, name, neighbour_of(peer, number), 3)
    assert allowed(limits, name, elsewhere)
    guess(limits, name, address_in(new_network()), 3)

    assert not allowed(limits, name, elsewhere)


def test_an_address_that_signed_in_lately_answers_for_itself_not_for_its_network(limits_of, name, peer):
    """An archiver gets a new mailbox while its neighbour guesses."""
    limits, new = limits_of(), f"{name}-new"
    limits.succeeded(name, peer)
    guess(limits, new, neighbour_of(peer), 3)
    for number in range(4):
        guess(limits, f"{name}-{number}", neighbour_of(peer), 1)

    assert allowed(limits, new, peer)
    assert not allowed(limits, f"{name}-9", neighbour_of(peer, 3))
    for number in range(10, 15):
        guess(limits, f"{name}-{number}", peer, 1)
    assert not allowed(limits, f"{name}-new", peer), "its own guesses have an end"


def test_an_address_that_signed_in_lately_costs_its_neighbours_nothing(limits_of, name, peer):
    limits = limits_of()
    limits.succeeded(name, peer)
    for number in range(9):
        guess(limits, f"{name}-{number}", peer, 1)

    assert allowed(limits, f"{name}-10", neighbour_of(peer))


def test_outdated_passwords_are_no_guessing_at_names(limits_of, name, peer):
    """All passwords of an archiver are reset, and then it gets a new mailbox."""
    limits = limits_of()
    for number in range(9):
        limits.succeeded(f"{name}-{number}", peer)
        guess(limits, f"{name}-{number}", peer, 2)

    assert allowed(limits, f"{name}-new", peer)


def test_a_process_remembers_a_bounded_number(name, peer, elsewhere):
    limits = GuessLimits(None, per_pair=3, kept=9)
    limits.succeeded(name, peer)
    guess(limits, f"{name}-other", elsewhere, 3)
    for number in range(9):
        limits.succeeded(f"{name}-{number}", elsewhere)
        guess(limits, f"{name}-{number}", elsewhere, 1)

    assert allowed(limits, f"{name}-other", elsewhere), "the oldest failures are forgotten"
    guess(limits, name, peer, 3)
    assert limits.knows(name, peer), "but no network makes another forgotten"
    assert not limits.knows(f"{name}-0", elsewhere)


def test_a_success_vouches_for_its_own_name_and_network_only(limits_of, name, peer, elsewhere):
    limits = limits_of()
    limits.succeeded(name, peer)
    for place in (peer, elsewhere):
        guess(limits, name, place, 3)
        guess(limits, f"{name}-other", place, 3)

    assert allowed(limits, name, peer)
    assert not allowed(limits, name, elsewhere)
    assert not allowed(limits, f"{name}-other", peer)


def test_a_success_is_forgotten_after_two_weeks(name, peer):
    now = [0.0]
    limits = GuessLimits(None, per_pair=3, clock=lambda: now[0])
    limits.succeeded(name, peer)
    guess(limits, name, peer, 3)
    assert allowed(limits, name, peer)

    now[0] = 15 * 24 * 3600
    guess(limits, name, peer, 3)

    assert not allowed(limits, name, peer)


def test_who_is_a_stranger_again_answers_for_what_it_did_before(name, peer):
    now = [0.0]
    limits = GuessLimits(None, per_pair=3, clock=lambda: now[0])
    limits.succeeded(name, peer)
    now[0] = 14 * 24 * 3600 - 1
    guess(limits, name, peer, 10)

    now[0] += 301

    assert not allowed(limits, name, peer)


def test_failures_fade_away_within_twenty_minutes(name, peer):
    now = [0.0]
    limits = GuessLimits(None, per_pair=3, clock=lambda: now[0])
    guess(limits, name, peer, 3)
    now[0] = 600
    assert not allowed(limits, name, peer)

    now[0] = 600 + 201

    assert allowed(limits, name, peer)
    guess(limits, name, peer, 1)
    assert not allowed(limits, name, peer), "one of three has faded"
    now[0] = 1200
    assert allowed(limits, name, peer)
    guess(limits, name, peer, 1)
    assert allowed(limits, name, peer), "and then all three"


def test_asking_and_succeeding_count_nothing(limits_of, name, peer):
    limits = limits_of()

    assert all(allowed(limits, name, peer) for _ in range(50))


def test_processes_count_together_and_know_who_signed_in(redis_url, name, peer, elsewhere):
    one, other = (GuessLimits(redis_url, per_pair=3) for _ in range(2))

    one.succeeded(name, elsewhere)
    guess(one, name, peer, 3)
    guess(one, name, elsewhere, 3)

    assert not allowed(other, name, peer)
    assert allowed(other, name, elsewhere)


def test_without_redis_each_process_still_counts_and_remembers(name, peer, elsewhere, tmp_path, caplog):
    limits = GuessLimits(f"unix://{tmp_path}/nothing.sock", per_pair=3)

    limits.succeeded(name, elsewhere)
    guess(limits, name, elsewhere, 3)
    guess(limits, name, peer, 2)
    assert allowed(limits, name, peer)
    guess(limits, name, peer, 1)

    assert not allowed(limits, name, peer)
    assert allowed(limits, name, elsewhere)
    assert caplog.text.count("Redis failed") == 1, "and does not ask Redis again at every turn"


@pytest.fixture
def stranger_in_redis(redis_url):
    """Writes a value under all names under which Redis has counts."""
    server = redis.Redis.from_url(redis_url)

    def spoil(write) -> None:
        for key in list(server.scan_iter("gatehouse-failed/*")):
            server.delete(key)
            write(server, key)

    yield spoil
    for key in server.scan_iter("gatehouse-failed/*"):
        server.delete(key)


def test_redis_vouches_for_archivers_and_refuses_none(redis_url, stranger_in_redis, name, peer):
    now = [time.time()]
    one, other = (GuessLimits(redis_url, per_pair=3, clock=lambda: now[0]) for _ in range(2))
    one.succeeded(name, peer)
    guess(one, name, peer, 1)
    guess(one, f"{name}-other", peer, 1)
    guess(one, name, neighbour_of(peer), 1)

    stranger_in_redis(lambda server, key: server.set(key, "999999"))

    for limits in (one, other):
        assert allowed(limits, name, peer)
        assert goes_ahead(limits, name, peer)
        assert allowed(limits, name, neighbour_of(peer))
        assert not allowed(limits, f"{name}-other", peer), "only where nobody did"
    now[0] += 2 * WINDOW_SECONDS
    assert allowed(other, f"{name}-other", peer), "and not for long, although the keys are still there"


@pytest.mark.parametrize(
    "write",
    [
        lambda server, key: server.rpush(key, 9e18),
        lambda server, key: server.hset(key, "9", "9"),
        lambda server, key: server.set(key, "many"),
        lambda server, key: server.set(key, "-9"),
        lambda server, key: server.set(key, f"{'9' * 100_000}"),
    ],
    ids=["list", "hash", "text", "negative", "long"],
)
def test_what_is_no_count_in_redis_spoils_that_count_and_no_other(
    redis_url, stranger_in_redis, name, peer, elsewhere, write, caplog
):
    one, other = (GuessLimits(redis_url, per_pair=3) for _ in range(2))
    guess(one, name, peer, 1)
    stranger_in_redis(write)

    guess(one, name, peer, 1)
    guess(one, name, elsewhere, 3)

    assert not allowed(other, name, elsewhere)
    guess(one, name, peer, 1)
    assert not allowed(one, name, peer), "each process counts for itself all the same"
    assert "Redis failed" not in caplog.text


def test_neither_names_nor_networks_are_kept_in_redis(redis_url, name):
    def recorded() -> bytes:
        return b" ".join(sorted(redis.Redis.from_url(redis_url).keys("*")))

    before = recorded()
    limits = GuessLimits(redis_url)
    limits.failed("My-Secret-Password-By-Mistake", "198.51.100.7")
    limits.succeeded(name, "198.51.100.7")

    kept = recorded()
    assert kept != before
    assert b"gatehouse-failed" in kept
    for told in (b"secret", name.encode(), b"198.51"):
        assert told not in kept.lower()


def test_a_limited_guess_sounds_like_a_wrong_one_and_others_go_on(start_gateway, acme_mailbox, make_mailbox):
    other = make_mailbox("Other")
    gateway = start_gateway(guesses={"per_pair": 2}, maildrops={"refusal_seconds": 0})

    attempts = [(acme_mailbox.address, word) for word in ("wrong", "wrong", acme_mailbox.password)]
    assert gateway.sign_ins(*attempts) == [WRONG] * 3

    gateway.logged_in(other).ask(b"QUIT")
    assert gateway.sign_ins(attempts[-1]) == [WRONG], "another's success clears nothing"


@pytest.mark.parametrize("scenario", NEIGHBOURS["scenarios"], ids=lambda scenario: scenario["name"])
def test_wrong_passwords_hurt_whoever_makes_them(
    start_gateway, make_mailbox, globex, derivations, scenario, redis_url
):
    """Passwords that are mistyped are counted like others, and cost nobody's time here."""
    network = NEIGHBOURS["scenarios"][0]["network"].removesuffix("0/24")
    archiver = f"{network}9"
    ours = make_mailbox("Ours", customer=globex)
    gateway = start_gateway(maildrops={"refusal_seconds": 0})
    alone = scenario["logins"] == 1
    if not alone:
        assert gateway.sign_ins((ours.address, ours.password), source=archiver)[0].startswith(b"+OK")
    names = [ours.address] if alone else [f"mbx-{uuid.uuid4().hex}" for _ in range(scenario["logins"])]

    wrong = [(name, "wrong") for name in names for _ in range(scenario["wrong_each"])]
    assert gateway.sign_ins(*wrong, source=archiver) == [WRONG] * len(wrong)

    derivations.clear()
    if "unknown" in scenario["then"]:
        then = (f"mbx-{uuid.uuid4().hex}", new_password().reveal())
    else:
        then = (ours.address, ours.password)
    (reply,) = gateway.sign_ins(then, source=archiver)
    assert reply.startswith(scenario["expected"].partition(",")[0].encode())
    assert len(derivations) == (1 if reply.startswith(b"+OK") else 0)


def test_an_archiver_gets_a_new_mailbox_while_its_neighbour_guesses(
    start_gateway, acme_mailbox, make_mailbox
):
    new = make_mailbox("New")
    gateway = start_gateway(guesses={"per_network": 2}, maildrops={"refusal_seconds": 0})
    old, wrong = (acme_mailbox.address, acme_mailbox.password), [(f"mbx-{n}", "wrong") for n in range(3)]
    assert gateway.sign_ins(old, source="127.0.6.9")[0].startswith(b"+OK")
    assert gateway.sign_ins(*wrong, source="127.0.6.8") == [WRONG] * 3

    assert gateway.sign_ins((new.address, new.password), source="127.0.6.7") == [WRONG]
    assert gateway.sign_ins((new.address, new.password), source="127.0.6.9")[0].startswith(b"+OK")


def test_who_signed_in_lately_waits_behind_no_stranger(committed_db, acme_mailbox, peer, elsewhere):
    async def sign_in_beside_strangers() -> list[str]:
        limits, lanes, threads = GuessLimits(None), Lanes(), Threads("collection", size=2)
        limits.succeeded(acme_mailbox.address, peer)
        maildrops = Maildrops(threads, limits, lanes, counting=threads)

        async def sign_in(source: str) -> str:
            secret = Secret(acme_mailbox.password)
            try:
                async with asyncio.timeout(0.3 if source == elsewhere else SECONDS):
                    opened = await maildrops.open(
                        acme_mailbox.address, secret, peer=source, on_lost=lambda: None
                    )
            except TimeoutError:
                return "waits"
            await opened.release()
            return "in"

        async with AsyncExitStack() as volley:
            for _ in range(PLACES):
                await volley.enter_async_context(lanes.strangers.enter("198.51.100.7"))
            outcomes = [await sign_in(elsewhere), await sign_in(peer)]
        await asyncio.to_thread(threads.stop)
        return outcomes

    assert asyncio.run(sign_in_beside_strangers()) == ["waits", "in"]


@pytest.mark.parametrize("password", ["right", "outdated"])
def test_who_signed_in_lately_waits_for_no_count_of_mistyped_passwords(
    committed_db, acme_mailbox, peer, password
):
    """Nor keeps its neighbours in the lane waiting for one."""

    async def sign_in_beside_typos() -> tuple[str, int]:
        limits, held = GuessLimits(None), threading.Event()
        threads, counting = Threads("collection", size=2), Threads("counting", size=1)
        maildrops = Maildrops(threads, limits, Lanes(), counting=counting, refusal_seconds=0)
        limits.succeeded(acme_mailbox.address, peer)
        counting.start(held.wait)
        typos = [
            asyncio.ensure_future(
                maildrops.open(f"mbx-{number}", Secret("mistyped"), peer=peer, on_lost=lambda: None)
            )
            for number in range(10)
        ]
        secret = Secret(acme_mailbox.password) if password == "right" else new_password()
        try:
            async with asyncio.timeout(SECONDS):
                opened = await maildrops.open(acme_mailbox.address, secret, peer=peer, on_lost=lambda: None)
                await opened.release()
                return "right", sum(typo.done() for typo in typos)
        except Refused:
            return "outdated", sum(typo.done() for typo in typos)
        finally:
            held.set()
            await asyncio.gather(*typos, return_exceptions=True)
            for pool in (threads, counting):
                await asyncio.to_thread(pool.stop)

    assert asyncio.run(sign_in_beside_typos()) == (password, 0)


def test_a_mistyped_password_keeps_no_thread_from_collection(name, peer):
    async def mistype_beside_collection() -> str:
        held, threads, counting = (
            threading.Event(),
            Threads("collection", size=1),
            Threads("counting", size=1),
        )
        maildrops = Maildrops(threads, GuessLimits(None), Lanes(), counting=counting, refusal_seconds=0)
        threads.start(held.wait)
        try:
            async with asyncio.timeout(5):
                await maildrops.open(name, Secret("mistyped"), peer=peer, on_lost=lambda: None)
        except Refused as refused:
            return str(refused)
        finally:
            held.set()
            for pool in (threads, counting):
                await asyncio.to_thread(pool.stop)
        return "in"

    assert "wrong" in asyncio.run(mistype_beside_collection())


def test_a_refusal_is_told_in_the_console_by_no_thread_of_collection(committed_db, acme_mailbox, peer):
    async def mistype() -> None:
        counting = Threads("counting", size=1)
        # Without any: whoever wanted one would fail.
        maildrops = Maildrops(None, GuessLimits(None), Lanes(), counting=counting, refusal_seconds=0)
        try:
            with pytest.raises(Refused):
                await maildrops.open(
                    acme_mailbox.address, Secret("mistyped"), peer=peer, on_lost=lambda: None
                )
        finally:
            await asyncio.to_thread(counting.stop)

    asyncio.run(mistype())


def test_above_the_limits_nothing_more_is_counted(start_gateway, acme_mailbox):
    now = [time.time() // WINDOW_SECONDS * WINDOW_SECONDS]
    gateway = start_gateway(
        guesses={"per_pair": 2, "per_login": 5, "clock": lambda: now[0]}, maildrops={"refusal_seconds": 0}
    )
    right = acme_mailbox.address, acme_mailbox.password

    assert gateway.sign_ins(*[(acme_mailbox.address, "mistyped")] * 8, source="127.0.3.1") == [WRONG] * 8

    now[0] += 1.6 * WINDOW_SECONDS
    (reply,) = gateway.sign_ins(right, source="127.0.3.1")
    assert reply.startswith(b"+OK"), "who goes on with an outdated password is not refused for longer"


def test_redis_is_asked_once_about_a_stranger_and_never_about_who_is_known(redis_url, name, peer):
    """In round trips, for each keeps a thread waiting."""
    limits = GuessLimits(redis_url)
    limits.standing(name, peer)  # connects
    trips = {}
    for moment in ("stranger", "known"):
        for ask in (limits.standing, limits.failed, limits.succeeded):
            with RoundTrips() as counted:
                ask(name, peer)
            trips[moment, ask.__name__] = counted.number

    assert trips == {
        ("stranger", "standing"): 1,
        ("stranger", "failed"): 2,
        ("stranger", "succeeded"): 1,
        ("known", "standing"): 0,
        ("known", "failed"): 2,
        ("known", "succeeded"): 0,
    }


class RoundTrips:
    """Counts what Redis is sent from this thread."""

    number = 0

    def __enter__(self) -> "RoundTrips":
        sys.setprofile(self._notice)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _notice(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is redis.Connection.send_packed_command.__code__:
            self.number += 1


def test_a_mistyped_password_costs_no_argon2_and_looks_nothing_up(
    gateway, acme_mailbox, derivations, django_assert_num_queries
):
    """So that it takes as long whether there is such a mailbox or not."""
    mistyped = acme_mailbox.password[:-1] + ("0" if acme_mailbox.password[-1] != "0" else "1")
    names = acme_mailbox.address, f"mbx-{uuid.uuid4().hex}@gateway.localhost"
    derivations.clear()

    assert gateway.sign_ins(*((name, mistyped) for name in names)) == [WRONG, WRONG]
    for name in names:
        with django_assert_num_queries(0), pytest.raises(BadCredentials):
            open_maildrop(name, mistyped, peer="192.0.2.1")
    assert derivations == []


def test_a_mistyped_password_counts_like_any_wrong_one(start_gateway, acme_mailbox):
    gateway = start_gateway(guesses={"per_pair": 1}, maildrops={"refusal_seconds": 0})

    attempts = [(acme_mailbox.address, "mistyped"), (acme_mailbox.address, acme_mailbox.password)]
    assert gateway.sign_ins(*attempts) == [WRONG, WRONG]
