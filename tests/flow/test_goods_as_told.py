"""What the feed has read of an order's goods, its run does not read again; what cannot be believed it does."""

import asyncio
from datetime import timedelta

from activities.changes import Reading
from activities.fulfillment import FulfillmentView
from commerce.fulfillment import Fulfillment
from tests.flow.test_goods import bought, goods, written
from tests.flow.world import World
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

TELL_EVERY = 3.0


async def looks(world: World, key: str) -> int:
    """How often the run has asked the ERP by itself."""
    history = await world.runs.goods(key).fetch_history()
    asked = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
    return asked.count("erp.look_at_fulfillment")


async def looked(world: World, key: str, told: Reading) -> None:
    """The run is told, and asks the ERP by itself. Where the feed tells in the same moment, its word is the later one
    and is believed: then the run is told again.
    """
    before = await looks(world, key)
    tell_at = 0.0

    async def once_more() -> bool:
        nonlocal tell_at
        now = asyncio.get_running_loop().time()
        if now >= tell_at:
            await world.runs.goods(key).signal(OrderFulfillmentTracking.hint, args=["fulfillment", told])
            tell_at = now + TELL_EVERY
        return await looks(world, key) > before

    await world.wait_until(once_more, what=f"the run of {key} looks again", key=key)


async def test_the_run_asks_the_erp_once_and_follows_what_the_feed_reads(world: World) -> None:
    key = await bought(world, ("HF-1001", 3))
    await goods(world, key, lambda view: bool(view.lines), "the first look is made")
    for count in (1, 2):
        await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
        await goods(world, key, written(count), f"shipment {count} is in the shop")
    assert await looks(world, key) == 1


async def test_a_reading_that_is_old_or_takes_goods_back_is_looked_at_again_and_asks_nobody(world: World) -> None:
    key = await bought(world, ("HF-1001", 1))
    await world.act("salesforce", "ship", order=key)
    view = await goods(world, key, written(1), "the shipment is in the shop")
    reading = without_shipments(view)
    for at in (reading.changed_at - timedelta(days=1), reading.changed_at + timedelta(days=1)):
        await looked(world, key, Reading(at=at, goods=reading.model_copy(update={"changed_at": at})))
    view = await goods(world, key, written(1), "the shipment is still in the shop")
    assert (view.cases, len(view.shipments)) == ((), 1)


def without_shipments(view: FulfillmentView) -> Fulfillment:
    """The goods of the view as they were before anything left."""
    left = view.shipments[0].dispatched_at
    assert left is not None
    lines = tuple(line.model_copy(update={"shipped": line.shipped * 0}) for line in view.lines)
    return Fulfillment(order_key=view.order_key, number="SO", id="so", lines=lines, changed_at=left)
