"""What changes on the way: open quantities taken off, goods between warehouses, numbers and days that come later."""

from typing import Any

import pytest

from sandbox.kernel.world import ActError
from tests.sandbox.salesforce.conftest import Platform
from tests.sandbox.salesforce.erp_desk import LINE, ORDER, REFUSED, Desk
from tests.sandbox.salesforce.test_scm_fulfillment import BACKORDER, approved, line_of, stock

FIVE_LAMPS = ("HF-1001", "5", "39.50")
TRANSFER = "SCMC__Transfer_Request__c"


@pytest.fixture
async def erp(_platform: Platform) -> Desk:
    return await Desk.open(_platform)


def quantities(line: Any) -> tuple[Any, ...]:
    """Ordered, allocated, back-ordered."""
    return tuple(line[f"SCMC__Quantity{part}__c"] for part in ("", "_Allocated", "_Backordered"))


async def cut(erp: Desk, order: str, quantity: int) -> None:
    await erp.change(LINE, line_of(erp, order)["Id"], SCMC__Quantity__c=quantity)


async def test_what_is_open_can_be_taken_off_an_approved_line(erp: Desk) -> None:
    order = await approved(erp, "de:1", FIVE_LAMPS)
    await erp.act("allocate", order="de:1")
    await erp.act("ship", order="de:1", lines=[{"sku": "HF-1001", "quantity": 2}])

    await cut(erp, order, 4)
    assert (quantities(line_of(erp, order)), stock(erp, "HF-1001")) == ((4, 2, 0), (998, 2))
    line = line_of(erp, order)["Id"]
    for wrong in (1, 6):
        assert (await erp.refusal("PATCH", f"/sobjects/{LINE}/{line}", SCMC__Quantity__c=wrong))[1] == REFUSED

    await cut(erp, order, 2)
    assert line_of(erp, order)["SCMC__Status__c"] == "Shipped"
    assert (await erp.read(ORDER, order))["SCMC__Shipment_Status__c"] == "Fulfilled"
    assert stock(erp, "HF-1001") == (998, 0)


async def test_what_is_picked_stays_on_the_line(erp: Desk) -> None:
    order = await approved(erp, "de:1", FIVE_LAMPS)
    await erp.act("allocate", order="de:1")
    await erp.act("pick", order="de:1", lines=[{"sku": "HF-1001", "quantity": 3}])
    line = line_of(erp, order)["Id"]
    assert (await erp.refusal("PATCH", f"/sobjects/{LINE}/{line}", SCMC__Quantity__c=2))[1] == REFUSED
    await cut(erp, order, 3)
    assert stock(erp, "HF-1001") == (1000, 3)


async def test_a_shortage_shrinks_with_its_line(erp: Desk) -> None:
    await erp.act("change-stock", sku="HF-1001", quantity=1)
    await erp.act("change-stock", sku="HF-1001", quantity=0, warehouse="Basel")
    order = await approved(erp, "de:1", FIVE_LAMPS)
    await erp.act("allocate", order="de:1")
    await cut(erp, order, 3)
    assert quantities(line_of(erp, order)) == (3, 1, 2)
    assert [row["SCMC__Quantity__c"] for row in erp.org.all(BACKORDER)] == [2]
    await cut(erp, order, 1)
    assert (quantities(line_of(erp, order)), erp.org.all(BACKORDER)) == ((1, 1, 0), [])


async def test_goods_of_two_warehouses_are_two_shipments(erp: Desk) -> None:
    await erp.act("change-stock", sku="HF-1001", quantity=3)
    await approved(erp, "de:1", FIVE_LAMPS)
    shipped = await erp.act("ship", order="de:1")
    assert len(shipped["shippings"]) == 2
    assert [row["lines"][0]["quantity"] for row in erp.books()["shipments"]] == ["3", "2"]


async def test_a_transfer_is_on_its_way_until_it_is_received(erp: Desk) -> None:
    hamburg, basel = (erp.id_of("SCMC__Warehouse__c", name) for name in ("Hamburg", "Basel"))
    places = {"SCMC__Source_Warehouse__c": basel, "SCMC__Destination_Warehouse__c": hamburg}
    request = await erp.create(TRANSFER, Transfer_Key__c="t-1", **places)
    line = {"SCMC__Transfer_Request__c": request, "SCMC__Item_Master__c": erp.id_of("SCMC__Item__c", "HF-1001")}
    await erp.create("SCMC__Transfer_Request_Line__c", **line, SCMC__Quantity__c=10)

    await erp.act("transfer", request="t-1", arrive=False)
    assert (stock(erp, "HF-1001", "Basel"), stock(erp, "HF-1001")) == ((190, 0), (1000, 0))
    assert (await erp.read(TRANSFER, request))["SCMC__Status__c"] == "In Transit"
    await erp.act("receive-transfer", request="t-1")
    assert stock(erp, "HF-1001") == (1010, 0)
    with pytest.raises(ActError, match="Complete"):
        await erp.act("receive-transfer", request="t-1")


async def test_numbers_and_days_come_later(erp: Desk) -> None:
    order = await approved(erp, "de:1", FIVE_LAMPS)
    await erp.act("promise", order="de:1", date="2026-12-24")
    await erp.act("allocate", order="de:1")
    await erp.act("pick", order="de:1")
    await erp.act("pack", order="de:1", boxes=2)
    (number,) = (await erp.act("ship", order="de:1", tracking=None))["shippings"]
    assert erp.books()["shipments"][0]["refs"]["tracking"] is None
    await erp.act("track", shipping=number, tracking="T-1", boxes=["B-1", "B-2"])
    assert line_of(erp, order)["SCMC__Customer_Commitment_Date__c"] == "2026-12-24"
    assert erp.books()["shipments"][0]["refs"]["tracking"] == "T-1"
    assert [row["SCMC__Box_Tracking_Number__c"] for row in erp.org.all("SCMC__Box__c")] == ["B-1", "B-2"]
    for do, wrong in (("track", {"shipping": number}), ("promise", {"order": "de:1", "date": "soon"})):
        with pytest.raises(ActError):
            await erp.act(do, **wrong)
