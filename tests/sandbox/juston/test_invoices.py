"""Invoices (contract 3, 4): the entry with the same key is joined, money brings Paid and back, final means final."""

from typing import Any

import pytest

from tests.sandbox.juston.desk import RECORDS, Desk

KEY = "de:000000123"
LINES = [{"price": "100", "rate": "19"}, {"price": "10.92", "rate": "19", "type": "Shipping Fees"}]  # 131.99 gross


async def billed(desk: Desk, **head: Any) -> dict[str, Any]:
    await desk.order(KEY, LINES, Entry_Key__c=KEY, **head)
    await desk.act("salesforce", "run-invoices")
    return await desk.invoice(KEY)


async def paid_and_billed(desk: Desk) -> dict[str, Any]:
    await desk.link(KEY, "131.99")
    await desk.act("juston", "pay", key=KEY)
    return await billed(desk)


async def balances(desk: Desk) -> list[tuple[str, str, str | None]]:
    rows = await desk.rows("SELECT ONB2__Type__c, ONB2__Amount__c, ONB2__Origin__c FROM ONB2__Balance__c ORDER BY Name")
    return [(row["ONB2__Type__c"], f"{row['ONB2__Amount__c']:.2f}", row["ONB2__Origin__c"]) for row in rows]


async def booked(desk: Desk) -> dict[str, str]:
    sums: dict[str, Any] = {}
    for row in await desk.rows("SELECT ONB2__Type__c, ONB2__Amount__c FROM ONB2__BookingDetail__c"):
        sums[row["ONB2__Type__c"]] = sums.get(row["ONB2__Type__c"], 0) + row["ONB2__Amount__c"]
    return {kind: f"{amount:.2f}" for kind, amount in sums.items()}


async def test_an_order_that_was_paid_before_billing_gets_a_paid_invoice(desk: Desk) -> None:
    invoice = await paid_and_billed(desk)
    assert (invoice["status"], invoice["total_minor"], invoice["refs"]["balance_minor"]) == ("Paid", 13199, 0)
    assert await balances(desk) == [("Payment", "-131.99", "JPAY1")]
    assert (await desk.entry())["JPAY1__Invoice__c"] == invoice["id"]
    assert await booked(desk) == {"Revenue": "110.92", "Tax": "21.07", "Payment": "-131.99"}


async def test_an_entry_that_is_not_paid_yet_is_joined_and_pays_the_invoice_later(desk: Desk) -> None:
    await desk.link(KEY, "131.99")
    assert (await billed(desk))["status"] == "Open"
    await desk.act("juston", "pay", key=KEY, amount="100")
    assert (await desk.invoice(KEY))["refs"]["balance_minor"] == 3199
    await desk.act("juston", "pay", key=KEY, times=2)

    assert (await desk.invoice(KEY))["status"] == "Paid"
    assert len((await desk.books())["entries"]) == 1
    [installment] = await desk.rows("SELECT ONB2__Status__c, ONB2__PaymentPageUrl__c FROM ONB2__Payment__c")
    assert installment["ONB2__Status__c"] == "Paid"
    assert "/pay/" in installment["ONB2__PaymentPageUrl__c"]


async def test_without_an_entry_one_is_made_for_what_is_open(desk: Desk) -> None:
    await billed(desk, PP_GiftCard__c="31.99", PP_Reference__c="GC-7")
    entry = await desk.entry()
    assert (entry["JPAY1__Status__c"], f"{entry['JPAY1__OpenAmount__c']:.2f}") == ("Open", "100.00")
    await desk.act("juston", "pay", key=KEY)
    assert (await desk.invoice(KEY))["status"] == "Paid"
    assert await balances(desk) == [("Prepayment", "-31.99", None), ("Payment", "-100.00", "JPAY1")]


