"""Both sides of every pair, compared in the systems themselves after real orders went through."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from commerce.order import Order
from tests.flow.orders import gateway_payments, on_account, portal_order
from tests.flow.world import World
from tests.reconcile.desk import Org, compared, of

COUNTS = {
    # pair: left, right, canceled on both sides, not due
    "orders": (6, 5, 1, 0),
    "payments": (6, 6, 0, 0),
    "refunds": (1, 1, 0, 0),
    "billing": (5, 5, 1, 0),
    "invoices": (5, 5, 0, 0),
    "shop-invoices": (2, 2, 0, 0),
    "entries": (3, 3, 0, 1),
    "shipments": (0, 0, 0, 0),
}


@pytest.fixture(scope="module")
def began() -> datetime:
    """Before the orders of this module."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
async def placed(world: World, began: datetime) -> dict[str, str]:
    """Orders of every kind, at their ends; one still waits for its money."""
    orders: dict[str, Order] = {
        "portal": portal_order(),
        "terms": on_account(),
        "gateway": portal_order(payments=gateway_payments("60.00", "40.24")),
        "cancelled": portal_order(),
        "waiting": portal_order(),
    }
    keys = {name: order.key for name, order in orders.items()}
    keys["shop"], keys["other"] = await world.place_in_shop(), await world.place_in_shop(("HF-1001", 1))
    for order in orders.values():
        await world.runs.start_checkout(order)
    for name in ("portal", "cancelled", "shop", "other"):
        await (world.link_of(keys[name]) if name in ("shop", "other") else world.place(orders[name], within=60))
        await world.pay(keys[name])
    await world.is_billed(keys["cancelled"])
    await world.cancel(keys["cancelled"])
    for name in ("portal", "terms", "gateway", "cancelled", "shop", "other"):
        await world.ends(keys[name], within=60)
    return keys


async def test_what_went_through_is_in_step_and_what_is_under_way_is_named(
    world: World, placed: dict[str, str], began: datetime
) -> None:
    report, found = await compared(world, began)
    assert report.in_step, (report.verdict, found)
    assert [(one.order_key, one.explained.partition(" since ")[0]) for one in found] == [
        (placed["waiting"], "in progress: awaiting payment")
    ]
    assert {row.pair: (row.left, row.right, row.canceled, row.pending) for row in report.pairs} == COUNTS
    rows = {row.pair: row for row in report.pairs}
    for pair in ("payments", "refunds", "billing", "invoices", "shop-invoices", "entries"):
        assert [one.difference.minor for one in rows[pair].money] == [0]
    assert report.verdict.startswith("in step: 6 orders, ")
    assert report.verdict.endswith(" EUR on both sides; 1 in progress")
    assert report.explained == {"in progress": 1}


async def test_what_somebody_changes_behind_our_back_is_named_with_what_to_do(
    world: World, placed: dict[str, str]
) -> None:
    """Also on orders that are older than the period: one of their documents changed in it."""
    org = Org(world)
    since = datetime.now(UTC)
    await org.double_the_receipt(placed["portal"])
    await org.double_the_order(placed["gateway"])
    await org.add_to_the_tax(placed["terms"], "1.00")
    report, found = await compared(world, since)
    assert of(found, placed["portal"]) == ["payments: doubled in ERP cash 100.24 EUR"]
    assert of(found, placed["gateway"]) == ["billing: doubled in ERP 100.24 EUR", "orders: doubled in ERP 100.24 EUR"]
    assert of(found, placed["terms"]) == ["billing: amount differs 1.00 EUR", "orders: amount differs 1.00 EUR"]
    assert report.differences == 5
    assert report.orders < len(placed)  # what did not change is not read
    assert report.verdict.startswith(
        "5 differences (2 doubled in ERP 200.48 EUR, 1 amount differs in billing 1.00 EUR, "
    )
    receipt = next(one for one in found if one.pair == "payments")
    assert len(receipt.right) == 2
    assert receipt.remedy.endswith(f"({receipt.right[1].kind} {receipt.right[1].number}) in financialforce")
    assert receipt.command == f"starter.py explain {placed['portal']}"


async def test_a_document_that_vanished_is_missing_although_nothing_tells_when(
    world: World, placed: dict[str, str]
) -> None:
    await Org(world).delete_the_order(placed["shop"])

    async def the_goods_are_missed() -> str:
        cases = await world.ledger.open_cases(order_key=placed["shop"])
        return next((case.id for case in cases if case.step == "look at fulfillment"), "")

    case = await world.wait_until(the_goods_are_missed, within=60, what="the goods' run misses its sales order")
    _, found = await compared(world, pair="orders")
    [lost] = [one for one in found if one.order_key == placed["shop"]]
    assert (lost.kind, lost.side, str(lost.amount)) == ("missing", "ERP", "99.84 EUR")
    assert lost.explained == f"parked: {case}"
    assert lost.command.startswith(f"starter.py resolve {case} ")
    only, of_one_store = await compared(world, store="us")
    assert (only.orders, of_one_store) == (0, [])
    assert only.verdict == "in step: nothing changed"


async def test_an_order_that_was_never_taken_in_is_missing_in_the_erp_with_the_reason(world: World) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    key = await world.place_in_shop(payment_method="checkmo")

    async def is_quarantined() -> bool:
        return any(row.reference == key for row in await world.ledger.quarantined())

    await world.wait_until(is_quarantined, within=60, what=f"{key} is quarantined")
    _, found = await compared(world, since, pair="orders")
    assert of(found, key) == ["orders: missing in ERP 99.84 EUR"]
    [lost] = found
    assert "is quarantined (payment: checkmo shows 0.00 EUR of 99.84 EUR taken" in lost.remedy
    assert re.fullmatch(r'starter.py release \d+ --reason "…"', lost.command)


async def test_a_system_that_is_away_is_waited_for(world: World) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    async with world.faults("salesforce", {"kind": "status", "status": 503}):
        asked = asyncio.create_task(compared(world, since, pair="orders"))
        await world.strikes("salesforce", 5)
        assert not asked.done()
    report, _ = await asked
    assert report.orders >= 7
