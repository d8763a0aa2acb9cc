"""What the shop's own order says of its goods, where a store wants it: every piece of news once, in its language."""

import asyncio
import re

from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.test_goods import WITHIN, decide, deliver, goods, parked, shop_order, written
from tests.flow.world import World
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking


async def bought(world: World, store: str, customer: str, *items: tuple[str, int]) -> str:
    key = await world.place_in_shop(*items, store=store, customer=customer)
    await world.link_of(key)
    await world.pay(key)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    return key


async def notes(world: World, key: str) -> list[str]:
    """The notes about goods, oldest first, without links."""
    comments = reversed((await shop_order(world, key))["refs"]["comments"])
    return [re.sub(r" https?://\S+", "", text) for text in comments if text.endswith("]")]


async def test_each_piece_of_news_is_noted_once_with_the_tracking_that_comes_later(world: World) -> None:
    key = await bought(world, "ch", "15", ("HF-1001", 3))
    made = await world.act("salesforce", "ship", order=key, tracking=None, lines=[{"sku": "HF-1001", "quantity": 1}])
    await goods(world, key, written(1), "the shipment is in the shop")
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    await decide(world, await parked(world, key), DecisionKind.SKIP)
    number = f"N-{key[3:]}"
    await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=number)
    await goods(world, key, lambda view: bool(view.shipments[0].tracks), "the number has come")
    await world.runs.hint_goods(key, "again")
    await deliver(world, number)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert result.state is State.DELIVERED
    shipment = made["shippings"][0]
    left = f"Lieferung {shipment} hat unser Lager verlassen, mit DHL: 1/3 × Leselampe Aurora."
    assert await notes(world, key) == [
        f"{left} [dispatched:{shipment}]",
        f"Storniert, wird nicht geliefert: 2/3 × Leselampe Aurora. [lines-cancelled:{result.lines[0].line}:2]",
        f"{left} Sendungsverfolgung: {number} [dispatched:{shipment}]",
        f"Lieferung {shipment} wurde zugestellt: 1/3 × Leselampe Aurora. [delivered:{shipment}]",
    ]


async def test_a_store_that_asks_for_no_notes_gets_none(world: World) -> None:
    key = await bought(world, "de", "11", ("HF-1001", 1))
    await world.act("salesforce", "ship", order=key)
    await goods(world, key, written(1), "the shipment is in the shop")
    await world.act("carrier", "deliver", order=key)
    await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert await notes(world, key) == []
