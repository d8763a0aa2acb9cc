"""Every write of a checkout goes wrong once, in every way that a network and a vendor know: one document each."""

import contextlib

import pytest

from commerce.documents import Stage
from tests.flow.steps_of_checkout import BACKWARD, FORWARD, UNDISTURBED, UNDONE, Fault, rules_by_system
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
