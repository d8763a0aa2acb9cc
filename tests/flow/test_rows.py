"""Rows of every kind go the whole way: a variant, bundles whole or in parts, a kit with its own price, downloads."""

import asyncio
from decimal import Decimal

import pytest
from temporalio.testing import ActivityEnvironment

from activities.fulfillment import LookAtShop, ShopProgress
from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import State
from settings.systems import connect_systems
from tests.flow.test_goods import WITHIN, decide, goods, parked, shipments, shop_order, written
from tests.flow.world import World
from tests.reconcile.desk import compared
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

SHIRT, WHOLE, IN_PARTS, KIT = "HF-2000-M", "HF-3000", "HF-3100", "HF-3200"
DOWNLOAD = "HF-4001"
ON_ACCOUNT = {"company": 501, "customer": None, "payment_method": "purchaseorder", "po_number": "PO-1"}


async def bought(world: World, *items: tuple[str, int], on_account: bool) -> str:
    key = await world.place_in_shop(*items, **(ON_ACCOUNT if on_account else {}))
    if not on_account:
        await world.link_of(key)
        await world.pay(key)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    return key


async def counted(world: World, key: str) -> dict[str, tuple[Decimal, Decimal]]:
    """What the shop itself counts as shipped and invoiced, by row."""
    order = await shop_order(world, key)
    connected = connect_systems(world.stand.settings, world.ledger)
    try:
        looks = (each for each in connected.activities["magento"] if each.__name__ == "look_at_order")
        task = LookAtShop(order_key=key, store="de", number=key.partition(":")[2], shop_id=order["id"])
        progress: ShopProgress = await ActivityEnvironment().run(next(looks), task)
        return {row.line: (row.shipped, row.invoiced) for row in progress.lines}
    finally:
        await connected.close()


@pytest.mark.parametrize("on_account", [False, True], ids=["prepaid", "on account"])
async def test_variants_bundles_and_kits_ship_in_parts_and_complete_the_order(world: World, on_account: bool) -> None:
    key = await bought(world, (SHIRT, 2), (WHOLE, 2), (IN_PARTS, 1), (KIT, 1), on_account=on_account)
    await world.act("salesforce", "approve", order=key)
    lines = [
        {SHIRT: 1, "HF-3000-A": 1, "HF-3000-B": 1, "HF-3100-A": 1},
        {SHIRT: 1, "HF-3000-A": 1, "HF-3000-B": 1, "HF-3100-B": 1, KIT: 1},
    ]
    for count, sent in enumerate(lines, 1):
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in sent.items()]
        await world.act("salesforce", "ship", order=key, lines=wanted)
        view = await goods(world, key, written(count), f"shipment {count} is in the shop")
        assert view.skipped == ()
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.cases, result.skipped) == (State.DELIVERED, (), ())
    assert (await shop_order(world, key))["status"] == "complete/complete"
    assert {line.sku: str(line.shipped) for line in result.lines} == {
        **dict.fromkeys((SHIRT, "HF-3000-A", "HF-3000-B"), "2"),
        **dict.fromkeys(("HF-3100-A", "HF-3100-B", KIT), "1"),
    }
    shop = await counted(world, key)
    assert all(shop[line.line][1] == line.shipped for line in result.lines), "invoiced are the rows with the price"
    assert all(shop[line.line][0] == line.shipped for line in result.lines)
    assert len(await shipments(world, key)) == 2
    _, found = await compared(world, pair="shipments")
    assert [one for one in found if one.order_key == key] == []
    assert len(await invoiced(world, key)) == (2 if on_account else 1)


@pytest.mark.parametrize("on_account", [False, True], ids=["prepaid", "on account"])
async def test_an_order_of_downloads_alone_is_invoiced_and_ends_without_a_warehouse(
    world: World, on_account: bool
) -> None:
    key = await bought(world, (DOWNLOAD, 2), on_account=on_account)
    await goods(world, key, lambda view: view.state is State.DELIVERED, "has nothing to wait for")
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.cases, result.reason) == (State.DELIVERED, (), "nothing of it is shipped")
    assert (await shop_order(world, key))["status"] == "complete/complete"
    assert await invoiced(world, key) == [{DOWNLOAD: 2}]
    assert await shipments(world, key) == []


async def test_downloads_on_account_are_invoiced_once_after_the_first_shipment(world: World) -> None:
    key = await bought(world, ("HF-1001", 2), (DOWNLOAD, 1), on_account=True)
    await world.act("salesforce", "approve", order=key)
    await goods(world, key, lambda view: bool(view.lines), "is read")
    assert await invoiced(world, key) == []
    for count in (1, 2):
        await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
        await goods(world, key, written(count), f"shipment {count} is in the shop")
    await world.runs.hint_goods(key, "again")
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.cases, result.skipped) == (State.DELIVERED, (), ())
    assert await invoiced(world, key) == [{"HF-1001": 1}, {DOWNLOAD: 1}, {"HF-1001": 1}]
    assert (await shop_order(world, key))["status"] == "complete/complete"


async def test_a_cancellation_takes_downloads_on_account_along_until_they_are_invoiced(world: World) -> None:
    key = await bought(world, ("HF-1001", 2), (DOWNLOAD, 1), on_account=True)
    await goods(world, key, lambda view: bool(view.lines), "is read")
    request = CancelRequest(by="portal", reason="changed my mind")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    case = await parked(world, key)
    assert case.amount is not None
    assert case.amount.minor == (await shop_order(world, key))["total_minor"], "the delivery goes back too"
    await decide(world, case, DecisionKind.SKIP)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert (result.state, result.cases) == (State.CANCELLED, ())
    assert await invoiced(world, key) == []


async def test_downloads_that_are_invoiced_stay_when_the_rest_is_cancelled(world: World) -> None:
    key = await bought(world, ("HF-1001", 2), (DOWNLOAD, 1), on_account=True)
    await world.act("salesforce", "approve", order=key)
    await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
    await goods(world, key, lambda view: len(view.documents) == 3, "has a shipment and two invoices")
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    await decide(world, await parked(world, key), DecisionKind.SKIP)
    await world.act("carrier", "deliver", order=key)
    result = await asyncio.wait_for(world.runs.goods(key).result(), WITHIN)
    assert {line.sku: str(line.cancelled) for line in result.lines} == {"HF-1001": "1", DOWNLOAD: "0"}
    assert await invoiced(world, key) == [{"HF-1001": 1}, {DOWNLOAD: 1}]


async def invoiced(world: World, key: str) -> list[dict[str, int]]:
    """Quantities by article of each of the order's invoices in the shop, oldest first."""
    books = await asyncio.to_thread(world.sandbox.books, "magento")
    mine = sorted((row for row in books["invoices"] if row["refs"]["order_key"] == key), key=lambda row: int(row["id"]))
    return [{line["sku"]: int(Decimal(line["quantity"])) for line in row["lines"]} for row in mine]
