"""Rows of configurables and bundles: the ERP ships the rows with the price, the shop counts its own."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.fulfillment import InvoiceShipped
from activities.magento.client import MagentoClient
from activities.magento.shipped import shipment_of
from activities.magento.shipping import MagentoShipping
from commerce.fulfillment import Portion
from commerce.money import Money
from commerce.statements import Statement, StatementKind, StatementState
from tests.activities.juston.desk import Notes, as_engine
from tests.activities.magento.conftest import Placed, Shop
from tests.activities.magento.test_shipping import shipments, task, who

Rows = dict[str, dict[str, Any]]


@pytest.fixture
def ships(shop: Shop, client: MagentoClient) -> MagentoShipping:
    return MagentoShipping(client, system="shop", memory=Notes())


async def rows_of(shop: Shop, order: Placed) -> Rows:
    """The shop's rows by SKU; of a configurable and a bundle the head as `head`."""
    items = (await shop.entity(order.shop_id))["items"]
    return {"head" if row["product_type"] in ("configurable", "bundle") else row["sku"]: row for row in items}


def part(rows: Rows, name: str, quantity: int) -> Portion:
    return Portion(line=str(rows[name]["item_id"]), sku=name, quantity=Decimal(quantity))


@pytest.mark.parametrize(
    ("sku", "lines", "counted"),
    [
        ("HF-2000-M", ("head",), ("head",)),
        ("HF-3000", ("HF-3000-A", "HF-3000-B"), ("head",)),
        ("HF-3100", ("HF-3100-A", "HF-3100-B"), ("HF-3100-A", "HF-3100-B")),
        ("HF-3200", ("head",), ("head",)),
    ],
    ids=["configurable", "bundle as a whole", "bundle in parts", "kit at a price of its own"],
)
async def test_goods_of_each_kind_ship_and_are_invoiced_in_two_parts_and_complete_the_order(
    shop: Shop, ships: MagentoShipping, sku: str, lines: tuple[str, ...], counted: tuple[str, ...]
) -> None:
    order = await shop.place(items=[{"sku": sku, "qty": 3}])
    for number, quantity in (("SH1", 1), ("SH2", 2)):
        rows = await rows_of(shop, order)
        goods = tuple(part(rows, name, quantity) for name in lines)
        invoice = InvoiceShipped(**who(order), key=number, portions=goods)
        first = (await ships.ensure_shipment(task(order, goods, number))).document
        billed = await ships.invoice_shipped(invoice)
        again = (await ships.ensure_shipment(task(order, goods, number))).document
        assert first is not None
        assert again == first.model_copy(update={"adopted": True})
        assert (await ships.invoice_shipped(invoice)).id == billed.id
    rows = await rows_of(shop, order)
    shipped = {name: Decimal(str(rows[name]["qty_shipped"])) for name in counted}
    invoiced = {name: Decimal(str(rows[name]["qty_invoiced"])) for name in lines}
    assert set(shipped.values()) | set(invoiced.values()) == {Decimal(3)}
    assert (await shop.entity(order.shop_id))["state"] == "complete"


