"""An operator works in the console with a browser, without scripts: finds, reads, decides, cancels."""

import hashlib
import hmac

import pytest
from playwright.async_api import Page, expect

from engine.stack import Stack
from tests.pages.sound import assert_sound
from tests.stack_process import Portal, order

UNMAPPED = "HF-9999"


@pytest.mark.parametrize("path", ["/console/", "/console/orders", "/console/parked", "/console/quarantine"])
async def test_without_signing_in_the_console_shows_nothing(
    page: Page, portal: Portal, stack: Stack, path: str
) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    number = placed["order_key"].removeprefix("de:")
    for address in (path, f"/console/orders/de/{number}"):
        await page.goto(f"{stack.addresses.api}{address}")
        await expect(page.get_by_label("Token")).to_be_visible()
        assert page.url.startswith(f"{stack.addresses.api}/console/login?")
        assert number not in await page.get_by_role("main").inner_text()
    assert not await page.context.cookies()


@pytest.mark.parametrize("who", ["nobody", "portal"])
async def test_a_token_that_is_wrong_or_too_low_is_refused(page: Page, stack: Stack, who: str) -> None:
    await page.goto(f"{stack.addresses.api}/console/")
    await page.get_by_label("Token").fill("wrong" if who == "nobody" else stack.addresses.portal_token)
    await page.get_by_role("button", name="Sign in").click()
    said = "Unknown token." if who == "nobody" else "needs the role operator"
    await expect(page.get_by_role("alert")).to_contain_text(said)
    await assert_sound(page, f"login-{who}")
    await page.goto(f"{stack.addresses.api}/console/orders")
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_an_order_is_found_by_its_number_read_and_cancelled(console: Page, portal: Portal) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await _find(console, placed)
    await expect(console.locator(".timeline")).to_contain_text("the buyer has the payment link over 20.00 EUR")
    await expect(console.get_by_role("table")).to_contain_text("payment entry")
    await assert_sound(console, "order-waiting")
    await console.get_by_text("Cancel this order").click()
    await console.get_by_label("Reason").fill("ordered by mistake")
    await console.get_by_role("button", name="Cancel and undo").click()
    await expect(console.get_by_role("status")).to_contain_text("is being undone")
    told = await portal.reaches(placed["order_key"], "cancelled")
    assert told["result"]["reason"] == "ordered by mistake (operator)"
    await _find(console, placed)
    await expect(console.locator(".headline")).to_contain_text("cancelled")
    await expect(console.get_by_text("Cancel this order")).to_have_count(0)
    await assert_sound(console, "order-cancelled")


async def test_an_invoice_number_leads_to_its_order(console: Page, portal: Portal) -> None:
    placed = await portal.place(order("us", "USD", "35.00"))
    await portal.pay(placed["payment_link"])
    told = await portal.reaches(placed["order_key"], "completed")
    invoice = next(document["number"] for document in told["documents"] if document["kind"] == "invoice")
    await console.get_by_label("Order or document number").fill(invoice)
    await console.get_by_role("button", name="Find").click()
    await expect(console.get_by_role("heading", level=1)).to_contain_text(told["number"])
    await expect(console.get_by_role("row", name=invoice)).to_contain_text("35.00 USD")
    await assert_sound(console, "order-completed")


async def test_a_parked_order_is_corrected_by_form_and_goes_on(console: Page, portal: Portal) -> None:
    parked = await _park(portal)
    await _open_case(console, parked)
    await expect(console.get_by_role("main")).to_contain_text(f"no active item for {UNMAPPED}")
    await assert_sound(console, "case")
    await console.get_by_text("Make it somebody else's move").click()
    await console.locator("#to").fill("anna")
    await console.get_by_label("Why").fill("she knows the article")
    await console.get_by_role("button", name="Reassign").click()
    await expect(console.locator(".timeline")).to_contain_text("from operators to anna: she knows the article")
    await assert_sound(console, "case-reassigned")
    await console.get_by_label("Correct", exact=False).first.check()
    await console.get_by_label("Reason").fill("the SKU was renamed")
    await console.locator("#correction").fill('{"lines": {"0": {"sku": "HF-1001"')
    await console.get_by_role("button", name="Decide").click()
    await expect(console.get_by_role("alert")).to_contain_text("this is not JSON")
    await expect(console.get_by_label("Reason")).to_have_value("the SKU was renamed")
    await assert_sound(console, "case-refused")
    await console.locator("#correction").fill('{"lines": {"0": {"sku": "HF-1001"}}}')
    await console.get_by_role("button", name="Decide").click()
    await expect(console.get_by_role("status")).to_contain_text("The decision was taken")
    told = await portal.reaches(parked["order_key"], "awaiting payment")
    assert told["payment_link"]
    assert not told["cases"]


