"""From a booked order to goods at the door: shop, customer and portal follow the ERP, once for each shipment."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from activities.fulfillment import FulfillmentView
from activities.ledger.fulfillment import FulfillmentBook
from commerce.documents import CancelRequest, Case, Decision, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.world import World
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

WITHIN = 60.0
DOWN = {"kind": "down"}


async def bought(world: World, *items: tuple[str, int]) -> str:
    """A shop order, paid and invoiced; its goods are handed over."""
    key = await world.place_in_shop(*items)
    await world.link_of(key)
    await world.pay(key)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    return key


async def goods(world: World, key: str, good: Callable[[FulfillmentView], bool], what: str) -> FulfillmentView:
    """The goods' view once it is good."""
    handle = world.runs.goods(key)
    last: FulfillmentView | None = None

    async def seen() -> bool:
        nonlocal last
        try:
            last = await handle.query(OrderFulfillmentTracking.view)
        except Exception:  # noqa: BLE001 - not started yet
            return False
        return good(last)

    await world.wait_until(seen, within=WITHIN, what=f"{key}: {what}, at last {last}")
    assert last is not None
    return last


async def shipments(world: World, key: str) -> list[dict[str, Any]]:
    books = await asyncio.to_thread(world.stand.sandbox.books, "magento")
    return [row for row in books["shipments"] if row["refs"].get("order_key") == key]


async def mails(world: World, key: str) -> list[str]:
    number = key.partition(":")[2]
    return sorted(m["subject"] for m in await messages(world.stand.sandbox) if number in m["subject"])


def written(count: int) -> Callable[[FulfillmentView], bool]:
    return lambda view: sum(shipment.written_back for shipment in view.shipments) == count


async def parked(world: World, key: str) -> Case:
    view = await goods(world, key, lambda view: bool(view.cases), "is parked")
    return view.cases[0]


async def decide(world: World, case: Case, kind: DecisionKind) -> None:
    decision = Decision(case_id=case.id, kind=kind, by="dana", reason="settled by hand")
    await world.runs.goods(case.order_key).execute_update(OrderFulfillmentTracking.decide, decision)


async def test_goods_ship_are_tracked_and_arrive_and_everybody_hears_once(world: World) -> None:
    key = await bought(world, ("HF-1001", 2))
    await world.act("salesforce", "ship", order=key, tracking=f"JD-{key[3:]}")
    view = await goods(world, key, written(1), "the shipment is in the shop")
    (shipment,) = view.shipments
    assert (view.state, shipment.state, shipment.carrier) == (State.DISPATCHED, State.DISPATCHED, "DHL")
    assert [track.number for track in shipment.tracks] == [f"JD-{key[3:]}"]
    assert shipment.tracks[0].link.endswith(f"JD-{key[3:]}")
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.ended) == (State.DELIVERED, True)
    assert result.shipments[0].tracks[0].delivered_at is not None
    assert len(await shipments(world, key)) == 1
    entity = await shop_order(world, key)
    assert entity["status"] == "complete/complete"
    subjects = await mails(world, key)
    assert len([s for s in subjects if "unterwegs" in s]) == 1
    assert len([s for s in subjects if "zugestellt" in s]) == 1


async def shop_order(world: World, key: str) -> dict[str, Any]:
    books = await asyncio.to_thread(world.stand.sandbox.books, "magento")
    return next(row for row in books["orders"] if row["refs"].get("order_key", row["key"]) == key or row["key"] == key)


async def test_a_split_order_is_followed_shipment_by_shipment(world: World) -> None:
    key = await bought(world, ("HF-1001", 3), ("HF-1003", 1))
    await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
    view = await goods(world, key, written(1), "the first shipment is in the shop")
    assert view.state in (State.BOOKED, State.ALLOCATED)
    await world.act("salesforce", "ship", order=key)
    view = await goods(world, key, written(2), "the second shipment is in the shop")
    assert view.state is State.DISPATCHED
    assert len(await shipments(world, key)) == 2


@pytest.mark.parametrize(
    "fault",
    [{"kind": "lose-reply"}, {"kind": "cut-request"}, {"kind": "garble"}, {"kind": "limit"}],
    ids=["answer lost", "request lost", "answer unreadable", "refused for the moment"],
)
async def test_a_disturbed_shipment_is_one_shipment(world: World, fault: dict[str, Any]) -> None:
    key = await bought(world, ("HF-1001", 2))
    rule = fault | {"match": {"method": "POST", "path": r"/order/\d+/ship$"}, "times": 1}
    async with world.faults("magento", rule):
        await world.act("salesforce", "ship", order=key)
        await goods(world, key, written(1), "the shipment is in the shop")
        assert await world.fired("magento") == [1]
    assert len(await shipments(world, key)) == 1


async def test_an_erp_that_is_away_in_the_middle_of_a_split_shipment_loses_nothing(world: World) -> None:
    key = await bought(world, ("HF-1001", 3))
    await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
    await goods(world, key, written(1), "the first shipment is in the shop")
    async with world.faults("salesforce", DOWN):
        await world.act("salesforce", "ship", order=key)
    await goods(world, key, written(2), "the second shipment is in the shop")
    assert len(await shipments(world, key)) == 2


