"""Every write of goods to Magento loses its answer a hundred times: a hundred shipments, tracks and invoices."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from activities.fulfillment import InvoiceShipped, NoteGoods, WriteShipment
from activities.magento.client import MagentoClient
from activities.magento.notes import MagentoNotes
from activities.magento.shipping import MagentoShipping
from commerce.fulfillment import Portion, Shipment, State
from tests.activities.juston.desk import Notes
from tests.activities.magento.conftest import Placed, Shop, settings_for
from tests.flow.orders import portal_order
from tests.once.rig import Path, Trouble, abreast, cases, troubled
from tests.once.table import INVOICE_SHIPPED, NOTE, SHIP, TRACK
from tests.sandbox_process import Sandbox

PIECES = 3  # of which one ships: a second shipment would find room


@pytest.fixture(scope="module")
async def shop(vendors: Sandbox) -> AsyncIterator[Shop]:
    client = MagentoClient(settings_for(vendors, timeout_seconds=4, settled_after_seconds=5), system="shop")
    yield Shop(vendors, client)
    await client.close()


@pytest.fixture
def ships(shop: Shop) -> MagentoShipping:
    return MagentoShipping(shop.client, system="shop", memory=Notes())


@pytest.mark.parametrize(("path", "trouble"), cases(SHIP))
async def test_every_shipment_is_in_the_shop_once(
    shop: Shop, ships: MagentoShipping, path: Path, trouble: Trouble
) -> None:
    tasks = await _shipments(shop, trouble.orders, tracking="T")
    await troubled(shop.sandbox, path, trouble, ships.ensure_shipment, tasks)
    assert await _in_shop(shop, tasks) == {task.order_key: "1 shipped in 1, tracks T" for task in tasks}


@pytest.mark.parametrize(("path", "trouble"), cases(TRACK))
async def test_every_track_that_comes_later_is_in_the_shop_once(
    shop: Shop, ships: MagentoShipping, path: Path, trouble: Trouble
) -> None:
    tasks = await _shipments(shop, trouble.orders, tracking="")
    await abreast(ships.ensure_shipment, tasks)
    later = [task.model_copy(update={"shipment": task.shipment.model_copy(update={"tracking": "L"})}) for task in tasks]
    await troubled(shop.sandbox, path, trouble, ships.ensure_shipment, later)
    assert await _in_shop(shop, tasks) == {task.order_key: "1 shipped in 1, tracks L" for task in tasks}


@pytest.mark.parametrize(("path", "trouble"), cases(INVOICE_SHIPPED))
async def test_every_shipment_on_account_is_invoiced_once(
    shop: Shop, ships: MagentoShipping, path: Path, trouble: Trouble
) -> None:
    shipments = await _shipments(shop, trouble.orders, tracking="")
    tasks = [
        InvoiceShipped(
            order_key=task.order_key,
            store=task.store,
            number=task.number,
            shop_id=task.shop_id,
            key=task.shipment.number,
            portions=task.shipment.portions,
        )
        for task in shipments
    ]
    await troubled(shop.sandbox, path, trouble, ships.invoice_shipped, tasks)
    for task in tasks:
        (row,) = (await shop.entity(task.shop_id))["items"]
        assert Decimal(str(row["qty_invoiced"])) == 1


@pytest.mark.parametrize(("path", "trouble"), cases(NOTE))
async def test_every_note_about_goods_stands_in_the_shop_once(shop: Shop, path: Path, trouble: Trouble) -> None:
    notes = MagentoNotes(shop.client, system="shop", memory=Notes())
    placed = await abreast(lambda _: shop.place(), list(range(trouble.orders)))
    tasks = [
        NoteGoods(
            key=f"delivered:SH-{one.number}",
            template="delivered",
            order=portal_order(store=one.store, number=one.number, shop_id=one.shop_id),
            shipment=f"SH-{one.number}",
        )
        for one in placed
    ]
    await troubled(shop.sandbox, path, trouble, notes.note_goods, tasks)
    for one in placed:
        assert len(await shop.comments(one)) == 1


async def _shipments(shop: Shop, count: int, *, tracking: str) -> list[WriteShipment]:
    async def one(number: int) -> WriteShipment:
        placed: Placed = await shop.place(items=[{"sku": "HF-1001", "qty": PIECES}])
        (row,) = (await shop.entity(placed.shop_id))["items"]
        goods = (Portion(line=str(row["item_id"]), sku="HF-1001", quantity=Decimal(1)),)
        shipment = Shipment(
            number=f"SH-{placed.number}", id="a2L", state=State.DISPATCHED, portions=goods, tracking=tracking
        )
        return WriteShipment(
            order_key=placed.key, store=placed.store, number=placed.number, shop_id=placed.shop_id, shipment=shipment
        )

    return await abreast(one, list(range(count)))


async def _in_shop(shop: Shop, tasks: list[WriteShipment]) -> dict[str, str]:
    """Pieces shipped, in how many shipments, with which tracks, as the shop itself shows them."""
    keys = {task.shop_id: task.order_key for task in tasks}
    pieces: dict[str, Decimal] = {}
    found: dict[str, list[str]] = {key: [] for key in keys.values()}
    documents: dict[str, int] = dict.fromkeys(keys.values(), 0)
    async for row in shop.client.keyset("shipments", [], tried="list"):
        key = keys.get(str(row["order_id"]))
        if key is not None:
            documents[key] += 1
            found[key] += [track["track_number"] for track in row["tracks"]]
            pieces[key] = pieces.get(key, Decimal(0)) + sum(Decimal(str(item["qty"])) for item in row["items"])
    return {
        key: f"{pieces.get(key)} shipped in {documents[key]}, tracks {','.join(found[key])}" for key in keys.values()
    }
