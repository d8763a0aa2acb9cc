"""An operator sees on the console how far goods are and what is late, and moves both: in a browser, without scripts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from playwright.async_api import Locator, Page, expect

from engine.stack import Stack
from tests.pages.sound import assert_sound
from tests.stack_process import Portal, order, wait_until

WITHIN = 60.0  # seconds: the ERP's feed looks every few seconds, and the machine is busy
SKU = "HF-1001"
Act = Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
async def act(stack: Stack) -> AsyncIterator[Act]:
    """What people at the vendors do."""
    async with httpx2.AsyncClient(base_url=stack.addresses.sandbox["control"], timeout=30) as control:

        async def done(system: str, do: str, **arguments: Any) -> None:
            reply = await control.post(f"/systems/{system}/act", json={"do": do, **arguments})
            assert reply.status_code == 200, reply.text

        yield done


@pytest.fixture(scope="module")
async def half_shipped(portal: Portal, act: Act) -> Callable[[], str]:
    """Orders of three lamps each, paid, of which one has left the house: every test takes one of its own."""
    keys = list(await asyncio.gather(*(_half_ship(portal, act) for _ in range(4))))
    return keys.pop


async def _half_ship(portal: Portal, act: Act) -> str:
    wanted = order("de", "EUR", "60.00")
    wanted["lines"][0] |= {"quantity": "3", "unit_price": "20.00 EUR"}
    placed = await portal.place(wanted)
    key: str = placed["order_key"]
    await portal.pay(placed["payment_link"])
    await portal.reaches(key, "completed", within=WITHIN)
    await act("salesforce", "approve", order=key)
    await act("salesforce", "ship", order=key, lines=[{"sku": SKU, "quantity": 1}], tracking=f"JD-{key[3:]}")
    await _goods(portal, key, lambda goods: bool(goods["shipments"]) and bool(goods["shipments"][0]["dispatched_at"]))
    return key


async def _goods(portal: Portal, key: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Once the order's goods are as they should be."""
    last: dict[str, Any] = {}

    async def seen() -> bool:
        last.update((await portal.http.get(f"/v1/orders/de/{key[3:]}")).json())
        return last.get("goods") is not None and holds(last["goods"])

    await wait_until(seen, WITHIN, lambda: f"{key}: {last.get('goods')}")


async def _open(console: Page, stack: Stack, key: str) -> None:
    await console.goto(f"{stack.addresses.api}/console/orders/de/{key[3:]}")
    await expect(console.get_by_role("heading", level=1)).to_contain_text(key[3:])


def _region(console: Page, name: str) -> Locator:
    return console.get_by_role("region", name=name, exact=True)


async def test_an_order_shows_its_goods_from_the_warehouse_to_the_door(
    console: Page, portal: Portal, stack: Stack, act: Act, half_shipped: Callable[[], str]
) -> None:
    key = half_shipped()
    number = f"JD-{key[3:]}"
    await _open(console, stack, key)
    cells = _region(console, "Lines").get_by_role("row").nth(1).get_by_role("cell")
    assert (await cells.all_inner_texts())[2:8] == ["3", "0", "2", "0", "1", "2"], "ordered to open"
    shipment = _region(console, "Shipments").get_by_role("row").nth(1)
    await expect(shipment).to_contain_text(f"1 × {SKU}")
    await expect(shipment).to_contain_text("DHL")
    link = shipment.get_by_role("link", name=number)
    assert number in (await link.get_attribute("href") or "")
    goods = console.get_by_role("region", name="Goods", exact=True)
    await expect(goods.get_by_role("listitem").filter(has_text="taken up from checkout")).to_have_count(1)
    checkout = console.get_by_role("region", name="Checkout", exact=True)
    await expect(checkout.get_by_role("listitem").filter(has_text="handed over to fulfillment")).to_have_count(1)
    await assert_sound(console, "order-goods")

    await act("salesforce", "ship", order=key, tracking=f"{number}-2")
    await _goods(portal, key, lambda goods: len([s for s in goods["shipments"] if s["tracks"]]) == 2)
    await act("carrier", "deliver", order=key)
    await _goods(portal, key, lambda goods: goods["state"] == "delivered" and goods["ended"])
    await _open(console, stack, key)
    await expect(console.locator(".headline")).to_contain_text("delivered")
    for row in await _region(console, "Shipments").get_by_role("row").filter(has_text=SKU).all():
        await expect(row).to_contain_text("delivered 20")
    await expect(console.get_by_text("Bring goods from another warehouse")).to_have_count(0)
    await assert_sound(console, "order-delivered")


