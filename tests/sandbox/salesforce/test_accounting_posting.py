"""Posting: what the ledger takes becomes a balanced transaction; what it refuses stays as it is and says why."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from sandbox.kernel.world import ActError
from tests.sandbox.salesforce.conftest import Platform
from tests.sandbox.salesforce.erp_desk import REFUSED, Desk

INVOICE, INVOICE_LINE = "c2g__codaInvoice__c", "c2g__codaInvoiceLineItem__c"
CASH, CASH_LINE = "c2g__codaCashEntry__c", "c2g__codaCashEntryLineItem__c"
CREDIT, CREDIT_LINE = "c2g__codaCreditNote__c", "c2g__codaCreditNoteLineItem__c"
LEDGER = "c2g__codaTransactionLineItem__c"


@pytest.fixture
async def erp(_platform: Platform) -> Desk:
    return await Desk.open(_platform)


async def invoice(erp: Desk, customer: str = "de:501", price: str = "100.00", **fields: Any) -> str:
    """An invoice over one lamp with the store's tax, not posted."""
    document = await erp.create(INVOICE, c2g__Account__c=erp.account(customer), **fields)
    await erp.create(
        INVOICE_LINE,
        c2g__Invoice__c=document,
        c2g__Product__c=erp.id_of("Product2", "HF-1001", "ProductCode"),
        c2g__UnitPrice__c=price,
        c2g__TaxCode1__c=erp.id_of("c2g__codaTaxCode__c", "DE-19"),
    )
    return document


async def receipt(erp: Desk, value: str, currency: str = "EUR", customer: str = "de:501", **fields: Any) -> str:
    document = await erp.create(
        CASH,
        c2g__Account__c=erp.account(customer),
        c2g__CashEntryCurrency__c=erp.id_of("c2g__codaAccountingCurrency__c", currency),
        c2g__DeriveCurrency__c=False,
        **fields,
    )
    await erp.create(
        CASH_LINE,
        c2g__CashEntry__c=document,
        c2g__CashEntryValue__c=value,
        c2g__AccountReference__c="000000123",
    )
    return document


async def post(erp: Desk, kind: str, document: str) -> Any:
    await erp.change(kind, document, c2g__TriggerPosting__c="Synchronous")
    return await erp.read(kind, document)


def ledger(erp: Desk, document: Any) -> list[tuple[str, Any]]:
    rows = erp.org.find(LEDGER, "c2g__Transaction__c", document["c2g__Transaction__c"])
    assert sum(row["c2g__HomeValue__c"] for row in rows) == 0
    return [(row["c2g__LineType__c"], row["c2g__DocumentValue__c"]) for row in rows]


async def test_a_posted_invoice_is_one_balanced_transaction(erp: Desk) -> None:
    posted = await post(erp, INVOICE, await invoice(erp, c2g__ExternalId__c="de:1"))

    assert (posted["c2g__InvoiceStatus__c"], posted["c2g__TriggerPostingError__c"]) == ("Complete", None)
    assert (posted["c2g__InvoiceTotal__c"], posted["c2g__PaymentStatus__c"]) == (119, "Unpaid")
    assert ledger(erp, posted) == [("Account", 119), ("Analysis", -100), ("Tax", -19)]
    assert posted["c2g__DueDate__c"] > posted["c2g__InvoiceDate__c"]
    assert [(row["key"], row["total_minor"]) for row in erp.books()["invoices"]] == [("de:1", 11900)]


async def test_home_values_balance_whatever_the_rate_rounds_to(erp: Desk) -> None:
    document = await erp.create(INVOICE, c2g__Account__c=erp.account("us:web"))
    for price in ("0.01", "33.33", "33.33", "33.35"):
        await erp.create(
            INVOICE_LINE,
            c2g__Invoice__c=document,
            c2g__Product__c=erp.id_of("Product2", "HF-1001", "ProductCode"),
            c2g__UnitPrice__c=price,
        )
    posted = await post(erp, INVOICE, document)

    assert posted["CurrencyIsoCode"] == "USD"
    assert ledger(erp, posted)[0] == ("Account", Decimal("100.02"))


async def test_a_posted_document_cannot_be_changed_or_deleted(erp: Desk) -> None:
    document = await invoice(erp)
    line = erp.one(INVOICE_LINE, "c2g__Invoice__c", document)["Id"]
    await post(erp, INVOICE, document)

    for method, path, fields in (
        ("PATCH", f"/sobjects/{INVOICE}/{document}", {"c2g__CustomerReference__c": "other"}),
        ("PATCH", f"/sobjects/{INVOICE}/{document}", {"c2g__InvoiceStatus__c": "Discarded"}),
        ("PATCH", f"/sobjects/{INVOICE_LINE}/{line}", {"c2g__UnitPrice__c": 1}),
        ("POST", f"/sobjects/{INVOICE_LINE}", {"c2g__Invoice__c": document, "c2g__UnitPrice__c": 1}),
        ("DELETE", f"/sobjects/{INVOICE_LINE}/{line}", {}),
        ("DELETE", f"/sobjects/{INVOICE}/{document}", {}),
    ):
        assert (await erp.refusal(method, path, **fields))[:2] == (400, REFUSED), path
    assert (await erp.read(INVOICE, document))["c2g__InvoiceTotal__c"] == 119


