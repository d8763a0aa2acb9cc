"""The other pages that people open: the API reference, the Temporal UI by order number, and the sandbox's own."""

from urllib.parse import quote

import httpx2
import pytest
from playwright.async_api import Page, expect

from engine.stack import Stack
from tests.pages.sound import assert_sound, picture
from tests.stack_process import Portal, order


async def test_the_api_reference_shows_every_call_with_an_example(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.addresses.api}/docs")
    async with httpx2.AsyncClient(base_url=stack.addresses.api) as http:
        document = (await http.get("/openapi.json")).json()
    text = await page.get_by_role("main").inner_text()
    assert document["paths"]
    for path in document["paths"]:
        assert path in text
    await page.get_by_text("Example: A consumer who pays by link").first.click()
    await expect(page.get_by_text('"minor"').or_(page.get_by_text('"total": "')).first).to_be_visible()
    await assert_sound(page, "reference")


async def test_the_temporal_ui_finds_the_run_by_its_order_number_and_says_what_it_is(
    page: Page, portal: Portal, stack: Stack
) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await portal.place(order("de", "EUR", "30.00"))
    number = placed["order_key"].removeprefix("de:")
    asked = quote(f'OrderNumber="{number}"')
    await page.goto(f"{stack.addresses.temporal_ui}/namespaces/default/workflows?query={asked}")
    found = page.get_by_role("link", name=f"checkout:{placed['order_key']}", exact=True)
    await expect(found).to_be_visible()
    await expect(page.get_by_role("link", name="checkout:de:")).to_have_count(1)
    await picture(page, "temporal-list")
    await page.goto(placed["links"]["temporal_ui"])
    await expect(page.get_by_text(f"check with the ERP: {placed['order_key']}").first).to_be_visible()
    await picture(page, "temporal-run")
    await page.get_by_role("tab", name="User Metadata").click()
    summary, now = page.locator("iframe").first.content_frame, page.locator("iframe").last.content_frame
    await expect(summary.get_by_text(f"Order {number} of de")).to_be_visible()
    await expect(now.get_by_text("awaiting payment")).to_be_visible()
    await picture(page, "temporal-summary")


async def test_the_sandbox_shows_its_systems_and_their_books(page: Page, portal: Portal, stack: Stack) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await page.goto(stack.addresses.sandbox["control"])
    await expect(page.get_by_role("rowheader", name="magento")).to_be_visible()
    await assert_sound(page, "sandbox")
    await page.get_by_role("link", name="juston", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("juston")
    await expect(page.get_by_role("main")).to_contain_text(placed["order_key"])
    await assert_sound(page, "sandbox-juston")


@pytest.mark.parametrize("vendor", ["magento", "salesforce", "mail"])
async def test_every_vendor_of_the_sandbox_has_a_page(page: Page, stack: Stack, vendor: str) -> None:
    await page.goto(f"{stack.addresses.sandbox['control']}/pages/{vendor}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(vendor)
    await assert_sound(page, f"sandbox-{vendor}")


async def test_a_mail_to_the_buyer_is_read_in_the_inbox(page: Page, portal: Portal, stack: Stack) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await portal.pay(placed["payment_link"])
    await portal.reaches(placed["order_key"], "completed")
    number = placed["order_key"].removeprefix("de:")
    await page.goto(stack.addresses.sandbox["mail"])
    await assert_sound(page, "inbox")
    await page.get_by_label("Subject").fill(number)
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name=number).first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(number)
    await expect(page.get_by_role("main")).to_contain_text("20.00 EUR")
    await assert_sound(page, "inbox-mail")
