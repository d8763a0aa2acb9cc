"""A bundle that the shop sends as a whole, of which the warehouse sends the parts when it has them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.fulfillment import FulfillmentView
from activities.ledger.fulfillment import FulfillmentBook
from commerce.documents import CancelRequest, DecisionKind
from commerce.fulfillment import State
from tests.flow.test_goods import WITHIN, decide, deliver, goods, mails, shipments, shop_order, written
from tests.flow.test_rows import WHOLE, bought, invoiced
from tests.flow.test_shop_cancellations import parks
from tests.flow.world import World
from tests.reconcile.desk import compared
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

A, B = "HF-3000-A", "HF-3000-B"


async def ship(world: World, key: str, tracking: str, **sent: int) -> dict[str, Any]:
    """`sent`: quantity by SKU, with `_` for `-`."""
    lines = [{"sku": sku.replace("_", "-"), "quantity": quantity} for sku, quantity in sent.items()]
    return await world.act("salesforce", "ship", order=key, tracking=tracking, lines=lines)


def waiting(view: FulfillmentView) -> list[list[str]]:
    return [[f"{part.quantity} of {part.sku}" for part in each.waits] for each in view.shipments]


async def test_parts_that_leave_apart_are_told_at_once_and_shown_with_the_last_one(world: World) -> None:
    key = await bought(world, (WHOLE, 1), ("HF-1001", 1), on_account=True)
    await world.act("salesforce", "approve", order=key)
    first, second = f"B1-{key[3:]}", f"B2-{key[3:]}"
    await ship(world, key, first, HF_3000_A=1, HF_1001=1)
    view = await goods(world, key, lambda view: waiting(view) == [[f"1 of {A}"]], "a part waits for its bundle")
    assert (view.cases, view.shipments[0].written_back) == ((), False)

    async def told() -> bool:
        return len([subject for subject in await mails(world, key) if "unterwegs" in subject]) == 1

    await world.wait_until(told, what="the buyer knows of the first parcel")
    assert [len(row["lines"]) for row in await shipments(world, key)] == [1], "what is no part is in the shop"
    book = FulfillmentBook(world.ledger.engine)

    async def kept() -> bool:
        found = await book.view(key)
        return found is not None and waiting(found) == [[f"1 of {A}"]]

    await world.wait_until(kept, what="what waits is shown")
    late = await book.late(datetime.now(UTC), write_back=timedelta(0), delivery=timedelta(days=1))
    assert [one.what for one in late if one.order_key == key] == []
    _, found = await compared(world, pair="shipments")
    (difference,) = [one for one in found if one.order_key == key]
    assert "the shop shows it once the rest of its bundle has left too" in difference.explained

    await ship(world, key, second, HF_3000_B=1)
    view = await goods(world, key, written(2), "the bundle is in the shop")
    assert (waiting(view), view.skipped) == ([[], []], ())
    tracks = [sorted(row["refs"]["tracks"]) for row in await shipments(world, key)]
    assert sorted(tracks, key=len) == [[first], [first, second]]
    for number in (first, second):
        await deliver(world, number)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.cases, result.skipped) == (State.DELIVERED, (), ())
    assert (await shop_order(world, key))["status"] == "complete/complete"
    assert await invoiced(world, key) == [{A: 1, "HF-1001": 1}, {B: 1}]
    _, found = await compared(world, pair="shipments")
    assert [one for one in found if one.order_key == key] == []


async def test_a_bundle_whose_rest_never_leaves_asks_a_person_what_becomes_of_it(world: World) -> None:
    key = await bought(world, (WHOLE, 1), on_account=False)
    await world.act("salesforce", "approve", order=key)
    await ship(world, key, f"B3-{key[3:]}", HF_3000_A=1)
    await goods(world, key, lambda view: bool(waiting(view)) and bool(waiting(view)[0]), "a part waits for its bundle")
    request = CancelRequest(by="portal", reason="not without the other one")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    case = await parks(world, key, "show the rest of shipment")
    assert case.came_back.startswith(f"1 of {A} left with it as a part of a bundle")
    assert f"1 of {B} of it will not leave any more" in case.came_back
    await decide(world, case, DecisionKind.RETRY)
    again = await parks(world, key, "show the rest of shipment", but=case)
    for each in (again, await parks(world, key, "refund what was cancelled")):
        await decide(world, each, DecisionKind.SKIP)
    await deliver(world, f"B3-{key[3:]}")
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, len(result.skipped), waiting(result)) == (State.DELIVERED, 2, [[]])
    assert (result.shipments[0].written_back, await shipments(world, key)) == (False, [])
    _, found = await compared(world, pair="shipments")
    (difference,) = [one for one in found if one.order_key == key]
    assert difference.explained.startswith("skipped by a decision: show the rest of shipment"), (difference, result)