async def test_an_invoice_that_is_covered_by_prepaid_amounts_is_paid_and_gets_no_entry(desk: Desk) -> None:
    prepaid = {"PP_GiftCard__c": "31.99", "PP_StoreCredit__c": "50", "PP_Gateway__c": "50", "PP_Reference__c": "R"}
    await desk.order(KEY, LINES, **prepaid)
    await desk.act("salesforce", "run-invoices")
    assert (await desk.invoice(KEY))["status"] == "Paid"
    assert (await desk.books())["entries"] == []
    rows = await desk.rows("SELECT ONB2__PaymentMethod__c, ONB2__Reference__c FROM ONB2__Balance__c ORDER BY Name")
    methods = ["GiftCard", "StoreCredit", "Gateway"]
    assert [(row["ONB2__PaymentMethod__c"], row["ONB2__Reference__c"]) for row in rows] == [(m, "R") for m in methods]
    assert (await booked(desk))["Prepayment"] == "-131.99"


async def test_a_chargeback_opens_a_paid_invoice_again(desk: Desk) -> None:
    await paid_and_billed(desk)
    await desk.act("juston", "chargeback", key=KEY, times=2)
    invoice = await desk.invoice(KEY)
    assert (invoice["status"], invoice["refs"]["balance_minor"]) == ("Open", 13199)
    assert await balances(desk) == [("Payment", "-131.99", "JPAY1"), ("Chargeback", "131.99", "JPAY1")]
    assert (await booked(desk))["Payment"] == "0.00"


async def test_a_late_failure_opens_a_paid_invoice_and_the_next_payment_closes_it(desk: Desk) -> None:
    await paid_and_billed(desk)
    await desk.act("juston", "fail", key=KEY)
    assert (await desk.invoice(KEY))["status"] == "Open"
    await desk.act("juston", "pay", key=KEY)
    assert (await desk.invoice(KEY))["status"] == "Paid"


async def test_a_refund_gives_money_back_and_leaves_the_invoice_paid(desk: Desk) -> None:
    link = await desk.link(KEY, "131.99")
    await desk.act("juston", "pay", key=KEY)
    await billed(desk)
    await desk.hosted.post("refund", json={"linkId": link["linkId"], "amount": 31.99})
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")

    assert (await desk.invoice(KEY))["status"] == "Paid"
    assert await balances(desk) == [("Payment", "-131.99", "JPAY1"), ("Refund", "31.99", "JPAY1")]
    assert (await booked(desk))["Refund"] == "31.99"


async def test_canceling_makes_the_opposite_document_and_cancels_the_entry(desk: Desk) -> None:
    invoice = await paid_and_billed(desk)
    done = await desk.action(
        "ONB2__InvoiceCancellation",
        invoiceId=invoice["id"],
        cancellationReason="Order cancelled",
        cancellationCBS="Direct Refund",
    )
    assert done["code"] == 200
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")

    books = await desk.books()
    [original], [opposite] = books["invoices"], books["credit_notes"]
    assert (original["status"], original["refs"]["balance_minor"]) == ("Canceled", 0)
    assert (opposite["key"], opposite["total_minor"], opposite["refs"]["balance_minor"]) == (KEY, -13199, 0)
    assert opposite["number"] == "RE-Nordlicht-000002"
    assert [row["status"] for row in books["entries"]] == ["Canceled"]
    assert [row["status"] for row in books["payments"]] == ["Refunded"]
    assert await booked(desk) == {"Revenue": "0.00", "Tax": "0.00", "Payment": "-131.99", "Refund": "131.99"}
    again = await desk.action("ONB2__InvoiceCancellation", invoiceId=invoice["id"])
    assert again["code"] == 500
    assert len((await desk.books())["credit_notes"]) == 1


async def test_the_entry_of_an_invoice_is_canceled_with_the_invoice_only(desk: Desk) -> None:
    await paid_and_billed(desk)
    entry = await desk.entry()
    refused = await desk.action("JPAY1__EntryCancellation", entryId=entry["Id"])
    assert (refused["code"], "cancel the invoice" in refused["detail"]) == (500, True)


@pytest.mark.parametrize(
    "change",
    [{"ONB2__Date__c": "2020-01-01"}, {"EntryAssignmentKey__c": "other"}, {"ONB2__Email__c": "x@y.example"}],
)
async def test_a_final_invoice_cannot_be_changed(desk: Desk, change: dict[str, str]) -> None:
    invoice = await billed(desk)
    refused = await desk.patch("ONB2__Invoice__c", invoice["id"], change)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert refused.json()[0]["fields"] == list(change)


