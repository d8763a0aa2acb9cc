"""Shipped and written back, compared in the ERP and in the shop after real goods left the house."""

import asyncio
from datetime import UTC, datetime

import pytest

from commerce.documents import Stage
from commerce.fulfillment import State
from tests.flow.orders import portal_order
from tests.flow.test_goods import bought, goods, shipments, written
from tests.flow.world import World
from tests.reconcile.desk import Shop, compared, of

REFUSED = {"kind": "status", "status": 503, "match": {"method": "POST", "path": r"/order/\d+/ship$"}}


@pytest.fixture(scope="module")
def began() -> datetime:
    """Before the orders of this module."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
async def sent(world: World, began: datetime) -> dict[str, str]:
    """Shop orders of three lamps: two shipped, one waits; and a portal's order that was shipped whole."""
    order = portal_order()
    names = ("whole", "deleted", "by hand", "young")
    keys = dict(zip(names, await asyncio.gather(*(bought(world, ("HF-1001", 3)) for _ in names)), strict=True))
    await world.place(order)
    await world.pay(order.key)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=order.key)
    await world.act("salesforce", "ship", order=order.key)
    two = [{"sku": "HF-1001", "quantity": 2}]
    for name in ("whole", "deleted"):
        await world.act("salesforce", "ship", order=keys[name], lines=two)
    for name in ("whole", "deleted"):
        await goods(world, keys[name], written(1), "the shipment is in the shop")
    await world.act("salesforce", "ship", order=keys["whole"])
    await goods(world, keys["whole"], written(2), "the second shipment is in the shop")
    await goods(world, order.key, lambda view: view.state is State.DISPATCHED, "is dispatched")
    return {**keys, "portal": order.key}


async def test_what_shipped_and_was_written_back_is_in_step_and_a_portals_goods_are_in_no_shop(
    world: World, sent: dict[str, str], began: datetime
) -> None:
    report, found = await compared(world, began, pair="shipments")
    assert (report.in_step, found) == (True, [])
    [row] = report.pairs
    assert (row.left, row.right, int(row.left_pieces), int(row.right_pieces)) == (3, 3, 5, 5)
    [money] = row.money
    assert (money.left, money.right, money.matched) == (5 * 3950, 5 * 3950, 5 * 3950)


async def test_a_shipment_that_was_deleted_in_the_shop_is_missed_and_following_the_goods_brings_it_back(
    world: World, sent: dict[str, str], began: datetime
) -> None:
    key = sent["deleted"]
    [shown] = await shipments(world, key)
    await world.act("magento", "delete-shipment", entity_id=shown["id"])
    report, found = await compared(world, began, pair="shipments")
    assert of(found, key) == ["shipments: missing in shop shipments 79.00 EUR"]
    [lost] = found
    assert (lost.item, lost.explained, lost.command) == (shown["key"], "", f"starter.py follow {key}")
    assert report.verdict.startswith("1 difference (1 missing in shop shipments 79.00 EUR), oldest ")
    await world.runs.follow_goods(key)

    async def is_back() -> bool:
        return len(await shipments(world, key)) == 1

    await world.wait_until(is_back, what="the shipment is written again")
    assert (await compared(world, began, pair="shipments"))[1] == []


async def test_a_shipment_that_somebody_made_in_the_shop_is_named_and_says_what_to_do(
    world: World, sent: dict[str, str], began: datetime
) -> None:
    key = sent["by hand"]
    await Shop(world).ship(key, 1)
    [shown] = await shipments(world, key)
    _, found = await compared(world, began, pair="shipments")
    assert of(found, key) == ["shipments: missing in ERP shipments 39.50 EUR"]
    [stray] = found
    assert (stray.item, stray.explained, stray.command) == (shown["number"], "", f"starter.py explain {key}")
    assert f"shop shipment {shown['number']} over 39.50 EUR was made in the shop" in stray.remedy
    await world.act("salesforce", "allocate", order=key)
    made = await world.act("salesforce", "pick", order=key, lines=[{"sku": "HF-1001", "quantity": 1}])
    await Shop(world).comment(shown["id"], f"sent by hand as {made['shipping']}")
    await world.act("salesforce", "ship", order=key)
    await goods(world, key, written(1), "the shipment is taken for the ERP's")
    assert (await compared(world, began, pair="shipments"))[1] == []


async def test_a_shipment_that_is_on_its_way_to_the_shop_is_in_progress(world: World, sent: dict[str, str]) -> None:
    key, since = sent["young"], datetime.now(UTC)
    async with world.faults("magento", REFUSED):
        await world.act("salesforce", "ship", order=key, lines=[{"sku": "HF-1001", "quantity": 2}])
        await world.strikes("magento", 1)
        report, found = await compared(world, since, pair="shipments")
    assert report.in_step
    assert report.explained == {"in progress": 1}
    [young] = found
    assert young.order_key == key
    assert young.explained.startswith("in progress: left the house, on its way to the shop since ")
    await goods(world, key, written(1), "the shipment is in the shop")
