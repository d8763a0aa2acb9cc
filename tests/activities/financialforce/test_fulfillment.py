"""A reading says how far an order's goods are, in the shop's own line ids, whatever the warehouse does."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.financialforce.settings import FulfillmentSettings
from commerce.fulfillment import Fulfillment, State, overall, problems
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.goods_desk import LAMP, SHADE, TEA, book, goods_order, line_of, look, only, shown
from tests.activities.financialforce.parked import refused
from tests.activities.financialforce.sample_orders import full_order
from tests.sandbox_process import Sandbox


def states(reading: Fulfillment) -> list[State]:
    return [shipment.state for shipment in reading.shipments]


async def test_each_step_of_the_warehouse_is_seen(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("steps-1", (LAMP, "2")), approve=False)
    seen = [await look(goods, key)]
    for do, more in (
        ("approve", {}),
        ("allocate", {}),
        ("pick", {}),
        ("pack", {"tracking": ["B-1", "B-2"]}),
        ("ship", {"carrier": "UPS", "service": "Express", "tracking": None}),
    ):
        org.act("salesforce", do, order=key, **more)
        seen.append(await look(goods, key))
    assert [overall(reading) for reading in seen] == [
        State.BOOKED,
        State.BOOKED,
        State.ALLOCATED,
        State.PICKING,
        State.PACKED,
        State.DISPATCHED,
    ]
    assert [states(reading) for reading in seen[3:]] == [[State.PICKING], [State.READY], [State.DISPATCHED]]
    assert [row.line for row in seen[0].lines] == ["1"]  # the charge for shipping is not goods
    (shipment,) = seen[-1].shipments
    assert (shipment.carrier, shipment.service, shipment.source) == ("UPS", "Express", "Hamburg")
    assert shipment.tracking_numbers() == ("B-1", "B-2")
    assert shipment.dispatched_at is not None
    assert [earlier.changed_at <= later.changed_at for earlier, later in pairwise(seen)] == [True] * 5
    assert [problems(earlier, later) for earlier, later in pairwise(seen)] == [[]] * 5


async def test_a_reading_is_one_call(org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment) -> None:
    key = await book(erp, org, goods_order("call-1", (LAMP, "2"), (SHADE, "1")))
    org.act("salesforce", "ship", order=key)
    since = max(row["id"] for row in org.requests("salesforce"))
    await look(goods, key)
    assert [(row["method"], row["path"]) for row in org.requests("salesforce", since)] == [
        ("POST", "/services/data/v68.0/composite")
    ]


async def test_parts_and_splits_add_up_to_the_order(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("parts-1", (LAMP, "3"), (SHADE, "1")))
    org.act("salesforce", "ship", order=key, lines=only(LAMP, 2))
    first = await look(goods, key)
    assert [shown(row, "shipped", "open", "state") for row in first.lines] == [
        (2, 1, State.ALLOCATED),
        (0, 1, State.ALLOCATED),
    ]
    org.act("salesforce", "ship", order=key, lines=[*only(LAMP, 1), *only(SHADE, 1)])
    second = await look(goods, key)
    assert problems(first, second) == []
    assert [[shown(p, "line", "sku", "quantity") for p in s.portions] for s in second.dispatched()] == [
        [("1", LAMP, 2)],
        [("1", LAMP, 1), ("2", SHADE, 1)],
    ]
    assert overall(second) is State.DISPATCHED


async def test_one_article_on_two_lines_is_shipped_under_both_ids(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("twin-1", (LAMP, "2"), (LAMP, "3")))
    org.act("salesforce", "ship", order=key, lines=only(LAMP, 4))
    reading = await look(goods, key)
    assert [shown(p, "line", "quantity") for p in reading.shipments[0].portions] == [("1", 2), ("2", 2)]
    assert problems(None, reading) == []


async def test_what_is_short_is_back_ordered_until_goods_come(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    org.act("salesforce", "change-stock", sku=TEA, quantity=1)
    org.act("salesforce", "change-stock", sku=TEA, quantity=0, warehouse="Basel")
    key = await book(erp, org, goods_order("short-1", (TEA, "3")))
    org.act("salesforce", "allocate", order=key)
    row = await line_of(goods, key)
    assert shown(row, "allocated", "back_ordered", "state") == (1, 2, State.BACK_ORDERED)
    org.act("salesforce", "promise", order=key, date="2026-12-24")
    org.act("salesforce", "change-stock", sku=TEA, quantity=100)
    row = await line_of(goods, key)
    assert shown(row, "allocated", "back_ordered", "state") == (3, 0, State.ALLOCATED)
    assert row.promised_on == date(2026, 12, 24)


async def test_goods_of_two_warehouses_are_two_shipments_with_a_source_each(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    org.act("salesforce", "change-stock", sku="HF-3000-A", quantity=2)
    key = await book(erp, org, goods_order("two-1", ("HF-3000-A", "3")))
    org.act("salesforce", "ship", order=key)
    reading = await look(goods, key)
    found = [(s.source, *shown(s.portions[0], "quantity")) for s in reading.shipments]
    assert found == [("Hamburg", 2), ("Basel", 1)]


async def test_numbers_that_come_later_are_found_on_the_shipment_that_was_dispatched(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("later-1", (LAMP, "2")))
    org.act("salesforce", "allocate", order=key)
    org.act("salesforce", "pick", order=key)
    org.act("salesforce", "pack", order=key, boxes=2)
    (number,) = org.act("salesforce", "ship", order=key, tracking=None)["shippings"]
    before = (await look(goods, key)).shipments[0]
    org.act("salesforce", "track", shipping=number, tracking="T-1", boxes=["B-1"])
    after = (await look(goods, key)).shipments[0]
    assert (before.number, before.tracking_numbers()) == (number, ())
    assert (after.number, after.tracking, [parcel.tracking for parcel in after.parcels]) == (number, "T-1", ["B-1", ""])


async def test_services_wait_for_no_parcel(org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment) -> None:
    key = await book(erp, org, goods_order("service-1", ("HF-4001", "1")))
    assert overall(await look(goods, key)) is State.DELIVERED
    mixed = await book(erp, org, goods_order("service-2", (LAMP, "1"), ("HF-4001", "1")))
    assert overall(await look(goods, mixed)) is State.BOOKED
    org.act("salesforce", "ship", order=mixed)
    reading = await look(goods, mixed)
    assert (overall(reading), problems(None, reading)) == (State.DISPATCHED, [])


async def test_a_cancelled_order_says_so(org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment) -> None:
    key = await book(erp, org, goods_order("gone-1", (LAMP, "1")))
    org.act("salesforce", "allocate", order=key)
    org.act("salesforce", "pick", order=key)
    org.act("salesforce", "cancel-order", order=key)
    reading = await look(goods, key)
    assert (reading.cancelled, overall(reading), states(reading)) == (True, State.CANCELLED, [State.CANCELLED])
    assert [shown(row, "open", "picked") for row in reading.lines] == [(0, 0)]


async def test_a_billed_order_is_closed(org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment) -> None:
    key = await book(erp, org, goods_order("closed-1", (LAMP, "1")))
    org.act("salesforce", "ship", order=key)
    org.act("salesforce", "bill-order", order=key)
    assert (await look(goods, key)).closed


async def test_an_order_that_is_not_there_asks_a_person(goods: FinancialForceFulfillment) -> None:
    for key in ("de:never", "de:STEPS-1"):
        case = await refused(look(goods, key), "NeedsPerson")
        assert key in case["came_back"]


async def test_a_status_that_nobody_explained_parks_and_names_the_setting(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("odd-1", (LAMP, "1")))
    org.act("salesforce", "ship", order=key)
    narrow = FulfillmentSettings()
    known = {value: meaning for value, meaning in narrow.shipment_statuses.items() if value != "Shipped"}
    settings = settings_for(org, fulfillment=narrow.model_copy(update={"shipment_statuses": known}))
    strict = FinancialForceFulfillment(settings, system="ff-de", client=erp.client)
    case = await refused(look(strict, key), "NeedsPerson")
    for part in ("SCMC__Shipping__c SH", "SCMC__Status__c", "'Shipped'"):
        assert part in case["came_back"]
    assert "systems.ff-de.fulfillment.shipment_statuses" in case["do_next"]


async def test_a_status_of_the_merchants_own_is_explained_by_a_setting(org: Sandbox, erp: FinancialForce) -> None:
    key = await book(erp, org, goods_order("own-1", (LAMP, "1")))
    org.act("salesforce", "ship", order=key)
    handed_over = FulfillmentSettings(shipment_statuses={"Shipped": "delivered"})
    goods = FinancialForceFulfillment(settings_for(org, fulfillment=handed_over), system="ff-de", client=erp.client)
    assert states(await look(goods, key)) == [State.DELIVERED]


@pytest.mark.parametrize("kind", ["down", "garble", "limit", "lock", "expire-auth"])
async def test_a_reading_survives_what_the_org_does(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, kind: str
) -> None:
    full = full_order(f"whole-{kind}")
    await book(erp, org, full)
    org.faults("salesforce", {"kind": kind, "times": 1})
    if kind == "expire-auth":
        assert (await look(goods, full.key)).order_key == full.key
        return
    await refused(look(goods, full.key), "Transient")
    reading = await look(goods, full.key)
    assert {row.line: row.ordered for row in reading.lines} == {
        "1": Decimal(3),
        "2": Decimal(1),
        "5": Decimal(2),
        "6": Decimal(2),
        "7": Decimal("2.5"),
    }
