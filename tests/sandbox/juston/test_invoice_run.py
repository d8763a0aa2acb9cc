"""The generic invoice run over web orders (contract 5, docs/salesforce-org.md): exact totals, one invoice per order."""

import asyncio
import time
from typing import Any

import pytest

from sandbox.salesforce.packages import web_order
from sandbox.salesforce.vendor import SalesforceVendor
from tests.sandbox.juston.desk import Desk

KEY = "de:000000123"
ROW = "SELECT ON_Invoice__c, ON_InvoiceBuildError__c, ON_LastInvoiceRun__c FROM Web_Order__c"


@pytest.mark.parametrize(
    ("currency", "lines", "total_minor"),
    [
        # 3 x 19.99 = 59.97 net, 11.3943 -> 11.39 tax; shipping 4.95 net, 0.9405 -> 0.94 tax
        (
            "EUR",
            [
                {"price": "19.99", "quantity": "3", "rate": "19"},
                {"price": "4.95", "rate": "19", "type": "Shipping Fees"},
            ],
            7725,
        ),
        # half up: 0.125 -> 0.13 net, and -0.125 -> -0.13 for a discount
        ("EUR", [{"price": "0.125"}, {"price": "10"}, {"price": "-0.125"}], 1000),
        # yen have no decimals: 1995.5 -> 1996 net, 199.6 -> 200 tax
        ("JPY", [{"price": "1995.5", "rate": "10"}], 2196),
        # dinars have three: 0.33333 x 3 = 0.99999 -> 1.000
        ("KWD", [{"price": "0.33333", "quantity": "3"}, {"price": "1.2345"}], 2235),
        # a tax delta changes the tax only; an information line is worth nothing
        (
            "EUR",
            [
                {"price": "100", "rate": "8.875"},
                {"price": "-0.01", "type": "Tax Delta"},
                {"price": "55", "type": "Information"},
            ],
            10887,
        ),
    ],
)
async def test_totals_are_rounded_per_line_to_the_currency(
    desk: Desk, currency: str, lines: list[dict[str, Any]], total_minor: int
) -> None:
    await desk.order(KEY, lines, CurrencyIsoCode=currency)
    await desk.act("salesforce", "run-invoices")

    invoice = await desk.invoice(KEY)
    assert (invoice["currency"], invoice["total_minor"]) == (currency, total_minor)
    assert sum(line["total_minor"] for line in invoice["lines"]) == total_minor
    [order] = (await desk.books())["orders"]
    assert (order["total_minor"], order["status"]) == (total_minor, "Billed")


async def test_a_tax_delta_brings_the_total_to_the_shops(desk: Desk) -> None:
    lines = [{"price": "10.05", "rate": "19"}, {"price": "10.05", "rate": "19"}]
    await desk.order(KEY, [*lines, {"price": "-0.01", "type": "Tax Delta"}], Expected_Total__c="23.91")
    await desk.act("salesforce", "run-invoices")
    [invoice] = await desk.rows("SELECT ONB2__TotalNet__c, ONB2__TotalTax__c FROM ONB2__Invoice__c")
    assert (str(invoice["ONB2__TotalNet__c"]), str(invoice["ONB2__TotalTax__c"])) == ("20.100", "3.810")


@pytest.mark.parametrize(
    ("lines", "head", "error"),
    [
        ([{"price": "1"}], {"account": None}, "No account"),
        ([], {}, "No lines"),
        ([{"price": None}], {}, "no price"),
        ([{"price": "1", "type": "Gift Wrap"}], {}, "unknown type"),
        ([{"price": "1", "quantity": None}], {}, "no quantity"),
        ([{"price": "10"}], {"Expected_Total__c": "11.5"}, "the difference is -1.50"),
        ([{"price": "10"}], {"ON_ServiceDate__c": None}, "No service date"),
    ],
)
async def test_an_order_that_cannot_be_billed_says_why_and_gets_no_invoice(
    desk: Desk, lines: list[dict[str, Any]], head: dict[str, Any], error: str
) -> None:
    await desk.order(KEY, lines, **head)
    result = await desk.act("salesforce", "run-invoices")

    [row] = await desk.rows(ROW)
    assert row["ON_Invoice__c"] is None
    assert error in row["ON_InvoiceBuildError__c"]
    assert result["errors"][0]["order"] == KEY
    assert (await desk.books())["invoices"] == []


async def test_a_corrected_order_is_billed_by_the_next_run_and_only_once(desk: Desk) -> None:
    order = await desk.order(KEY, [{"price": "10"}], Expected_Total__c="11")
    await desk.act("salesforce", "run-invoices")
    await desk.patch("Web_Order__c", order, {"Expected_Total__c": "10"})
    for _ in range(3):
        await desk.act("salesforce", "run-invoices")

    assert (await desk.invoice(KEY))["total_minor"] == 1000
    [row] = await desk.rows(ROW)
    assert row["ON_InvoiceBuildError__c"] is None
    assert row["ON_LastInvoiceRun__c"] is not None