async def test_parts_that_leave_one_by_one_are_told_one_by_one(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-3100", "qty": 2}])
    rows = await rows_of(shop, order)
    for number, goods in (
        ("SH1", (part(rows, "HF-3100-A", 2),)),
        ("SH2", (part(rows, "HF-3100-B", 1),)),
        ("SH3", (part(rows, "HF-3100-B", 1),)),
    ):
        await ships.ensure_shipment(task(order, goods, number))
        await ships.invoice_shipped(InvoiceShipped(**who(order), key=number, portions=goods))
        await ships.ensure_shipment(task(order, goods, number))
    assert (await shop.entity(order.shop_id))["state"] == "complete"
    assert len(await shipments(shop, order)) == 3


async def test_a_bundle_that_leaves_as_a_whole_is_shown_with_its_last_part_and_the_tracks_of_all(
    shop: Shop, ships: MagentoShipping
) -> None:
    order = await shop.place(items=[{"sku": "HF-3000", "qty": 3}, {"sku": "HF-1001", "qty": 1}])
    rows = await rows_of(shop, order)
    a, b = "HF-3000-A", "HF-3000-B"
    sent = (
        ("SH1", (part(rows, a, 2), part(rows, "HF-1001", 1))),
        ("SH2", (part(rows, b, 1),)),
        ("SH3", (part(rows, a, 1),)),
        ("SH4", (part(rows, b, 2),)),
    )
    tasks = [task(order, goods, number) for number, goods in sent]
    told = []
    for _ in range(2):  # asked for again, each says the same and makes nothing
        for count, one in enumerate(tasks):
            before = tuple(each.shipment for each in tasks[:count])
            shown = await ships.ensure_shipment(one.model_copy(update={"before": before}))
            waits = {number: [f"{p.quantity} {p.sku}" for p in left] for number, left in shown.waits.items()}
            missing = [f"{p.quantity} {p.sku}" for p in shown.missing]
            told.append((shown.document is not None, shown.also, waits, missing))
    assert told[:4] == told[4:]
    assert told[:4] == [
        (True, (), {"SH1": [f"2 {a}"]}, [f"2 {b}"]),
        (True, ("SH1",), {"SH1": [f"1 {a}"]}, [f"1 {b}"]),
        (False, (), {"SH1": [f"1 {a}"], "SH3": [f"1 {a}"]}, [f"2 {b}"]),
        (True, ("SH1", "SH3"), {}, []),
    ]
    found = await shipments(shop, order)
    assert [[track["track_number"] for track in one["tracks"]] for one in found] == [
        ["T-SH1"],
        ["T-SH2", "T-SH1"],
        ["T-SH4", "T-SH1", "T-SH3"],
    ]
    counted = {name: Decimal(str(row["qty_shipped"])) for name, row in (await rows_of(shop, order)).items()}
    assert [str(counted[name].normalize()) for name in ("head", "HF-1001")] == ["3", "1"]


async def test_a_bundle_whose_setting_cannot_be_read_names_ours(
    shop: Shop, ships: MagentoShipping, client: MagentoClient
) -> None:
    order = await shop.place(items=[{"sku": "HF-3100", "qty": 1}])
    goods = (part(await rows_of(shop, order), "HF-3100-A", 1),)
    shop.sandbox.act("magento", "edit-product", sku="HF-3100", values={"shipment_type": ""})
    try:
        with pytest.raises(ApplicationError, match="the shop does not say how the bundle of row"):
            await ships.ensure_shipment(task(order, goods))
        ships._settings = client.settings.model_copy(update={"bundles_ship": "separately"})
        await ships.ensure_shipment(task(order, goods))
    finally:
        shop.sandbox.act("magento", "edit-product", sku="HF-3100", values={"shipment_type": "1"})
    assert len(await shipments(shop, order)) == 1


async def test_a_download_that_the_warehouse_sends_asks_a_person(shop: Shop, ships: MagentoShipping) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 1}, {"sku": "HF-4001", "qty": 1}])
    goods = (part(await rows_of(shop, order), "HF-4001", 1),)
    with pytest.raises(ApplicationError, match="HF-4001 left the house, and is virtual in the shop"):
        await ships.ensure_shipment(task(order, goods))


@pytest.mark.parametrize(
    ("sku", "erp", "holds"),
    [
        ("HF-3100", ("HF-3100-A", "HF-3100-B"), {"HF-3100-A": 2, "HF-3100-B": 2, "head": 2}),
        ("HF-3100", ("HF-3100-A",), {"HF-3100-A": 2}),
        ("HF-3000", ("HF-3000-A", "HF-3000-B"), {"HF-3000-A": 2, "HF-3000-B": 2, "head": 2}),
    ],
    ids=["in parts", "one part", "as a whole"],
)
async def test_a_reconciliation_reads_from_the_shops_rows_what_left(
    shop: Shop, ships: MagentoShipping, sku: str, erp: tuple[str, ...], holds: dict[str, int]
) -> None:
    order = await shop.place(items=[{"sku": sku, "qty": 3}])
    rows = await rows_of(shop, order)
    await ships.ensure_shipment(task(order, tuple(part(rows, name, 2) for name in erp)))
    (shown,) = await shipments(shop, order)
    statement = Statement(
        kind=StatementKind.SHOP_ORDER,
        system="shop",
        key=order.key,
        id=order.shop_id,
        number=order.number,
        amount=Money.zero("EUR"),
        state=StatementState.LIVE,
        created_at="2026-11-20T10:00:00Z",
        modified_at="2026-11-20T10:00:00Z",
    )
    pieces = shipment_of(statement, list(rows.values()), shown, prefix="Delivery ").goods
    names = {str(row["item_id"]): name for name, row in rows.items()}
    assert {names[piece.line]: piece.quantity for piece in pieces} == holds


async def test_what_is_never_shipped_is_invoiced_once_under_the_erps_order_number(
    shop: Shop, ships: MagentoShipping
) -> None:
    order = await shop.place(items=[{"sku": "HF-4001", "qty": 2}])
    goods = (part(await rows_of(shop, order), "HF-4001", 2),)
    invoice = InvoiceShipped(**who(order), key="SO000031", portions=goods, services=True)
    shop.faults({"kind": "lose-reply", "match": {"method": "POST", "path": "/invoice$"}, "times": 1})
    made = await as_engine(ships.invoice_shipped, invoice)
    assert (await ships.invoice_shipped(invoice)).id == made.id
    assert [row["refs"]["comments"] for row in shop.invoices(order)] == [["Services and downloads SO000031"]]
    assert (await shop.entity(order.shop_id))["state"] == "complete"
