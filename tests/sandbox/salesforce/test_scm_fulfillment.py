"""Stock and the warehouse: what is promised, picked and shipped adds up, whatever the order of steps."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.kernel.store import Store
from sandbox.kernel.world import ActError, World
from sandbox.salesforce.vendor import SalesforceVendor
from tests.sandbox.salesforce.conftest import Platform
from tests.sandbox.salesforce.erp_desk import LINE, ORDER, Desk

POSITION = "SCMC__Inventory_Position__c"
BACKORDER = "SCMC__Backorder__c"
LAMP = ("HF-1001", "2", "39.50")
FREIGHT = ("SHIPPING", "1", "4.90")


@pytest.fixture
async def erp(_platform: Platform) -> Desk:
    return await Desk.open(_platform)


def stock(erp: Desk, sku: str, warehouse: str = "Hamburg") -> tuple[Any, Any]:
    """On hand and allocated."""
    item, place = erp.id_of("SCMC__Item__c", sku), erp.id_of("SCMC__Warehouse__c", warehouse)
    (row,) = [r for r in erp.org.find(POSITION, "SCMC__Item_Master__c", item) if r["SCMC__Item_Warehouse__c"] == place]
    return row["SCMC__Quantity__c"], row["SCMC__Quantity_Allocated__c"]


def line_of(erp: Desk, order: str) -> Any:
    return erp.org.find(LINE, "SCMC__Sales_Order__c", order)[0]


async def approved(erp: Desk, key: str, *lines: tuple[str, str, str], **fields: Any) -> str:
    order = await erp.order(key, "de:501", *lines, **fields)
    await erp.act("approve", order=key)
    return order


async def test_goods_are_promised_then_picked_then_gone(erp: Desk) -> None:
    order = await approved(erp, "de:1", LAMP, FREIGHT)
    assert stock(erp, "HF-1001") == (1000, 0)

    assert (await erp.act("allocate", order="de:1"))["allocated"] == "2"
    assert (stock(erp, "HF-1001"), line_of(erp, order)["SCMC__Status__c"]) == ((1000, 2), "Allocated")
    assert (await erp.act("allocate", order="de:1"))["allocated"] == "0"

    await erp.act("pick", order="de:1")
    await erp.act("pack", order="de:1", boxes=2, weight="1.5")
    (shipment,) = erp.books()["shipments"]
    assert (shipment["status"], shipment["refs"]["tracking"]) == ("Queued for shipment items issued", None)
    assert line_of(erp, order)["SCMC__Quantity_Packed__c"] == 2

    await erp.act("ship", order="de:1", carrier="DHL", tracking="00340434161094042557")
    (shipment,) = erp.books()["shipments"]
    assert (shipment["key"], shipment["status"], shipment["total_minor"]) == ("de:1", "Shipped", 7900)
    assert shipment["lines"] == [{"sku": "HF-1001", "quantity": "2", "total_minor": 7900}]
    assert shipment["refs"]["tracking"] == "00340434161094042557"
    assert stock(erp, "HF-1001") == (998, 0)
    row = await erp.read(ORDER, order)
    assert (row["SCMC__Shipment_Status__c"], row["SCMC__Total_Open_Value__c"]) == ("Fulfilled", 0)
    assert (await erp.act("deliver", order="de:1"))["shipment_status"] == "Fulfilled"
    with pytest.raises(ActError, match="nothing"):
        await erp.act("ship", order="de:1")


async def test_partial_shipments_never_exceed_what_was_ordered(erp: Desk) -> None:
    order = await approved(erp, "de:1", ("HF-1001", "3", "39.50"), ("HF-1002", "1", "129.00"))

    await erp.act("ship", order="de:1", lines=[{"sku": "HF-1001", "quantity": 2}])
    assert (await erp.read(ORDER, order))["SCMC__Shipment_Status__c"] == "Partially Shipped"
    with pytest.raises(ActError, match="1 of HF-1001"):
        await erp.act("ship", order="de:1", lines=[{"sku": "HF-1001", "quantity": 2}])
    await erp.act("ship", order="de:1")

    assert (await erp.read(ORDER, order))["SCMC__Shipment_Status__c"] == "Fulfilled"
    shipped: dict[str, Decimal] = {}
    for shipment in erp.books()["shipments"]:
        for line in shipment["lines"]:
            shipped[line["sku"]] = shipped.get(line["sku"], Decimal(0)) + Decimal(line["quantity"])
    assert shipped == {"HF-1001": 3, "HF-1002": 1}
    assert (stock(erp, "HF-1001"), stock(erp, "HF-1002")) == ((997, 0), (999, 0))


async def test_a_shortage_is_a_backorder_until_goods_arrive(erp: Desk) -> None:
    await erp.act("change-stock", sku="HF-1001", quantity=1)
    await erp.act("change-stock", sku="HF-1001", quantity=0, warehouse="Basel")
    order = await approved(erp, "de:1", LAMP)

    assert await erp.act("allocate", order="de:1") == {"order": "SO000001", "allocated": "1", "short": "1"}
    assert (
        erp.one(BACKORDER, "SCMC__Sales_Order_Line_Item__c", line_of(erp, order)["Id"])["SCMC__Fill_Order__c"] == 9999
    )
    assert line_of(erp, order)["SCMC__Quantity_Backordered__c"] == 1

    await erp.act("change-stock", sku="HF-1001", quantity=5)
    assert erp.org.all(BACKORDER) == []
    line = line_of(erp, order)
    assert (line["SCMC__Quantity_Allocated__c"], line["SCMC__Quantity_Backordered__c"]) == (2, 0)


async def test_a_warehouse_without_backorders_says_so_on_the_line(erp: Desk) -> None:
    basel = erp.id_of("SCMC__Warehouse__c", "Basel")
    await erp.change("SCMC__Warehouse__c", basel, SCMC__DisableBackorders__c=True)
    order = await approved(erp, "de:1", ("HF-1001", "201", "39.50"), SCMC__Warehouse__c=basel)

    await erp.act("allocate", order="de:1")

    line = line_of(erp, order)
    assert (line["SCMC__Quantity_Allocated__c"], line["SCMC__Quantity_Backordered__c"]) == (200, 0)
    assert "does not allow backorders" in line["SCMC__Allocate_Message__c"]
    assert len(erp.org.all("SCMC__Error_Log__c")) == 1
    assert stock(erp, "HF-1001") == (1000, 0)


async def test_an_order_that_forbids_parts_waits_for_all_of_it(erp: Desk) -> None:
    await erp.act("change-stock", sku="HF-1002", quantity=0)
    await erp.act("change-stock", sku="HF-1002", quantity=0, warehouse="Basel")
    await approved(erp, "de:1", LAMP, ("HF-1002", "1", "129.00"), SCMC__Partial_Shipments__c="No")

    with pytest.raises(ActError, match="partial"):
        await erp.act("ship", order="de:1")
    assert erp.books()["shipments"] == []


async def test_an_order_of_services_is_fulfilled_without_a_shipment(erp: Desk) -> None:
    order = await approved(erp, "de:1", ("HF-4001", "1", "3.00"))

    await erp.act("allocate", order="de:1")

    assert (await erp.read(ORDER, order))["SCMC__Shipment_Status__c"] == "Fulfilled"
    assert erp.books()["shipments"] == []


async def test_an_order_that_is_not_approved_is_not_worked_on(erp: Desk) -> None:
    await erp.order("de:1", "de:501", LAMP)

    for do in ("allocate", "pick", "ship"):
        with pytest.raises(ActError, match="New"):
            await erp.act(do, order="de:1")


async def test_stock_and_shipments_are_the_packages_to_write(erp: Desk) -> None:
    item = erp.id_of("SCMC__Item__c", "HF-1001")
    position = erp.org.find(POSITION, "SCMC__Item_Master__c", item)[0]["Id"]

    for method, path, fields in (
        ("PATCH", f"/sobjects/{POSITION}/{position}", {"SCMC__Quantity__c": 5}),
        ("POST", f"/sobjects/{POSITION}", {"SCMC__Item_Master__c": item}),
        ("DELETE", f"/sobjects/{POSITION}/{position}", {}),
        ("POST", "/sobjects/SCMC__Shipping__c", {"SCMC__Status__c": "Shipped"}),
    ):
        assert (await erp.refusal(method, path, **fields))[0] == 400, path
    assert stock(erp, "HF-1001") == (1000, 0)


async def test_a_transfer_moves_stock_or_nothing(erp: Desk) -> None:
    request = await erp.create(
        "SCMC__Transfer_Request__c",
        SCMC__Source_Warehouse__c=erp.id_of("SCMC__Warehouse__c", "Hamburg"),
        SCMC__Destination_Warehouse__c=erp.id_of("SCMC__Warehouse__c", "Basel"),
    )
    line = {"SCMC__Transfer_Request__c": request, "SCMC__Item_Master__c": erp.id_of("SCMC__Item__c", "HF-1001")}
    await erp.create("SCMC__Transfer_Request_Line__c", **line, SCMC__Quantity__c=10)

    await erp.act("transfer", request=request)

    assert (stock(erp, "HF-1001"), stock(erp, "HF-1001", "Basel")) == ((990, 0), (210, 0))
    with pytest.raises(ActError, match="Complete"):
        await erp.act("transfer", request=request)


async def test_a_billed_order_closes_and_its_invoice_can_be_posted(erp: Desk) -> None:
    order = await approved(erp, "de:1", LAMP, FREIGHT, SCMC__Total_Tax__c="15.94")
    await erp.act("ship", order="de:1")
    await erp.act("bill-order", order="de:1")

    row = await erp.read(ORDER, order)
    assert (row["SCMC__Status__c"], row["SCMC__Billed_Status__c"]) == ("Closed", "Completely Billed")
    (invoice,) = erp.books()["invoices"]
    assert (invoice["status"], invoice["total_minor"]) == ("In Progress", 9984)
    await erp.change("c2g__codaInvoice__c", invoice["id"], c2g__TriggerPosting__c="Synchronous")
    (invoice,) = erp.books()["invoices"]
    assert (invoice["status"], invoice["error"]) == ("Complete", None)
    with pytest.raises(ActError, match="nothing"):
        await erp.act("bill-order", order="de:1")


async def test_the_clock_ships_only_where_the_org_says_so(erp: Desk) -> None:
    order = await approved(erp, "de:1", LAMP)
    await erp.tick()
    assert stock(erp, "HF-1001") == (1000, 0)

    await erp.act("configure-fulfillment", auto=True, step_minutes=0.01)
    async with asyncio.timeout(5):
        while (await erp.read(ORDER, order))["SCMC__Shipment_Status__c"] != "Fulfilled":
            await erp.tick()
    (shipment,) = erp.books()["shipments"]
    assert (shipment["status"], bool(shipment["refs"]["tracking"])) == ("Shipped", True)


async def test_people_change_customers_items_and_prices(erp: Desk) -> None:
    before = erp.books()
    made = await erp.act("create-customer", name="Фабрика «Свет»", email="a@b.example", terms_days=14, country="DE")
    await erp.act("change-credit", customer=made["number"], status="On Hold", limit="5000")
    await erp.act("change-item", sku="HF-1010", name="Neu")
    await erp.act("change-price", sku="HF-1001", price="41.25")

    account = await erp.read("Account", made["id"])
    assert (account["c2g__CODACreditStatus__c"], account["c2g__CODACreditLimit__c"]) == ("On Hold", 5000)
    assert (account["Name"], account["Magento_Customer_Id__c"]) == ("Фабрика «Свет»", None)
    assert erp.one("SCMC__Item__c", "Name", "HF-1010")["SCMC__Item_Description__c"] == "Neu"
    item = erp.id_of("SCMC__Item__c", "HF-1001")
    assert [row["SCMC__Price__c"] for row in erp.org.find("SCMC__Price__c", "SCMC__Item__c", item)] == [
        Decimal("41.25")
    ]
    after = erp.books()
    assert (after["products"] - before["products"], after["prices"] - before["prices"]) == (1, 0)


@pytest.mark.parametrize(
    ("do", "arguments", "field"),
    [
        ("ship", {"order": "de:404"}, "order"),
        ("change-stock", {"sku": "HF-404", "quantity": 1}, "sku"),
        ("change-stock", {"sku": "HF-1001", "quantity": -1}, "quantity"),
        ("change-price", {"sku": "HF-1001", "price": "cheap"}, "price"),
        ("change-credit", {"customer": "de:501", "status": "Fine"}, "status"),
        ("close-period", {"period": "2026-11"}, "period"),
        ("configure-fulfillment", {"speed": 1}, "speed"),
        ("configure-accounting", {"posting_stuck": 1}, "posting_stuck"),
    ],
)
async def test_an_act_that_cannot_be_done_names_the_argument(
    erp: Desk, do: str, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(ActError) as refused:
        await erp.act(do, **arguments)
    assert refused.value.field == field


async def test_allocations_survive_a_restart(tmp_path: Path) -> None:
    world = World(Store(tmp_path / "sandbox.db"))
    vendor = SalesforceVendor(world)
    world.add(vendor)
    world.reset("demo")
    with world.store.transaction():
        org = vendor.org
        account = org.find("Account", "Magento_Customer_Id__c", "de:501")[0]["Id"]
        order = org.create(ORDER, {"Magento_Order_Id__c": "de:1", "SCMC__Customer_Account__c": account})
        item = org.find("SCMC__Item__c", "Name", "HF-1001")[0]["Id"]
        line = {"SCMC__Sales_Order__c": order, "SCMC__Item_Master__c": item, "SCMC__Quantity__c": 2}
        org.create(LINE, line | {"SCMC__Price__c": 1})
        vendor.act("approve", {"order": "de:1"})
        vendor.act("allocate", {"order": "de:1"})
    world.store.close()

    world = World(Store(tmp_path / "sandbox.db"))
    vendor = SalesforceVendor(world)
    world.add(vendor)
    with world.store.transaction():
        vendor.act("ship", {"order": "de:1"})
    assert [row["status"] for row in vendor.books()["shipments"]] == ["Shipped"]
    world.store.close()