async def test_a_canceled_order_and_one_of_the_future_are_left_alone(desk: Desk) -> None:
    await desk.order("de:1", [{"price": "10"}], Canceled__c=True)
    await desk.order("de:2", [{"price": "10"}], ON_ServiceDate__c="2099-01-01")
    await desk.act("salesforce", "run-invoices")
    books = await desk.books()
    assert books["invoices"] == []
    assert [(row["key"], row["status"]) for row in books["orders"]] == [("de:1", "Canceled"), ("de:2", "Open")]


async def test_one_order_can_be_billed_alone(desk: Desk) -> None:
    await desk.order("de:1", [{"price": "10"}])
    await desk.order("de:2", [{"price": "20"}])
    await desk.act("salesforce", "run-invoices", order="de:2")
    assert [row["key"] for row in (await desk.books())["invoices"]] == ["de:2"]
    assert (await desk.try_act("salesforce", "run-invoices", order="de:none")).status_code == 400


async def test_a_second_order_with_the_same_entry_key_is_a_build_error(desk: Desk) -> None:
    await desk.order("de:1", [{"price": "10"}], Entry_Key__c="K")
    await desk.order("de:2", [{"price": "10"}], Entry_Key__c="K")
    await desk.act("salesforce", "run-invoices")
    assert [row["key"] for row in (await desk.books())["invoices"]] == ["de:1"]
    errors = [row["ON_InvoiceBuildError__c"] for row in await desk.rows(f"{ROW} ORDER BY Name")]
    assert errors[0] is None
    assert "carries the assignment key K already" in errors[1]


async def test_numbers_have_no_gaps_although_orders_fail_in_between(desk: Desk) -> None:
    for number in range(1, 6):
        wrong = {"Expected_Total__c": "1"} if number % 2 == 0 else {}
        await desk.order(f"de:{number}", [{"price": "10"}], **wrong)
    await desk.act("salesforce", "run-invoices")
    numbers = [row["number"] for row in (await desk.books())["invoices"]]
    assert numbers == [f"RE-Nordlicht-{number:06d}" for number in (1, 2, 3)]


async def test_the_automatic_clock_makes_a_draft_first_and_a_final_invoice_later(desk: Desk) -> None:
    await desk.act("juston", "configure", run_every_minutes=0, finalize_after_minutes=1)
    await desk.order(KEY, [{"price": "10"}])
    await desk.control.put("/clock", json={"auto": True, "speed": 100})
    seen: list[str] = []
    end = time.monotonic() + 8
    while "Open" not in seen:
        assert time.monotonic() < end, seen
        for invoice in (await desk.books())["invoices"]:
            if invoice["status"] not in seen:
                seen.append(invoice["status"])
        await asyncio.sleep(0.03)
    assert seen == ["Pre-Open", "Open"]
    assert (await desk.invoice(KEY))["number"] == "RE-Nordlicht-000001"


async def test_a_run_that_meets_only_known_errors_leaves_no_trace(desk: Desk) -> None:
    await desk.order(KEY, [])
    for _ in range(3):
        await desk.act("salesforce", "run-invoices")
    assert len(await desk.rows("SELECT Id FROM ONB2__InvoiceRun__c")) == 1


async def test_a_run_in_portions_bills_everything_once(desk: Desk) -> None:
    for number in range(1, 4):
        await desk.order(f"de:{number}", [{"price": "10"}])
    salesforce = desk.world.vendor("salesforce")
    assert isinstance(salesforce, SalesforceVendor)
    counts = []
    for _ in range(3):
        async with desk.world.unit():
            counts.append(len(web_order.run(salesforce.org, immediate=True, most=2)["invoices"]))
    assert counts == [2, 1, 0]
    assert [row["key"] for row in (await desk.books())["invoices"]] == ["de:1", "de:2", "de:3"]


async def test_a_draft_that_cannot_become_final_is_taken_back_and_costs_no_number(desk: Desk) -> None:
    await desk.link(KEY, "10", currency="USD")
    await desk.order(KEY, [{"price": "10"}], Entry_Key__c=KEY)
    salesforce = desk.world.vendor("salesforce")
    assert isinstance(salesforce, SalesforceVendor)
    async with desk.world.unit():
        web_order.run(salesforce.org, immediate=False)
    assert (await desk.invoice(KEY))["status"] == "Pre-Open"
    await desk.act("salesforce", "run-invoices")

    [row] = await desk.rows(ROW)
    assert row["ON_Invoice__c"] is None
    assert "is in USD" in row["ON_InvoiceBuildError__c"]
    await desk.order("de:next", [{"price": "10"}])
    await desk.act("salesforce", "run-invoices")
    assert [row["number"] for row in (await desk.books())["invoices"]] == ["RE-Nordlicht-000001"]
