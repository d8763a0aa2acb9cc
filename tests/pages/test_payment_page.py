"""A buyer pays in a browser, on the sandbox's payment page, and comes back to ours."""

import re

import pytest
from playwright.async_api import Page, expect

from engine.stack import Stack
from tests.pages.sound import assert_sound
from tests.stack_process import Portal, order


async def test_a_buyer_pays_and_is_told_that_the_payment_is_being_confirmed(
    page: Page, portal: Portal, stack: Stack
) -> None:
    placed = await portal.place(order("de", "EUR", "1234.50", language="de"))
    await page.goto(placed["payment_link"])
    await expect(page.locator("#amount")).to_have_text("1.234,50 EUR")
    await assert_sound(page, "payment")
    await page.get_by_role("button", name="Bezahlen", exact=True).click()
    await page.wait_for_url(f"{stack.addresses.api}/v1/return/de/**")
    await expect(page.get_by_role("main")).to_contain_text("is being confirmed")
    await assert_sound(page, "returned")
    await portal.reaches(placed["order_key"], "completed")
    await page.goto(placed["payment_link"])
    await expect(page.get_by_role("status")).to_have_text("Diese Zahlung ist bereits erfolgt. Vielen Dank.")
    await assert_sound(page, "payment-made")


async def test_a_buyer_whose_payment_failed_tries_again_on_the_same_link(page: Page, portal: Portal) -> None:
    placed = await portal.place(order("us", "USD", "20.00"))
    await page.goto(placed["payment_link"])
    await page.get_by_text("For testers").click()
    await page.get_by_role("button", name="Let the payment fail").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not paid yet")
    await expect(page.get_by_role("main")).to_contain_text("you can try again")
    await assert_sound(page, "returned-failed")
    await page.goto(placed["payment_link"])
    await page.get_by_label("PayPal").check()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.get_by_role("main")).to_contain_text("is being confirmed")
    told = await portal.reaches(placed["order_key"], "completed")
    assert "payment of 20.00 USD was captured" in [event["text"] for event in told["timeline"]]


async def test_a_buyer_who_leaves_has_paid_nothing_and_keeps_the_link(page: Page, portal: Portal) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await page.goto(placed["payment_link"])
    await page.get_by_role("button", name="Cancel").click()
    await expect(page).to_have_url(re.compile(r"/v1/return/de/.*outcome=cancel"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not paid yet")
    told = (await portal.http.get(placed["links"]["self"])).json()
    assert (told["stage"], told["payment_state"]) == ("awaiting payment", "due")
    await page.goto(placed["payment_link"])
    await expect(page.get_by_role("button", name="Pay", exact=True)).to_be_enabled()


@pytest.mark.parametrize(
    ("store", "currency", "amount", "shown"),
    [("jp", "JPY", "4980", "4,980 JPY"), ("kw", "KWD", "12.345", "12.345 KWD"), ("us", "USD", "1.00", "1.00 USD")],
)
async def test_the_amount_has_the_decimals_of_its_currency(
    page: Page, portal: Portal, store: str, currency: str, amount: str, shown: str
) -> None:
    placed = await portal.place(order(store, currency, amount))
    await page.goto(placed["payment_link"])
    await expect(page.locator("#amount")).to_have_text(shown)


async def test_an_amount_that_cannot_be_read_is_refused_on_the_page(page: Page, portal: Portal) -> None:
    placed = await portal.place(order("de", "EUR", "20.00"))
    await page.goto(placed["payment_link"])
    await page.get_by_text("For testers").click()
    await page.get_by_label("Pay another amount").fill("twenty")
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("is not a number")
    await assert_sound(page, "payment-refused")