async def test_goods_that_the_shop_does_not_take_are_shown_and_late_meanwhile(world: World) -> None:
    key = await bought(world, ("HF-1001", 2))
    book = FulfillmentBook(world.ledger.engine)

    async def told() -> list[str]:
        found = await book.late(datetime.now(UTC), write_back=timedelta(0), delivery=timedelta(days=1))
        return [late.what for late in found if late.order_key == key]

    async def is_late() -> bool:
        return await told() == ["shipped but not written back"]

    async with world.faults("magento", DOWN | {"match": {"method": "POST", "path": r"/order/\d+/ship$"}}):
        await world.act("salesforce", "ship", order=key)
        await world.wait_until(is_late, within=WITHIN, what=f"{key} is listed while the shop is away")
        kept = await book.view(key)
        assert kept is not None
        assert (kept.state, kept.shipments[0].written_back) == (State.DISPATCHED, False)
    await goods(world, key, written(1), "the shipment is in the shop")
    await world.wait_until(lambda: _none(told), within=WITHIN, what=f"{key} is late no more")


async def test_goods_that_are_cancelled_in_the_engine_end_there_and_leave_no_case_open(world: World) -> None:
    key = await bought(world, ("HF-1001", 2))

    async def is_open() -> bool:
        return bool(await world.ledger.open_cases(order_key=key))

    async with world.faults(
        "magento", {"kind": "status", "status": 400, "match": {"method": "POST", "path": r"/order/\d+/ship$"}}
    ):
        await world.act("salesforce", "ship", order=key)
        await world.wait_until(is_open, within=WITHIN, what=f"{key} is parked")
        await world.runs.goods(key).cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert isinstance(ended.value.cause, CancelledError)
    assert not await is_open()


async def test_goods_that_are_cancelled_in_the_engine_close_the_case_beside_their_way(world: World) -> None:
    key = await bought(world, ("HF-1001", 1))
    await goods(world, key, lambda view: bool(view.lines), "the ERP was read")
    await world.runs.goods(key).execute_update(
        OrderFulfillmentTracking.cancel, CancelRequest(by="portal", reason="found it cheaper")
    )
    assert (await parked(world, key)).step == "refund what was cancelled"
    await world.runs.goods(key).cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert isinstance(ended.value.cause, CancelledError)
    assert not await world.ledger.open_cases(order_key=key)


async def _none(told: Callable[[], Awaitable[list[str]]]) -> bool:
    return not await told()


async def test_what_is_open_is_cancelled_and_its_money_named_to_a_person(world: World) -> None:
    key = await bought(world, ("HF-1001", 3))
    await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
    await goods(world, key, written(1), "the first shipment is in the shop")
    request = CancelRequest(by="portal", reason="two are enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    case = await parked(world, key)
    assert case.step == "refund what was cancelled"
    assert str(case.amount) == "94.01 EUR"
    assert not case.may_give_up, "what has left the house cannot be undone"
    with pytest.raises(WorkflowUpdateFailedError):
        await decide(world, case, DecisionKind.GIVE_UP)
    await world.act("carrier", "deliver", order=key)
    await goods(world, key, lambda view: view.state is State.DELIVERED, "has arrived, and waits for the decision alone")
    await decide(world, case, DecisionKind.SKIP)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, len(result.skipped)) == (State.DELIVERED, 1)
    assert result.lines[0].cancelled == 2


async def test_a_late_change_starts_the_goods_again_and_nothing_is_asked_or_told_twice(world: World) -> None:
    key = await bought(world, ("HF-1001", 3))
    made = await world.act("salesforce", "ship", order=key, tracking=None, lines=[{"sku": "HF-1001", "quantity": 1}])
    await goods(world, key, written(1), "the shipment is in the shop")
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    await decide(world, await parked(world, key), DecisionKind.SKIP)
    await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=f"L1-{key[3:]}")
    await goods(world, key, lambda view: bool(view.shipments[0].tracks), "the number has come")
    await deliver(world, f"L1-{key[3:]}")
    first = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    before, mailed = await shipments(world, key), await mails(world, key)

    await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=f"L2-{key[3:]}")
    again = await goods(
        world, key, lambda view: any(t.number.startswith("L2") for s in view.shipments for t in s.tracks), "seen again"
    )
    assert (first.cases, again.cases) == ((), ())
    await deliver(world, f"L2-{key[3:]}")
    second = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (second.state, second.skipped) == (State.DELIVERED, first.skipped), "what was decided stays decided"
    assert [row["id"] for row in await shipments(world, key)] == [row["id"] for row in before]
    assert await mails(world, key) == mailed


async def deliver(world: World, number: str) -> None:
    """The carrier hears of a parcel a moment after the warehouse."""

    async def heard_of() -> bool:
        books = await asyncio.to_thread(world.stand.sandbox.books, "carrier")
        return any(row["number"] == number for row in books["shipments"])

    await world.wait_until(heard_of, within=WITHIN, what=f"the carrier has parcel {number}")
    await world.act("carrier", "deliver", number=number)


async def test_a_back_ordered_line_is_said_once_and_ships_when_goods_arrive(world: World) -> None:
    key = await bought(world, ("HF-1002", 2))
    for warehouse in ("Hamburg", "Basel"):
        await world.act("salesforce", "change-stock", sku="HF-1002", warehouse=warehouse, quantity=0)
    try:
        assert (await world.act("salesforce", "allocate", order=key))["short"] == "2"
        view = await goods(world, key, lambda view: view.state is State.BACK_ORDERED, "is back-ordered")
        assert view.waiting_on == "goods"
    finally:
        await world.act("salesforce", "change-stock", sku="HF-1002", warehouse="Hamburg", quantity=1000)
    await world.act("salesforce", "ship", order=key)
    await goods(world, key, written(1), "the shipment is in the shop")
    assert len([s for s in await mails(world, key) if "verzögert" in s]) == 1


async def test_an_order_from_a_portal_ships_without_any_shop(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=order.key)
    await world.act("salesforce", "ship", order=order.key)
    view = await goods(world, order.key, lambda view: view.state is State.DISPATCHED, "is dispatched")
    assert not view.shipments[0].written_back
    assert await shipments(world, order.key) == []
