"""Shipments in the shop: one for each of the ERP's, with its goods, source and tracks, whatever happens to answers."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.fulfillment import InvoiceShipped, LookAtShop, WriteShipment
from activities.magento.client import Filter, MagentoClient
from activities.magento.shipping import MagentoShipping
from commerce.failures import Family
from commerce.fulfillment import Parcel, Portion, Shipment, State
from tests.activities.juston.desk import Notes, as_engine
from tests.activities.magento.conftest import Placed, Shop

LOST = {"kind": "lose-reply", "match": {"method": "POST", "path": "/ship$"}, "times": 1}


@pytest.fixture
def ships(shop: Shop, client: MagentoClient) -> MagentoShipping:
    return MagentoShipping(client, system="shop", memory=Notes())


async def rows_of(shop: Shop, order: Placed) -> dict[str, dict[str, Any]]:
    """The shop's rows by SKU; of a configurable its own row, not its variant's."""
    entity = await shop.entity(order.shop_id)
    return {row["sku"]: row for row in reversed(entity["items"])}


async def portions(shop: Shop, order: Placed, **quantities: int) -> tuple[Portion, ...]:
    rows = await rows_of(shop, order)
    named = {name.replace("_", "-"): quantity for name, quantity in quantities.items()}
    return tuple(
        Portion(line=str(rows[sku]["item_id"]), sku=sku, quantity=Decimal(quantity)) for sku, quantity in named.items()
    )


def who(order: Placed) -> dict[str, Any]:
    return {"order_key": order.key, "store": order.store, "number": order.number, "shop_id": order.shop_id}


def task(order: Placed, goods: tuple[Portion, ...], number: str = "SH000001", **more: Any) -> WriteShipment:
    shipment = Shipment.model_validate(
        {
            "number": number,
            "id": "a2L1",
            "state": State.DISPATCHED,
            "portions": goods,
            "carrier": "DHL",
            "service": "Express",
            "tracking": f"T-{number}",
            **more,
        }
    )
    return WriteShipment(**who(order), shipment=shipment)


async def shipments(shop: Shop, order: Placed) -> list[dict[str, Any]]:
    mine = [[Filter("order_id", order.shop_id)]]
    return (await shop.client.search("shipments", mine, tried="list", sort=(("entity_id", "ASC"),))).items


async def test_a_shipment_is_written_once_with_lines_tracks_and_our_number(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}, {"sku": "HF-1003", "qty": 1}])
    goods = await portions(shop, order, HF_1001=2, HF_1003=1)
    first, again = [(await ships.ensure_shipment(task(order, goods))).document for _ in range(2)]
    assert first is not None
    assert again is not None
    assert (first.adopted, again.adopted, again.id, first.key) == (False, True, first.id, "SH000001")
    (found,) = await shipments(shop, order)
    assert {row["sku"]: Decimal(str(row["qty"])) for row in found["items"]} == {"HF-1001": 2, "HF-1003": 1}
    assert [(t["track_number"], t["title"], t["carrier_code"]) for t in found["tracks"]] == [
        ("T-SH000001", "DHL Express", "dhl")
    ]
    progress = await ships.look_at_order(LookAtShop(**who(order)))
    counted = {line.sku: f"{line.shipped:f} of {line.ordered:f}" for line in progress.lines}
    assert counted == {"HF-1001": "2 of 3", "HF-1003": "1 of 1"}


async def test_a_split_order_is_complete_when_all_is_shipped_and_invoiced(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}])
    await shop.does.ensure_invoice(order.invoice())
    await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=1), "SH1"))
    assert (await shop.entity(order.shop_id))["state"] == "processing"
    await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=2), "SH2"))
    assert (await shop.entity(order.shop_id))["state"] == "complete"
    assert len(await shipments(shop, order)) == 2


async def test_an_answer_lost_after_the_commit_makes_no_second_shipment(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}])
    goods = await portions(shop, order, HF_1001=1)
    shop.faults(LOST)
    made = (await as_engine(ships.ensure_shipment, task(order, goods))).document
    assert made is not None
    assert made.adopted
    assert len(await shipments(shop, order)) == 1


async def test_tracks_that_come_later_are_added_once_and_every_box_has_its_own(
    shop: Shop, ships: MagentoShipping
) -> None:
    order = await shop.place()
    goods = await portions(shop, order, HF_1001=2)
    await ships.ensure_shipment(task(order, goods, tracking=""))
    boxes = (Parcel(number="B1", tracking="T1"), Parcel(number="B2", tracking="T2"))
    later = task(order, goods, tracking="", parcels=boxes)
    shop.faults({"kind": "lose-reply", "match": {"method": "POST", "path": "/track$"}, "times": 1})
    await as_engine(ships.ensure_shipment, later)
    await ships.ensure_shipment(later)
    (found,) = await shipments(shop, order)
    assert sorted(track["track_number"] for track in found["tracks"]) == ["T1", "T2"]


async def test_more_than_the_shop_has_open_asks_a_person_and_ships_nothing(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 2}])
    await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=1), "SH1"))
    with pytest.raises(ApplicationError, match="2 of HF-1001 left the house, the shop has 1 open") as caught:
        await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=2), "SH2"))
    assert caught.value.type == Family.NEEDS_PERSON.value
    assert len(await shipments(shop, order)) == 1


async def test_a_shipment_with_our_number_and_other_goods_asks_a_person(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}])
    await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=1)))
    with pytest.raises(ApplicationError, match="holds 1 of HF-1001, ours 2 of HF-1001"):
        await ships.ensure_shipment(task(order, await portions(shop, order, HF_1001=2)))


async def test_an_order_canceled_in_the_shop_takes_no_shipment_and_a_person_hears(
    shop: Shop, ships: MagentoShipping
) -> None:
    order = await shop.place()
    goods = await portions(shop, order, HF_1001=2)
    await shop.does.cancel_order(order.cancel())
    with pytest.raises(ApplicationError, match="the order is canceled in the shop"):
        await ships.ensure_shipment(task(order, goods))
    assert (await ships.look_at_order(LookAtShop(**who(order)))).cancelled


async def test_the_source_is_the_warehouses_and_an_unknown_warehouse_asks_a_person(
    shop: Shop, client: MagentoClient
) -> None:
    client_settings = client.settings.model_copy(update={"sources": {"Hamburg": "wh_hamburg"}})
    ships = MagentoShipping(client, system="shop", memory=Notes())
    ships._settings = client_settings
    order = await shop.place()
    goods = await portions(shop, order, HF_1001=1)
    await ships.ensure_shipment(task(order, goods, source="Hamburg"))
    (found,) = await shipments(shop, order)
    assert found["extension_attributes"]["source_code"] == "wh_hamburg"
    with pytest.raises(ApplicationError, match="leaves warehouse 'Wien', which is none of Hamburg"):
        await ships.ensure_shipment(task(order, goods, "SH2", source="Wien"))


async def test_goods_on_account_are_invoiced_in_the_quantities_that_shipped(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}])
    goods = await portions(shop, order, HF_1001=1)
    invoice = InvoiceShipped(**who(order), key="SH1", portions=goods)
    shop.faults({"kind": "lose-reply", "match": {"method": "POST", "path": "/invoice$"}, "times": 1})
    made = await as_engine(ships.invoice_shipped, invoice)
    again = await ships.invoice_shipped(invoice)
    assert (made.id, again.adopted) == (again.id, True)
    row = (await rows_of(shop, order))["HF-1001"]
    assert f"{row['qty_invoiced']} of {row['qty_ordered']}" == "1 of 3"
    everything = InvoiceShipped(**who(order), key="SH2", portions=await portions(shop, order, HF_1001=3))
    with pytest.raises(ApplicationError, match="3 of HF-1001 are to be invoiced, 2 are open"):
        await ships.invoice_shipped(everything)


async def test_a_shipment_without_any_of_the_orders_rows_ships_and_invoices_nothing(
    shop: Shop, ships: MagentoShipping
) -> None:
    """To the shop, no row means all of them."""
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 3}])
    with pytest.raises(ApplicationError, match="nothing of it is a row of the shop's order"):
        await ships.ensure_shipment(task(order, ()))
    with pytest.raises(ApplicationError, match="nothing of it is a row of the shop's order"):
        await ships.invoice_shipped(InvoiceShipped(**who(order), key="SH000001", portions=()))
    progress = await ships.look_at_order(LookAtShop(**who(order)))
    assert [f"{line.shipped:f} {line.invoiced:f}" for line in progress.lines] == ["0 0"]


async def test_a_line_that_the_shop_has_not_asks_a_person(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place()
    foreign = (Portion(line="999999", sku="HF-9", quantity=Decimal(1)),)
    with pytest.raises(ApplicationError, match="the ERP ships line 999999 \\(HF-9\\), which the shop has not"):
        await ships.ensure_shipment(task(order, foreign))
