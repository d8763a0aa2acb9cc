"""A worker is killed in the middle of every write about goods at once; another one goes on, and nothing is doubled."""

import asyncio
from typing import Any

from activities.ledger.fulfillment import FulfillmentBook
from commerce.documents import CancelRequest, DecisionKind, Stage
from tests.flow.stand import Stand
from tests.flow.test_goods import bought, decide, goods, parked, shipments, shop_order, written
from tests.flow.test_worker_killed import HELD_SECONDS, PATIENT
from tests.flow.world import World
from tests.once.rig import Path
from tests.once.table import CANCEL_LINES, INVOICE_SHIPPED, SHIP, TRACK
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking


async def test_a_worker_killed_in_the_middle_of_every_write_about_goods_leaves_one_of_each(stand: Stand) -> None:
    world = World(stand)
    first, second = stand.worker_process(**PATIENT), stand.worker_process()
    await first.start()
    try:
        shipped, tracked, cancelled = await asyncio.gather(*(bought(world, ("HF-1001", 3)) for _ in range(3)))
        invoiced = await _on_account(world)
        made = await world.act("salesforce", "ship", order=tracked, tracking=None)
        await goods(world, tracked, written(1), "the shipment is in the shop")

        await _hold(world, SHIP)
        await world.act("salesforce", "ship", order=shipped)
        await _struck(world, SHIP)
        await _hold(world, TRACK)
        await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=f"K-{tracked[3:]}")
        await _struck(world, TRACK)
        await _hold(world, INVOICE_SHIPPED)
        await world.act("salesforce", "ship", order=invoiced)
        await _struck(world, INVOICE_SHIPPED)
        await _hold(world, CANCEL_LINES)
        request = CancelRequest(by="portal", reason="none of it")
        asked = asyncio.create_task(
            world.runs.goods(cancelled).execute_update(OrderFulfillmentTracking.cancel, request)
        )
        await _struck(world, CANCEL_LINES)
    finally:
        assert first.process is not None
        first.process.kill()
        await first.process.wait()
    await second.start()
    try:
        for key in (shipped, tracked, invoiced):
            await goods(world, key, written(1), "the shipment is in the shop")
        await goods(world, tracked, lambda view: bool(view.shipments[0].tracks), "its number is known")
        await asked
        case = await parked(world, cancelled)
        assert case.step == "refund what was cancelled"
        assert case.amount is not None
        # Nothing of it ships: all that was paid, the delivery included.
        assert [line.split()[1] for line in (await world.books(cancelled))["payments"]] == [str(case.amount.minor)]
        await decide(world, case, DecisionKind.SKIP)

        async def all_written() -> bool:
            return bool(await _tracks(world, tracked)) and "shop invoices" in await world.books(invoiced)

        await world.wait_until(all_written, what="number and invoice are in the shop")
    finally:
        await second.stop()
    for key in (shipped, tracked, invoiced):
        assert len(await shipments(world, key)) == 1
        assert (await shop_order(world, key))["status"] == "complete/complete"
    assert await _tracks(world, tracked) == [f"K-{tracked[3:]}"]
    assert len((await world.books(invoiced))["shop invoices"]) == 1
    assert await shipments(world, cancelled) == []
    view = await FulfillmentBook(world.ledger.engine).view(cancelled)
    assert view is not None
    assert [line.cancelled for line in view.lines] == [3]


async def _on_account(world: World) -> str:
    key = await world.place_in_shop(("HF-1001", 2), company="501", customer=None, payment_method="companycredit")
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    return key


async def _tracks(world: World, key: str) -> list[Any]:
    return [number for row in await shipments(world, key) for number in row["refs"]["tracks"]]


async def _hold(world: World, write: Path) -> None:
    match = {"method": write.method, "path": write.path}
    await world.set_faults(write.vendor, {"kind": "slow", "seconds": HELD_SECONDS, "match": match, "times": 1})


async def _struck(world: World, write: Path) -> None:
    await world.strikes(write.vendor, 1)
    await world.set_faults(write.vendor)
