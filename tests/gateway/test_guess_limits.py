"""What wrong passwords cost, with Redis, without it, and when it goes away."""

import asyncio
import uuid

import pytest

from gateway.errors import Overloaded
from gateway.limits import Gate, GuessLimits
from gateway.peers import Places, network_of

WRONG = b"-ERR [AUTH] Login name or password is wrong\r\n"


def guess(limits: GuessLimits, login: str, peer: str, times: int) -> None:
    for _ in range(times):
        limits.failed(login, peer)


@pytest.fixture(params=["alone", "redis"])
def limits_of(request):
    """Limits as several processes of one installation have them; the network is this test's own."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return lambda **numbers: GuessLimits(url, **{"per_login": 3, "per_network": 5, **numbers})


@pytest.fixture
def peer():
    octets = uuid.uuid4().bytes
    return f"2001:db8:{octets[:2].hex()}:{octets[2:4].hex()}::1"


@pytest.fixture
def name():
    return f"mbx-{uuid.uuid4().hex}"


def test_a_login_is_closed_after_so_many_failures(limits_of, name, peer):
    limits = limits_of()
    guess(limits, name, peer, 2)
    assert limits.allow(name, peer)

    guess(limits, f"{name.upper()}@gateway.localhost", peer, 1)

    assert not limits.allow(name, peer)
    assert not limits.allow(name, "192.0.2.1"), "from elsewhere too"
    assert limits.allow("mbx-other", peer), "and no other login"


def test_a_network_is_closed_after_so_many_failures_over_all_logins(limits_of, name, peer):
    limits = limits_of()
    for number in range(5):
        guess(limits, f"{name}-{number}", peer, 1)

    assert not limits.allow(f"{name}-9", peer.replace("::1", "::ffff"))
    assert limits.allow(f"{name}-9", "2001:db8:ffff:ffff:1::1")


def test_asking_and_succeeding_count_nothing(limits_of, name, peer):
    limits = limits_of()

    assert all(limits.allow(name, peer) for _ in range(50))


def test_processes_count_together(redis_url, name, peer):
    one, other = (GuessLimits(redis_url, per_login=3, per_network=100) for _ in range(2))

    guess(one, name, peer, 3)

    assert not other.allow(name, peer)


def test_without_redis_each_process_still_counts(name, peer, tmp_path, caplog):
    limits = GuessLimits(f"unix://{tmp_path}/nothing.sock", per_login=3, per_network=100)

    guess(limits, name, peer, 2)
    assert limits.allow(name, peer)
    guess(limits, name, peer, 1)

    assert not limits.allow(name, peer)
    assert caplog.text.count("Redis failed") == 1, "and does not ask Redis again at every turn"


def test_what_was_typed_as_a_name_is_not_kept_in_redis(redis_url, peer):
    import redis

    GuessLimits(redis_url).failed("My-Secret-Password-By-Mistake", peer)

    keys = b" ".join(redis.Redis.from_url(redis_url).keys("*"))
    assert b"gatehouse-login" in keys
    assert b"secret" not in keys.lower()


def test_a_limited_guess_sounds_like_a_wrong_one_and_others_go_on(start_gateway, acme_mailbox, make_mailbox):
    other = make_mailbox("Other")
    gateway = start_gateway(guesses={"per_login": 2, "per_network": 100}, maildrops={"guess_delay": 0.05})
    wire = gateway.pop3_wire()
    for password in ("wrong", "wrong", acme_mailbox.password):
        wire.ask(f"USER {acme_mailbox.address}".encode())
        assert wire.ask(f"PASS {password}".encode()) == WRONG

    gateway.logged_in(other).ask(b"QUIT")

    again = gateway.pop3_wire()
    again.ask(f"USER {acme_mailbox.address}".encode())
    assert again.ask(f"PASS {acme_mailbox.password}".encode()) == WRONG, "another's success clears nothing"


def test_logins_queue_for_a_bounded_time_and_number():
    async def crowd() -> list[str]:
        gate, outcomes, leave = Gate(places=1, waiting=2, seconds=0.2), [], asyncio.Event()

        async def login() -> None:
            try:
                async with gate.enter():
                    await leave.wait()
                    outcomes.append("in")
            except Overloaded:
                outcomes.append("turned away")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(login())
            await asyncio.sleep(0.4)
            leave.set()
        return outcomes

    assert sorted(asyncio.run(crowd())) == ["in", "turned away", "turned away", "turned away"]


def test_places_are_counted_by_peer_and_in_all():
    places = Places(total=3, per_peer=2)

    assert [places.take("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert places.take("2001:db8::1")
    assert not places.take("192.0.2.2")
    places.give_back("192.0.2.1")
    assert places.take("192.0.2.1")


def test_networks():
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8::7:1") == "2001:db8::/64"