async def test_a_status_is_never_complete_by_writing_it(erp: Desk) -> None:
    document = await invoice(erp)

    refused = await erp.refusal("PATCH", f"/sobjects/{INVOICE}/{document}", c2g__InvoiceStatus__c="Complete")
    await erp.change(INVOICE, document, c2g__InvoiceStatus__c="Discarded", c2g__DiscardReason__c="wrong customer")

    assert refused[:2] == (400, REFUSED)
    assert (await erp.refusal("PATCH", f"/sobjects/{INVOICE}/{document}", c2g__TriggerPosting__c="Synchronous"))[
        0
    ] == 400
    assert erp.org.all("c2g__codaTransaction__c") == []


async def test_a_closed_period_refuses_and_takes_the_document_once_it_is_open_again(erp: Desk) -> None:
    document = await invoice(erp)
    period = (await erp.act("close-period"))["period"]

    refused = await post(erp, INVOICE, document)
    assert refused["c2g__InvoiceStatus__c"] == "In Progress"
    assert refused["c2g__TriggerPostingError__c"] == f"The period {period} is closed."

    await erp.act("close-period", open=True)
    posted = await post(erp, INVOICE, document)
    assert (posted["c2g__InvoiceStatus__c"], posted["c2g__TriggerPostingError__c"]) == ("Complete", None)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("lines", "The document has no lines."),
        ("period", "There is no period for 2030-01-01."),
        ("currency", "The document has no currency."),
        ("control", "The account Müller & Söhne GmbH has no accounts receivable control."),
        ("revenue", "Line 1: the product Leselampe Aurora has no sales revenue account."),
        ("company", "The document belongs to a company that is not among your companies."),
    ],
)
async def test_each_reason_to_refuse_is_written_on_the_document(erp: Desk, spoil: str, reason: str) -> None:
    document = await invoice(erp)
    line = erp.one(INVOICE_LINE, "c2g__Invoice__c", document)
    async with erp.platform.world.unit():
        if spoil == "lines":
            erp.org.delete(INVOICE_LINE, line["Id"])
        elif spoil == "period":
            erp.org.update(INVOICE, document, {"c2g__InvoiceDate__c": "2030-01-01"})
        elif spoil == "currency":
            erp.org.update(INVOICE, document, {"c2g__DeriveCurrency__c": False, "c2g__InvoiceCurrency__c": None})
        elif spoil == "control":
            erp.org.update("Account", erp.account("de:501"), {"c2g__CODAAccountsReceivableControl__c": None})
        elif spoil == "revenue":
            erp.org.update("Product2", line["c2g__Product__c"], {"c2g__CODASalesRevenueAccount__c": None})
            erp.org.update(
                INVOICE_LINE,
                line["Id"],
                {"c2g__UseProductInformation__c": False, "c2g__GeneralLedgerAccount__c": None},
            )
        else:
            erp.org.update(INVOICE, document, {"c2g__TriggerPosting__c": "Asynchronous"})
            erp.org.delete("c2g__codaUserCompany__c", erp.org.all("c2g__codaUserCompany__c")[0]["Id"])
    if spoil == "company":  # the right was lost between the request and the posting
        await posted_later(erp, INVOICE, document)
        refused = await erp.read(INVOICE, document)
    else:
        refused = await post(erp, INVOICE, document)

    assert (refused["c2g__InvoiceStatus__c"], refused["c2g__TriggerPostingError__c"]) == ("In Progress", reason)
    assert erp.org.all("c2g__codaTransaction__c") == []


async def posted_later(erp: Desk, kind: str, document: str) -> None:
    """Wait until an asynchronous posting has come to a result."""
    async with asyncio.timeout(5):
        while True:
            row = await erp.read(kind, document)
            if row["c2g__Transaction__c"] or row["c2g__TriggerPostingError__c"]:
                return
            await asyncio.sleep(0.02)


async def test_without_a_user_company_nothing_can_be_written(erp: Desk) -> None:
    async with erp.platform.world.unit():
        erp.org.delete("c2g__codaUserCompany__c", erp.org.all("c2g__codaUserCompany__c")[0]["Id"])

    assert (await erp.refusal("POST", f"/sobjects/{CASH}", c2g__Account__c=erp.account("de:501")))[:2] == (400, REFUSED)
    assert erp.books()["payments"] == []


