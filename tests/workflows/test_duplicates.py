"""The same event from everywhere at once, in any order, any number of times: one run, one set of documents."""

import asyncio
import random
from datetime import timedelta

from sqlalchemy import text

from commerce.documents import OrderView, Stage
from tests.flow.orders import portal_order
from tests.flow.world import World
from tests.workflows.test_paid_in_advance import PORTAL_BOOKS, SHOP_BOOKS
from workflows.start import EngineRuns

ASKED = 20
WITHIN = 60.0


async def test_two_portals_that_ask_twenty_times_at_once_get_one_run_and_one_link(world: World) -> None:
    order = portal_order()
    portals = [EngineRuns(world.stand.client), EngineRuns(world.stand.client)]
    asked = [portals[turn % 2].ask_for_link(order, timedelta(seconds=WITHIN)) for turn in range(ASKED)]
    views: list[OrderView] = await asyncio.gather(*asked)
    assert {(view.order_key, view.stage, view.payment_link) for view in views} == {
        (order.key, Stage.AWAITING_PAYMENT, views[0].payment_link)
    }
    assert views[0].payment_link
    # The buyer's double click, and the portal's question while the money is on its way.
    again, _ = await asyncio.gather(world.place(order, within=WITHIN), world.pay(order.key))
    assert again.payment_link == views[0].payment_link
    assert (await world.ends(order.key, within=WITHIN)).outcome is Stage.COMPLETED
    assert await world.books(order.key) == PORTAL_BOOKS
    assert await _runs(world, order.key) == 1


async def test_webhook_poll_and_portal_at_once_are_one_run(world: World) -> None:
    key = await world.place_in_shop()
    order_id = key.split(":")[1]
    kept = [
        world.ledger.keep_notification(
            "magento", {}, b"{}", sender_id=f"{key}:{turn % 5}", source="magento:orders", reference=order_id.lstrip("0")
        )
        for turn in range(ASKED)
    ]
    new = [number for number in await asyncio.gather(*kept) if number is not None]
    assert len(new) == 5  # the rest are the same message once more
    await world.link_of(key)
    await world.pay(key)
    await _hint_in_any_order(world, key)
    result = await world.ends(key, within=WITHIN)
    assert (result.outcome, result.skipped) == (Stage.COMPLETED, ())
    await _hint_in_any_order(world, key)  # late ones find nobody, and do nothing
    assert await world.books(key) == SHOP_BOOKS
    assert await _runs(world, key) == 1


async def test_operators_hear_of_a_cancellation_that_comes_while_the_run_ends_as_completed(world: World) -> None:
    order = portal_order()
    await world.place(order)
    async with world.ledger.engine.connect() as held:
        # Our memory of the order is busy: the run cannot end before it is free again.
        await held.execute(text("SELECT key FROM orders WHERE key = :key FOR UPDATE"), {"key": order.key})
        await world.pay(order.key)
        await world.reaches(order.key, Stage.COMPLETED, bill=True, within=WITHIN)
        assert await world.runs.hint(order.key, "shop-canceled")
        await held.rollback()
    result = await world.run(order.key).result()
    assert (result.outcome, result.handed_over) == (Stage.COMPLETED, True)
    [mail] = await world.told_operators(f"order {order.number} of de was cancelled in the shop too late")
    assert "100.24 EUR" in mail["text"]
    assert await world.books(order.key) == PORTAL_BOOKS


async def _hint_in_any_order(world: World, key: str) -> None:
    hints = ["entry", "billing"] * (ASKED // 2)
    random.Random(key).shuffle(hints)
    await asyncio.gather(*(world.runs.hint(key, what) for what in hints))


async def _runs(world: World, key: str) -> int:
    found = [run async for run in world.stand.client.list_workflows(f'WorkflowId = "checkout:{key}"')]
    return len(found)
