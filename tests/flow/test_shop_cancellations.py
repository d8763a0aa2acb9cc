"""Quantities that are cancelled in the shop while the order goes on: the ERP follows them once, and never too far."""

import asyncio
from typing import Any

from activities.fulfillment import FulfillmentView
from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.test_edits import TERMS
from tests.flow.test_goods import DOWN, decide, goods, shop_order, written
from tests.flow.world import World
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking


async def sent_in_part(world: World, ordered: int = 3) -> str:
    """An order on account of which one piece was sent, and invoiced in the shop."""
    key = await world.place_in_shop(("HF-1001", ordered), **TERMS)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    await ship_one(world, key)
    await goods(world, key, written(1), "the first piece is in the shop")

    async def invoiced() -> bool:
        return "shop invoices" in await world.books(key)

    await world.wait_until(invoiced, what=f"the first piece of {key} is invoiced in the shop")
    return key


async def ship_one(world: World, key: str) -> None:
    await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])


async def cancel_rest(world: World, key: str) -> dict[str, Any]:
    """Somebody cancels the rest in the shop's administration."""
    assert (await world.act("magento", "cancel-order", increment_id=key.partition(":")[2]))["canceled"]
    return await shop_order(world, key)


def undone(view: FulfillmentView) -> int:
    return len([event for event in view.timeline if event.kind == "undid"])


async def test_what_the_shop_cancels_of_an_order_that_went_out_in_part_is_cancelled_once_at_the_erp(
    world: World,
) -> None:
    key = await sent_in_part(world)
    assert (await cancel_rest(world, key))["status"] == "complete/complete"
    view = await goods(world, key, lambda view: bool(view.cases), "names the money")
    assert [str(line.cancelled) for line in view.lines] == ["2"]
    assert (view.state, undone(view)) == (State.DISPATCHED, 1)
    case = view.cases[0]
    assert (case.step, str(case.amount)) == ("refund what was cancelled", "94.01 EUR")
    assert "credit the invoice in the billing system, then decide 'skip'" in case.do_next
    await world.runs.hint_goods(key, "shop-lines")  # told again, as after a kill of the feed
    await decide(world, case, DecisionKind.SKIP)
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert (result.state, str(result.lines[0].cancelled), undone(result)) == (State.DELIVERED, "2", 1)


async def test_shop_and_erp_do_not_answer_each_others_cancellations(world: World) -> None:
    key = await sent_in_part(world)
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    view = await goods(world, key, lambda view: bool(view.cases), "names the money")
    assert "cancel the rest in the shop" in view.cases[0].do_next
    looks = len(await asyncio.to_thread(world.sandbox.requests, "magento"))
    await cancel_rest(world, key)

    async def looked() -> bool:
        found = await asyncio.to_thread(world.sandbox.requests, "magento")
        return any("relation_child_real_id" in str(row) and "/orders/" in row["path"] for row in found[looks:])

    await world.wait_until(looked, what=f"the run of {key} looks at the shop")
    await decide(world, view.cases[0], DecisionKind.SKIP)
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert (str(result.lines[0].cancelled), undone(result), len(result.skipped)) == ("2", 1, 1)


async def test_what_left_the_house_before_the_shop_knew_is_never_cancelled_and_named_to_a_person(world: World) -> None:
    key = await sent_in_part(world, 4)
    async with world.faults("magento", DOWN | {"match": {"method": "POST", "path": r"/order/\d+/ship$"}}):
        await ship_one(world, key)
        await goods(world, key, lambda view: view.lines[0].shipped == 2, "the second piece has left")
        await cancel_rest(world, key)
    refused = await goods(world, key, lambda view: bool(view.cases), "the shop does not take the second piece")
    assert refused.cases[0].step.startswith("write shipment")  # our own look refuses it, or the shop itself
    await decide(world, refused.cases[0], DecisionKind.SKIP)
    steps = {"refund what was cancelled", "agree with the shop's cancellation"}
    view = await goods(world, key, lambda view: steps <= {case.step for case in view.cases}, "asks a person")
    assert [f"{line.cancelled} of {line.ordered}" for line in view.lines] == ["2 of 4"]
    too_late = next(case for case in view.cases if case.step == "agree with the shop's cancellation")
    assert "1 of line" in too_late.came_back