async def test_an_asynchronous_posting_is_done_later(erp: Desk) -> None:
    await erp.act("configure-accounting", posting_delay=0.05)
    document = await receipt(erp, "10.00")

    await erp.change(CASH, document, c2g__TriggerPosting__c="Asynchronous")
    assert (await erp.read(CASH, document))["c2g__Status__c"] == "In Progress"

    await posted_later(erp, CASH, document)
    assert (await erp.read(CASH, document))["c2g__Status__c"] == "Complete"


async def test_a_stuck_posting_waits_for_a_person_and_happens_once(erp: Desk) -> None:
    await erp.act("configure-accounting", posting_stuck=True)
    document = await receipt(erp, "10.00")
    await erp.change(CASH, document, c2g__TriggerPosting__c="Asynchronous")
    assert (await erp.read(CASH, document))["c2g__Status__c"] == "In Progress"

    assert [await erp.act("post-pending") for _ in range(2)] == [{"tried": 1}, {"tried": 0}]
    assert len(erp.org.all("c2g__codaTransaction__c")) == 1


async def test_an_org_without_trigger_posting_refuses_the_field(erp: Desk) -> None:
    await erp.act("configure-accounting", trigger_posting=False)
    document = await receipt(erp, "10.00")

    refused = await erp.refusal("PATCH", f"/sobjects/{CASH}/{document}", c2g__TriggerPosting__c="Synchronous")
    assert refused[:2] == (400, REFUSED)


@pytest.mark.parametrize(
    ("currency", "value", "minor"), [("EUR", "119.00", 11900), ("JPY", "12650", 12650), ("KWD", "17.905", 17905)]
)
async def test_a_receipt_keeps_the_minor_units_of_its_currency(
    erp: Desk, currency: str, value: str, minor: int
) -> None:
    customer = {"EUR": "de:web", "JPY": "jp:web", "KWD": "kw:web"}[currency]
    posted = await post(erp, CASH, await receipt(erp, value, currency, customer, c2g__ExternalId__c="k"))

    assert posted["c2g__TriggerPostingError__c"] is None
    assert [value for _, value in ledger(erp, posted)] == [-Decimal(value), Decimal(value)]
    (payment,) = erp.books()["payments"]
    assert (payment["key"], payment["currency"], payment["total_minor"]) == ("k", currency, minor)


async def test_an_amount_finer_than_its_currency_is_refused(erp: Desk) -> None:
    posted = await post(erp, CASH, await receipt(erp, "12650.5", "JPY", "jp:web"))

    assert posted["c2g__TriggerPostingError__c"] == (
        "Line 1: the cash entry value 12650.500 has more than 0 decimal places."
    )
    (payment,) = erp.books()["payments"]
    assert (payment["total_minor"], payment["refs"]["total"]) == (None, "12650.5")


async def test_a_refund_leaves_the_bank_and_counts_negative(erp: Desk) -> None:
    posted = await post(erp, CASH, await receipt(erp, "40.00", c2g__Type__c="Refund", c2g__ExternalId__c="r1"))

    assert ledger(erp, posted) == [("Account", 40), ("Analysis", -40)]
    assert [row["total_minor"] for row in erp.books()["payments"]] == [-4000]


async def test_provider_charges_are_booked_apart_from_what_was_banked(erp: Desk) -> None:
    charges = erp.id_of("c2g__codaGeneralLedgerAccount__c", "6855", "c2g__ReportingCode__c")
    posted = await post(
        erp, CASH, await receipt(erp, "100.00", c2g__ChargesAmount__c="2.50", c2g__ChargesGLA__c=charges)
    )

    assert ledger(erp, posted) == [("Account", -100), ("Analysis", Decimal("2.5")), ("Analysis", Decimal("97.5"))]
    assert posted["c2g__NetBanked__c"] == 97.5


async def test_a_header_value_that_is_not_the_total_of_the_lines_is_refused(erp: Desk) -> None:
    posted = await post(erp, CASH, await receipt(erp, "10.00", c2g__Value__c="11.00"))

    assert posted["c2g__Status__c"] == "In Progress"
    assert "not the total of its lines" in posted["c2g__TriggerPostingError__c"]


async def test_a_currency_other_than_the_bank_accounts_needs_the_switch_off(erp: Desk) -> None:
    derived = await erp.create(
        CASH,
        c2g__Account__c=erp.account("us:web"),
        c2g__CashEntryCurrency__c=erp.id_of("c2g__codaAccountingCurrency__c", "USD"),
    )
    explicit = await receipt(erp, "10.00", "USD", "us:web")

    assert (await erp.read(CASH, derived))["CurrencyIsoCode"] == "EUR"
    assert (await erp.read(CASH, explicit))["CurrencyIsoCode"] == "USD"