async def test_a_transfer_is_asked_for_by_form_and_what_is_wrong_stands_beside_it(
    console: Page, stack: Stack, half_shipped: Callable[[], str]
) -> None:
    await _open(console, stack, half_shipped())
    form, asked = console.locator("#transfer"), console.get_by_role("button", name="Request the transfer")
    await console.get_by_text("Bring goods from another warehouse").click()
    await console.get_by_label("From (has the goods)").fill("Basel")
    await console.get_by_label("To (ships the order)").fill("Hamburg")
    await form.get_by_label("Reason").fill("sold out in Hamburg")
    await asked.click()
    await expect(form.get_by_role("group", name="Quantities")).to_contain_text("give the quantity of at least one line")
    quantity = console.get_by_label("(2 open)")
    await quantity.fill("two")
    await asked.click()
    described = await quantity.get_attribute("aria-describedby")
    await expect(console.locator(f"#{described}")).to_contain_text("'two' is not allowed")
    await assert_sound(console, "order-transfer-refused")
    await quantity.fill("5")
    await asked.click()
    await expect(form.get_by_role("alert")).to_contain_text("5 are asked for; open quantities by line are 1: 2")
    await quantity.fill("2")
    await console.get_by_label("From (has the goods)").fill("Atlantis")
    await asked.click()
    await expect(form.get_by_role("alert")).to_contain_text("Atlantis")
    await expect(form.get_by_label("Reason")).to_have_value("sold out in Hamburg")
    await expect(quantity).to_have_value("2")
    await console.get_by_label("From (has the goods)").fill("Basel")
    day = console.get_by_label("Needed by")
    await day.fill("2025-12-24")
    await asked.click()
    described = await day.get_attribute("aria-describedby")
    await expect(console.locator(f"#{described}")).to_contain_text("2025-12-24 in Europe/Berlin is in the past")
    await day.fill("2099-12-24")
    await asked.click()
    await expect(console.get_by_role("status")).to_contain_text("The transfer was requested")

    async def followed() -> bool:
        await console.reload()
        return await _region(console, "Transfers").count() == 1

    await wait_until(followed, WITHIN, lambda: "no transfer is shown")
    row = _region(console, "Transfers").get_by_role("row").nth(1)
    for text in ("on its way", f"2 × {SKU}", "Basel", "Hamburg", "2099-12-24"):
        await expect(row).to_contain_text(text)
    await expect(console.locator(".notice").filter(has_text="waiting for transfer")).to_have_count(1)
    goods = console.get_by_role("region", name="Goods", exact=True)
    await expect(goods.get_by_role("listitem").filter(has_text="needed by 2099-12-24: sold out")).to_have_count(1)
    assert "needs a person" not in await console.get_by_role("main").inner_text(), "what was refused is nobody's case"
    await assert_sound(console, "order-transfer")


async def test_what_has_not_left_is_cancelled_and_the_case_of_its_money_decided(
    console: Page, portal: Portal, stack: Stack, half_shipped: Callable[[], str]
) -> None:
    key = half_shipped()
    await _open(console, stack, key)
    await console.get_by_text("Cancel what has not left the house").click()
    await expect(console.get_by_role("main")).to_contain_text(f"2 of {SKU} will not ship")
    await console.get_by_label("Reason").last.fill("one is enough")
    await console.get_by_role("button", name="Cancel the rest").click()
    await expect(console.get_by_role("status")).to_contain_text("is being cancelled")

    async def parked() -> bool:
        await console.reload()
        return await console.get_by_role("link", name="Decide").count() == 1

    await wait_until(parked, WITHIN, lambda: "the order page shows no case")
    await expect(_region(console, "Cases")).to_contain_text("40.00 EUR")
    await assert_sound(console, "order-goods-parked")
    await console.get_by_role("link", name="Decide").click()
    await expect(console.locator(".headline")).to_contain_text("Refund what was cancelled")
    await expect(console.get_by_label("Give up")).to_have_count(0)
    await console.get_by_label("Skip").check()
    await console.get_by_label("Reason").first.fill("paid back as R-1")
    await console.get_by_role("button", name="Decide").click()
    await expect(console.get_by_role("status")).to_contain_text("The decision was taken")
    await _goods(portal, key, lambda goods: bool(goods["skipped"]))
    await console.reload()
    await expect(console.get_by_role("main")).to_contain_text("refund what was cancelled: paid back as R-1 (operator)")
    await expect(console.get_by_role("link", name="Decide")).to_have_count(0)


async def test_what_is_late_is_listed_with_its_money_and_leads_to_its_order(
    console: Page, portal: Portal, stack: Stack, act: Act, half_shipped: Callable[[], str]
) -> None:
    key = half_shipped()
    day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    await act("salesforce", "promise", order=key, date=day)
    await _goods(portal, key, lambda goods: goods["lines"][0]["promised_on"] == day)
    await console.get_by_role("link", name="late", exact=False).filter(has=console.locator("b")).click()
    await expect(console.get_by_role("heading", level=1)).to_have_text("Late")
    await expect(console.locator(".notice")).to_contain_text("1 order is late, 60.00 EUR, the oldest for 2 d")
    rows = _region(console, "Late orders").get_by_role("row").filter(has_text=key)
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("promised but not shipped")
    await assert_sound(console, "late")
    await console.get_by_label("Days to the door").fill("soon")
    await console.get_by_role("button", name="Look").click()
    await expect(console.get_by_role("form", name="Limits")).to_contain_text("'soon' is not allowed")
    await assert_sound(console, "late-refused")
    await console.get_by_label("Days to the door").fill("0")
    await console.get_by_role("button", name="Look").click()
    await expect(rows).to_have_count(2)
    await expect(rows.last).to_contain_text("dispatched but not delivered")
    await rows.first.get_by_role("link", name=key).click()
    await expect(console.get_by_role("heading", level=1)).to_contain_text(key[3:])
    await expect(_region(console, "Lines").locator("strong")).to_have_text(day)