async def test_the_lines_of_a_final_invoice_cannot_be_changed_added_or_deleted(desk: Desk) -> None:
    invoice = await billed(desk)
    [line, _] = await desk.rows("SELECT Id FROM ONB2__InvoiceLineItem__c")
    url = f"{RECORDS}/ONB2__InvoiceLineItem__c"
    added = await desk.org.post(url, json={"ONB2__Invoice__c": invoice["id"], "ONB2__Title__c": "More"})
    changed = await desk.patch("ONB2__InvoiceLineItem__c", line["Id"], {"ONB2__Quantity__c": 9})
    deleted = await desk.org.delete(f"{url}/{line['Id']}")
    gone = await desk.org.delete(f"{RECORDS}/ONB2__Invoice__c/{invoice['id']}")

    assert [reply.status_code for reply in (added, changed, deleted, gone)] == [400] * 4
    assert (await desk.invoice(KEY)) == invoice


async def test_a_draft_has_no_number_can_be_deleted_and_is_finalized_once(desk: Desk) -> None:
    account = await desk.create("Account", {"Name": "Buyer"})
    drafts = []
    for _ in range(2):
        draft = await desk.create("ONB2__Invoice__c", {"ONB2__Account__c": account})
        await desk.create(
            "ONB2__InvoiceLineItem__c",
            {"ONB2__Invoice__c": draft, "ONB2__Title__c": "Advice", "ONB2__UnitPrice__c": 80, "ONB2__TaxRate__c": 19},
        )
        drafts.append(draft)
    assert {row["number"][:6] for row in (await desk.books())["invoices"]} == {"DRAFT-"}
    assert (await desk.org.delete(f"{RECORDS}/ONB2__Invoice__c/{drafts[0]}")).status_code == 204

    first = await desk.action("ONB2__InvoiceFinalization", invoiceId=drafts[1])
    second = await desk.action("ONB2__InvoiceFinalization", invoiceId=drafts[1])
    assert (first, second["code"]) == ({"code": 200, "detail": "RE-Nordlicht-000001"}, 500)
    [invoice] = (await desk.books())["invoices"]
    assert (invoice["status"], invoice["total_minor"]) == ("Open", 9520)


async def test_a_closed_booking_period_takes_no_invoice(desk: Desk) -> None:
    await desk.act("salesforce", "close-booking-period", month="2026-10")
    await desk.order(KEY, LINES, ON_BookingDate__c="2026-10-31")
    result = await desk.act("salesforce", "run-invoices")
    assert "is closed" in result["errors"][0]["error"]
    assert (await desk.books())["invoices"] == []


async def test_balances_are_imported_as_drafts_and_then_assigned(desk: Desk) -> None:
    invoice = await billed(desk)
    row = {"ONB2__Invoice__c": invoice["id"], "ONB2__Amount__c": -131.99, "ONB2__Type__c": "Cash"}
    refused = await desk.org.post(f"{RECORDS}/ONB2__Balance__c", json=row)
    assert refused.json()[0]["errorCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"

    await desk.create("ONB2__Balance__c", row | {"ONB2__Draft__c": True})
    assert (await desk.invoice(KEY))["status"] == "Open"
    await desk.act("salesforce", "assign-balances")
    assert (await desk.invoice(KEY))["status"] == "Paid"


async def test_an_order_of_returns_becomes_a_credit(desk: Desk) -> None:
    await desk.order("de:return:17", [{"price": "-40", "rate": "19"}])
    await desk.act("salesforce", "run-invoices")
    [credit] = (await desk.books())["credit_notes"]
    assert (credit["key"], credit["total_minor"], credit["status"]) == ("de:return:17", -4760, "Open")


async def test_an_entry_in_another_currency_is_not_joined(desk: Desk) -> None:
    await desk.link(KEY, "131.99", currency="USD")
    await desk.order(KEY, LINES, Entry_Key__c=KEY)
    result = await desk.act("salesforce", "run-invoices")
    assert "is in USD, the invoice in EUR" in result["errors"][0]["error"]
    assert (await desk.books())["invoices"] == []
