"""A worker process is killed in the middle of every write at once; another one goes on, and nothing is doubled."""

import asyncio

from commerce.documents import CLOSED_STAGES, Stage
from engine.processes import Child
from tests.flow.stand import Stand
from tests.flow.steps_of_checkout import FORWARD, UNDISTURBED, Write, once
from tests.flow.world import World, said

# The calls of the first worker are still under way when it dies; the shop and the org carry them out afterwards.
HELD_SECONDS = 12
PATIENT = {
    "SYSTEMS__MAGENTO__TIMEOUT_SECONDS": "60",
    "SYSTEMS__MAGENTO__SETTLED_AFTER_SECONDS": "61",
    "SYSTEMS__FINANCIALFORCE__SALESFORCE__TIMEOUT_SECONDS": "60",
    "SYSTEMS__JUSTON__SALESFORCE__TIMEOUT_SECONDS": "60",
}


async def test_a_worker_killed_in_the_middle_of_every_write_leaves_one_document_each(stand: Stand) -> None:
    world = World(stand)
    first, second = stand.worker_process(**PATIENT), stand.worker_process()
    await first.start()
    try:
        keys = []
        # The payment entry's call is given up after a second: it is struck last.
        for write in (*FORWARD[1:], FORWARD[0]):
            keys.append(await _held_at(world, write, 0.8 if write.system == "juston" else HELD_SECONDS))
    finally:
        await _killed(first)
    await second.start()
    try:
        results = await asyncio.gather(*(_goes_on(world, key) for key in keys))
    finally:
        await second.stop()
    assert results == [Stage.COMPLETED] * len(FORWARD)
    for key, write in zip(keys, (*FORWARD[1:], FORWARD[0]), strict=True):
        assert await world.books(key) == UNDISTURBED, write.step


async def _held_at(world: World, write: Write, seconds: float) -> str:
    """A new shop order, brought to the moment in which this write is on its way."""
    await world.set_faults(write.system, once(write, "slow", seconds=seconds))
    key = await world.place_in_shop()

    async def struck() -> bool:
        await _drive(world, key)
        return sum(await world.fired(write.system)) == 1

    await world.wait_until(struck, what=f"{key} is at {write.step}", key=key)
    await world.set_faults(write.system)
    return key


async def _goes_on(world: World, key: str) -> Stage:
    async def closed() -> bool:
        await _drive(world, key)
        return (await world.view(key)).stage in CLOSED_STAGES

    await world.wait_until(closed, within=90, what=f"{key} ends", key=key)
    return (await world.run(key).result()).outcome


async def _drive(world: World, key: str) -> None:
    """What the buyer and the invoice run do next, if it is their turn."""
    view = await world.view_or_none(key)
    if view is None:
        return
    entries = (await world.books(key)).get("entries", [])
    if view.stage is Stage.AWAITING_PAYMENT and entries == ["Open 9984 EUR"]:
        await world.pay(key)
    if view.stage is Stage.AWAITING_PAYMENT and entries == ["Balanced 9984 EUR"]:
        # As the browser's return does it: the killed worker's feed is taken up only after a while.
        await world.runs.hint(key, "entry")
    if view.stage is Stage.BILLING and said(view, "billing order"):
        await world.bill(key)


async def _killed(child: Child) -> None:
    assert child.process is not None
    child.process.kill()
    await child.process.wait()
