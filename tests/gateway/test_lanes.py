"""Whose turn it is, when more want to sign in than may at a time."""

import asyncio

from gateway.errors import Overloaded
from gateway.lanes import Gate
from gateway.peers import levels_of


async def crowd(gate: Gate, *peers: str) -> list[str]:
    """Who came in, in this order, after all had queued behind somebody."""
    entered: list[str] = []

    async def sign_in(peer: str) -> None:
        try:
            async with gate.enter(peer):
                entered.append(peer)
        except Overloaded:
            pass

    async with asyncio.TaskGroup() as tasks, gate.enter("203.0.113.1"):
        for peer in peers:
            tasks.create_task(sign_in(peer))
            await asyncio.sleep(0)
    return entered


def test_networks_take_turns_and_so_do_the_addresses_of_one():
    flood, beside, elsewhere = "192.0.2.1", "192.0.2.2", "198.51.100.1"

    entered = asyncio.run(crowd(Gate(places=1), flood, flood, flood, beside, beside, elsewhere, elsewhere))

    assert entered == [flood, elsewhere, beside, elsewhere, flood, beside, flood]


def test_all_sites_of_one_provider_take_turns_with_the_others():
    """Whoever has a /32 has more sites than there are sign-ins."""
    sites = [f"2001:db8:{number:x}::1" for number in range(3)]

    entered = asyncio.run(crowd(Gate(places=1), *sites, "2001:db9::1", "2001:db9::1"))

    assert entered == [sites[0], "2001:db9::1", sites[1], "2001:db9::1", sites[2]]


def test_a_full_queue_has_room_for_who_has_fewer_in_it():
    flood, beside, elsewhere = "192.0.2.1", "192.0.2.2", "198.51.100.1"

    entered = asyncio.run(crowd(Gate(places=1, waiting=4), *[flood] * 9, elsewhere, beside, *[flood] * 9))

    assert entered == [flood, elsewhere, beside, flood]


def test_sign_ins_queue_for_a_bounded_time_and_leave_no_trace():
    async def wait_in_vain() -> list[str]:
        gate, outcomes = Gate(places=1, waiting=1, seconds=0.2), []

        async def sign_in() -> None:
            try:
                async with gate.enter("192.0.2.1"):
                    outcomes.append("in")
            except Overloaded:
                outcomes.append("turned away")

        async with asyncio.TaskGroup() as tasks, gate.enter("192.0.2.1"):
            await sign_in()
            tasks.create_task(sign_in())
            await asyncio.sleep(0)
        return outcomes

    assert asyncio.run(wait_in_vain()) == ["turned away", "in"]


def test_who_is_gone_when_its_turn_comes_takes_no_place():
    async def leave_the_queue() -> int:
        gate, entered = Gate(places=1), []

        async def sign_in() -> None:
            async with gate.enter("192.0.2.1"):
                entered.append(1)

        async with gate.enter("192.0.2.1"):
            leaving, given_up, staying = (asyncio.ensure_future(sign_in()) for _ in range(3))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.sleep(0)
        leaving.cancel()  # the place is its own already
        await asyncio.wait([leaving, given_up, staying], timeout=5)
        async with asyncio.timeout(5), gate.enter("192.0.2.1"):
            return len(entered)

    assert asyncio.run(leave_the_queue()) == 1


def test_levels():
    assert levels_of("192.0.2.77")[1:] == ("192.0.2.0/24", "192.0.2.77")
    assert levels_of("2001:db8::7:1") == ("2001:db8::/32", "2001:db8::/48", "2001:db8::/64")
