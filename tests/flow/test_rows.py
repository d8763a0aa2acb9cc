"""Rows of every kind go the whole way: a variant, bundles that leave whole or in parts, a kit with its own price."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.fulfillment import LookAtShop, ShopProgress
from commerce.documents import Stage
from commerce.fulfillment import State
from settings.systems import connect_systems
from tests.flow.test_goods import WITHIN, goods, shipments, shop_order, written
from tests.flow.world import World
from tests.reconcile.desk import compared

SHIRT, WHOLE, IN_PARTS, KIT = "HF-2000-M", "HF-3000", "HF-3100", "HF-3200"
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
    invoices = [row for row in await _invoices(world) if row["refs"]["order_key"] == key]
    assert len(invoices) == (2 if on_account else 1)


async def _invoices(world: World) -> list[dict[str, Any]]:
    books = await asyncio.to_thread(world.sandbox.books, "magento")
    return list(books["invoices"])
