"""Every write of a checkout goes wrong once, in every way that a network and a vendor know: one document each."""

import contextlib

import pytest

from commerce.documents import Stage
from tests.flow.steps_of_checkout import BACKWARD, FORWARD, UNDISTURBED, UNDONE, Fault, once, rules_by_system
from tests.flow.world import World

UNAVAILABLE: Fault = {"kind": "status", "status": 503, "retry_after": 1}
FAULTS: dict[str, Fault] = {
    "answer lost": {"kind": "lose-reply"},
    "request lost": {"kind": "cut-request"},
    "answer unreadable": {"kind": "garble"},
    "refused in the vendors' ways": {
        "juston": {"kind": "limit"},
        "magento": {"kind": "html", "status": 502},
        "salesforce": {"kind": "lock"},
    },
    "refused for the moment": {
        "juston": UNAVAILABLE,
        "magento": {"kind": "limit"},
        "salesforce": {"kind": "expire-auth"},
    },
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_every_write_disturbed_once_makes_one_document_each(world: World, fault: Fault) -> None:
    rules = rules_by_system(FORWARD, fault)
    async with contextlib.AsyncExitStack() as stack:
        for system, of_system in rules.items():
            await stack.enter_async_context(world.faults(system, *of_system))
        key = await world.place_in_shop()
        await world.link_of(key)
        await world.pay(key)
        result = await world.ends(key)
        assert {system: await world.fired(system) for system in rules} == {
            system: [1] * len(of_system) for system, of_system in rules.items()
        }
    assert (result.outcome, result.skipped) == (Stage.COMPLETED, ())
    assert await world.books(key) == UNDISTURBED


@pytest.mark.parametrize("step", ["sales order", "billing order"])
async def test_what_is_booked_after_its_answer_was_given_up_is_undone_with_the_order(world: World, step: str) -> None:
    [write] = [one for one in FORWARD if one.step == step]
    # Given up after five seconds, and carried out when the way back has begun.
    async with world.faults(write.system, once(write, "slow", seconds=6)):
        key = await world.place_in_shop()
        await world.link_of(key)
        await world.pay(key)
        await world.strikes(write.system, 1)
        await world.cancel(key)
        result = await world.ends(key, within=60)
    assert (result.outcome, result.skipped) == (Stage.CANCELLED, ())
    left = await world.books(key)
    assert left["sales orders"] == ["Cancelled 9984 EUR"]
    assert left.get("billing orders", []) == (["Canceled 9984 EUR"] if step == "billing order" else [])
    assert left["refunds"] == ["Paid out 9984 EUR"]


@pytest.mark.parametrize("fault", list(FAULTS.values())[:2], ids=list(FAULTS)[:2])
async def test_every_undo_disturbed_once_takes_back_one_document_each(world: World, fault: Fault) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    await world.is_billed(key)
    rules = rules_by_system(BACKWARD, fault)
    async with contextlib.AsyncExitStack() as stack:
        for system, of_system in rules.items():
            await stack.enter_async_context(world.faults(system, *of_system))
        await world.cancel(key)
        result = await world.ends(key)
        assert {system: await world.fired(system) for system in rules} == {
            system: [1] * len(of_system) for system, of_system in rules.items()
        }
    assert (result.outcome, result.skipped) == (Stage.CANCELLED, ())
    assert await world.books(key) == UNDONE