async def test_a_parked_order_is_given_up_by_form(console: Page, portal: Portal) -> None:
    parked = await _park(portal)
    await console.get_by_role("link", name="Overview").click()
    for system in ("magento", "financialforce", "juston"):
        await expect(console.get_by_role("row").filter(has_text=system).first).to_be_visible()
    await assert_sound(console, "overview")
    await _open_case(console, parked)
    await console.get_by_label("Give up").check()
    await console.get_by_label("Reason").fill("the customer does not want it any more")
    await console.get_by_role("button", name="Decide").click()
    await expect(console.get_by_role("status")).to_contain_text("The decision was taken")
    told = await portal.reaches(parked["order_key"], "given up")
    assert not told["payment_link"]


async def test_what_does_not_exist_is_said_in_plain_words(console: Page, stack: Stack) -> None:
    await console.get_by_label("Order or document number").fill("no-such-number")
    await console.get_by_role("button", name="Find").click()
    await expect(console.get_by_role("main")).to_contain_text("No order and no document has this number")
    await assert_sound(console, "orders-none")
    await console.goto(f"{stack.addresses.api}/console/orders/de/no-such-number")
    await expect(console.get_by_role("heading", level=1)).to_have_text("Not found")
    await assert_sound(console, "problem")


async def test_a_notification_that_cannot_be_read_is_seen_in_quarantine(
    console: Page, portal: Portal, stack: Stack
) -> None:
    body = b'{"id": "odd-1", "object": "Weather__c"}'
    signed = hmac.new(stack.env["SANDBOX_NOTIFY_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-holdfast-signature": f"sha256={signed}"}
    response = await portal.http.post("/v1/webhooks/juston", content=body, headers=headers)
    assert response.status_code == 202, response.text
    await console.get_by_role("link", name="Quarantine", exact=True).click()
    await expect(console.get_by_role("heading", level=1)).to_have_text("Quarantine")
    await console.get_by_role("main").get_by_text("Release").first.click()
    await console.get_by_label("Reason").fill("the flow was mended")
    await assert_sound(console, "quarantine-release")
    await console.get_by_role("button", name="Release").click()
    await expect(console.get_by_role("status")).to_contain_text("quarantined again")
    await expect(console.get_by_role("main")).to_contain_text("released by operator: the flow was mended")
    await console.get_by_text("What was sent").click()
    await expect(console.get_by_role("main")).to_contain_text('"object": "Weather__c"')
    await assert_sound(console, "quarantine")


async def test_who_signs_out_sees_nothing_any_more(console: Page, stack: Stack) -> None:
    await console.get_by_role("link", name="Orders", exact=True).click()
    await expect(console.get_by_role("heading", level=1)).to_have_text("Newest orders")
    await assert_sound(console, "orders")
    await console.get_by_role("button", name="Sign out").click()
    await console.goto(f"{stack.addresses.api}/console/orders")
    await expect(console.get_by_label("Token")).to_be_visible()


async def _find(console: Page, placed: dict[str, str]) -> None:
    number = placed["order_key"].removeprefix("de:")
    await console.get_by_label("Order or document number").fill(number)
    await console.get_by_role("button", name="Find").click()
    await expect(console.get_by_role("heading", level=1)).to_contain_text(f"Order {number}")


async def _park(portal: Portal) -> dict[str, str]:
    """An order with an article that the ERP does not know."""
    placed = await portal.place(order("de", "EUR", "20.00", sku=UNMAPPED))
    assert placed["cases"], placed
    return placed


async def _open_case(console: Page, parked: dict[str, str]) -> None:
    await console.get_by_role("link", name="Parked").click()
    await expect(console.get_by_role("heading", level=1)).to_have_text("Parked")
    await assert_sound(console, "parked")
    row = console.get_by_role("row").filter(has=console.get_by_role("link", name=parked["order_key"], exact=True))
    await row.get_by_role("link", name="Decide").click()
    await expect(console.locator(".headline")).to_contain_text("parked")
