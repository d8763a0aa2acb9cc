"""Quantities that are cancelled in the shop while the order goes on: the ERP follows them once, and never too far."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from activities.fulfillment import FulfillmentView
from activities.ledger.fulfillment import FulfillmentBook
from commerce.documents import CancelRequest, Case, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.test_edits import TERMS
from tests.flow.test_goods import DOWN, bought, decide, goods, shipments, shop_order, written
from tests.flow.world import World
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

SHIPS = {"match": {"method": "POST", "path": r"/order/\d+/ship$"}}
REFUSED = {"kind": "status", "status": 400} | SHIPS
SHOP_STEPS = {"refund what was cancelled", "agree with the shop's cancellation"}


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


async def test_what_the_shop_cancels_while_a_shipment_waits_for_a_person_is_cancelled_at_the_erp_meanwhile(
    world: World,
) -> None:
    key = await sent_in_part(world, 4)
    async with world.faults("magento", REFUSED):
        await ship_one(world, key)
        stuck = await parks(world, key, "write shipment")
        await cancel_rest(world, key)  # three, of which one has left the house
        view = await goods(world, key, lambda view: {case.step for case in view.cases} >= SHOP_STEPS, "asks a person")
        assert [f"{line.cancelled} of {line.ordered}" for line in view.lines] == ["2 of 4"]
        assert stuck.id in {case.id for case in view.cases}, "it still waits"
    too_late = await parks(world, key, "agree with the shop's cancellation")
    assert "1 of line" in too_late.came_back
    await decide(world, stuck, DecisionKind.RETRY)
    refused = await parks(world, key, "write shipment", but=stuck)
    assert "the shop has 0 open" in refused.came_back
    for case in (refused, too_late, await parks(world, key, "refund what was cancelled")):
        await decide(world, case, DecisionKind.SKIP)
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert (result.state, undone(result), len(result.skipped)) == (State.DELIVERED, 1, 3)
    assert [str(line.cancelled) for line in result.lines] == ["2"]
    assert len(await shipments(world, key)) == 1


async def parks(world: World, key: str, step: str, *, but: Case | None = None) -> Case:
    """The open case of the step, another one than `but`."""

    def meant(view: FulfillmentView) -> list[Case]:
        return [case for case in view.cases if case.step.startswith(step) and (but is None or case.id != but.id)]

    return meant(await goods(world, key, lambda view: bool(meant(view)), f"parks at {step}"))[0]


@pytest.mark.parametrize("fault", [REFUSED, DOWN | SHIPS], ids=["a person", "the shop"])
async def test_what_is_open_is_cancelled_while_a_shipment_waits(world: World, fault: dict[str, Any]) -> None:
    key, undisturbed = await asyncio.gather(*(bought(world, ("HF-1001", 3)) for _ in range(2)))
    await ship_one(world, undisturbed)
    await goods(world, undisturbed, written(1), "the first piece is in the shop")
    await cancel(world, undisturbed)
    async with world.faults("magento", fault):
        await ship_one(world, key)
        if fault is REFUSED:
            stuck = await parks(world, key, "write shipment")
        else:
            await world.strikes("magento", 3)
        view = await cancel(world, key)
        assert [str(line.cancelled) for line in view.lines] == ["2"]
        assert (view.asked, [each.written_back for each in view.shipments]) == ((), [False])
    if fault is REFUSED:
        await decide(world, stuck, DecisionKind.RETRY)
    await goods(world, key, written(1), "the first piece is in the shop")
    for each in (key, undisturbed):
        await decide(world, await parks(world, each, "refund what was cancelled"), DecisionKind.SKIP)
        await world.act("carrier", "deliver", order=each)
    for each in (key, undisturbed):
        result = await asyncio.wait_for(world.runs.goods(each).result(), 60)
        assert (result.state, undone(result), len(result.skipped)) == (State.DELIVERED, 1, 1)
    assert await world.books(key) == await world.books(undisturbed)
    assert len(await shipments(world, key)) == len(await shipments(world, undisturbed)) == 1


async def cancel(world: World, key: str, reason: str = "one is enough") -> FulfillmentView:
    request = CancelRequest(by="portal", reason=reason)
    return await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)


async def test_a_cancellation_that_waits_for_a_case_at_the_erp_is_answered_and_shown_with_the_case(
    world: World,
) -> None:
    key = await bought(world, ("HF-1001", 2))
    await goods(world, key, lambda view: bool(view.lines), "the ERP was read")
    for do in ("approve", "allocate", "pick"):
        await world.act("salesforce", do, order=key)
    case = (await cancel(world, key)).cases[0]
    assert case.step == "cancel open quantities"
    assert (await cancel(world, key, "really")).asked[1:] == (
        f"cancel what is open (portal: really): is carried out once case {case.id} is decided",
    )
    book = FulfillmentBook(world.ledger.engine)

    async def kept() -> bool:
        view = await book.view(key)
        return view is not None and len(view.asked) == 2

    await world.wait_until(kept, what=f"what was asked of {key} is shown")
    await world.act("salesforce", "ship", order=key)
    await decide(world, case, DecisionKind.SKIP)
    view = await goods(world, key, written(1), "the shipment is in the shop")
    assert (view.asked, [str(line.cancelled) for line in view.lines], undone(view)) == ((), ["0"], 0)


async def test_an_order_that_the_shop_cancels_after_its_goods_have_ended_needs_no_person(world: World) -> None:
    key = await world.place_in_shop(("HF-1001", 1), **TERMS)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await goods(world, key, lambda view: bool(view.lines), "the ERP was read")
    await cancel(world, key)
    await decide(world, await parks(world, key, "refund what was cancelled"), DecisionKind.SKIP)
    first = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert first.state is State.CANCELLED
    await cancel_rest(world, key)

    async def followed() -> bool:
        view = await world.runs.goods(key).query(OrderFulfillmentTracking.view)
        return any("shop asked to cancel" in event.text for event in view.timeline)

    await world.wait_until(followed, what=f"the goods of {key} are followed again")
    again = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert (again.state, again.cases, again.skipped, undone(again)) == (State.CANCELLED, (), first.skipped, 0)
    assert key not in {row.reference for row in await world.ledger.quarantined()}


async def test_a_cancellation_in_the_shop_while_the_run_closes_is_followed(world: World) -> None:
    key = await world.place_in_shop(("HF-1001", 1), **TERMS)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    await ship_one(world, key)
    await goods(world, key, written(1), "the shipment is in the shop")

    async def closes() -> bool:
        view = await world.runs.goods(key).query(OrderFulfillmentTracking.view)
        return view.reason == "everything was delivered"

    async with last_view_held(world):
        await world.act("carrier", "deliver", order=key)
        await world.wait_until(closes, what=f"the run of {key} closes")
        assert await world.runs.hint_goods(key, "shop-canceled")
    case = await parks(world, key, "agree with the shop's cancellation")
    assert "1 of line" in case.came_back
    await decide(world, case, DecisionKind.SKIP)
    result = await asyncio.wait_for(world.runs.goods(key).result(), 60)
    assert (result.state, result.ended, len(result.skipped)) == (State.DELIVERED, True, 1)


@contextlib.asynccontextmanager
async def last_view_held(world: World) -> AsyncIterator[None]:
    """Our memory takes the last view of any run only afterwards."""
    hold = "IF NEW.ended_at IS NOT NULL THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW"
    async with world.ledger.engine.begin() as db:
        await db.execute(sa.text(f"CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {hold}; END $$"))
        await db.execute(
            sa.text("CREATE TRIGGER hold BEFORE INSERT OR UPDATE ON fulfillments FOR EACH ROW EXECUTE FUNCTION hold()")
        )
    try:
        async with world.ledger.engine.begin() as db:
            await db.execute(sa.text("SELECT pg_advisory_xact_lock(7)"))
            yield
    finally:
        async with world.ledger.engine.begin() as db:
            await db.execute(sa.text("DROP FUNCTION hold CASCADE"))