async def test_exact_tax_stands_only_with_the_switches_off(erp: Desk) -> None:
    document = await erp.create(INVOICE, c2g__Account__c=erp.account("de:501"))
    line = {
        "c2g__Invoice__c": document,
        "c2g__Product__c": erp.id_of("Product2", "HF-1001", "ProductCode"),
        "c2g__UnitPrice__c": "10.03",
        "c2g__TaxCode1__c": erp.id_of("c2g__codaTaxCode__c", "DE-19"),
        "c2g__TaxValue1__c": "1.90",
    }
    calculated = await erp.create(INVOICE_LINE, **line)
    off = ("SetTaxCode1ToDefault", "DeriveTaxRate1FromCode", "CalculateTaxValue1FromRate")
    exact = await erp.create(INVOICE_LINE, **line, **{f"c2g__{name}__c": False for name in off})

    assert (await erp.read(INVOICE_LINE, calculated))["c2g__TaxValue1__c"] == 1.91
    assert (await erp.read(INVOICE_LINE, exact))["c2g__TaxValue1__c"] == 1.9


async def test_external_ids_have_the_lengths_of_their_objects(erp: Desk) -> None:
    account = erp.account("de:501")

    assert (await erp.refusal("PATCH", f"/sobjects/{CASH}/c2g__ExternalId__c/{'x' * 33}", c2g__Account__c=account))[
        1
    ] == "STRING_TOO_LONG"
    assert (await erp.refusal("PATCH", f"/sobjects/{CREDIT}/c2g__ExternalId__c/{'x' * 25}", c2g__Account__c=account))[
        1
    ] == "STRING_TOO_LONG"


async def test_the_same_external_id_is_one_document_whatever_its_case(erp: Desk) -> None:
    path = f"/sobjects/{CASH}/c2g__ExternalId__c/"
    first = await erp.platform.call("PATCH", path + "pay-A", json={"c2g__Account__c": erp.account("de:501")})
    second = await erp.platform.call("PATCH", path + "PAY-a", json={"c2g__Reference__c": "x"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


async def test_a_receipt_is_matched_to_its_invoice_by_people(erp: Desk) -> None:
    document = await invoice(erp, c2g__CustomerReference__c="000000123")
    await post(erp, INVOICE, document)
    await post(erp, CASH, await receipt(erp, "100.00"))
    assert (await erp.read(INVOICE, document))["c2g__PaymentStatus__c"] == "Unpaid"

    assert await erp.act("match") == {"matched": 1}
    assert (await erp.read(INVOICE, document))["c2g__PaymentStatus__c"] == "Part Paid"

    rest = await receipt(erp, "25.00", c2g__ExternalId__c="rest")
    await post(erp, CASH, rest)
    await erp.act("match", invoice=(await erp.read(INVOICE, document))["Name"], cash="rest")
    paid = await erp.read(INVOICE, document)
    assert (paid["c2g__PaymentStatus__c"], paid["c2g__OutstandingValue__c"]) == ("Paid", 0)
    lines = erp.org.find(LEDGER, "c2g__Transaction__c", (await erp.read(CASH, rest))["c2g__Transaction__c"])
    left = [(line["c2g__MatchingStatus__c"], line["c2g__DocumentOutstandingValue__c"]) for line in lines]
    assert left[0] == ("Available", -6)  # what was overpaid stays open


async def test_more_than_is_open_cannot_be_matched(erp: Desk) -> None:
    document = await invoice(erp, c2g__ExternalId__c="i")
    await post(erp, INVOICE, document)
    await post(erp, CASH, await receipt(erp, "10.00", c2g__ExternalId__c="c"))

    with pytest.raises(ActError, match="amount"):
        await erp.act("match", invoice="i", cash="c", amount="10.01")
    assert (await erp.read(INVOICE, document))["c2g__OutstandingValue__c"] == 119


async def test_a_credit_note_posted_to_match_settles_its_invoice(erp: Desk) -> None:
    document = await invoice(erp)
    await post(erp, INVOICE, document)
    credit = await erp.create(CREDIT, c2g__Account__c=erp.account("de:501"), c2g__Invoice__c=document)
    await erp.create(
        CREDIT_LINE,
        c2g__CreditNote__c=credit,
        c2g__Product__c=erp.id_of("Product2", "HF-1001", "ProductCode"),
        c2g__UnitPrice__c="100.00",
        c2g__TaxCode1__c=erp.id_of("c2g__codaTaxCode__c", "DE-19"),
    )
    await erp.change(
        CREDIT, credit, c2g__CreditNoteStatus__c="Ready to Post & Match", c2g__TriggerPosting__c="Synchronous"
    )

    assert ledger(erp, await erp.read(CREDIT, credit)) == [("Account", -119), ("Analysis", 100), ("Tax", 19)]
    assert (await erp.read(INVOICE, document))["c2g__PaymentStatus__c"] == "Paid"
