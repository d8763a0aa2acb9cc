"""Money received and paid back: one posted cash entry for each movement, whatever gets lost on the way."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.mapping import external_id
from activities.roles import BookReceipt, BookRefund, FindCustomer
from activities.salesforce.soql import quote
from activities.salesforce.wire import loads
from commerce.documents import Document, DocumentKind
from commerce.money import Money
from commerce.payment import Collected
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.parked import refused
from tests.activities.salesforce.scripted import Answer, scripted
from tests.sandbox_process import Sandbox

ENTRY = "c2g__codaCashEntry__c"
AT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


async def receipt(erp: FinancialForce, transaction: str, minor: int = 12990, currency: str = "EUR") -> BookReceipt:
    customer = await erp.find_customer(FindCustomer(key="de:web", order_key="de:1001"))
    payment = Collected(
        id="p1", amount=Money(minor=minor, currency=currency), transaction_id=transaction, method="カード"
    )
    return BookReceipt(
        key=f"de:1001:{transaction}",
        order_key="de:1001",
        order_number="1001",
        store="de",
        customer=customer,
        payment=payment,
        received_at=AT,
    )


def refund_of(task: BookReceipt) -> BookRefund:
    fields = task.model_dump(exclude={"received_at", "key"})
    return BookRefund(**fields, key=f"{task.key}:refund", paid_back_at=AT)


async def entries(erp: FinancialForce, transaction: str) -> list[dict[str, Any]]:
    soql = (
        "SELECT Id, Name, c2g__Type__c, c2g__Value__c, c2g__Status__c, c2g__Date__c, c2g__PaymentMethod__c, "
        "c2g__CashEntryCurrency__r.Name, c2g__BankAccount__r.Name, c2g__Transaction__c, c2g__ExternalId__c, "
        "(SELECT c2g__AccountReference__c, c2g__CashEntryValue__c FROM c2g__CashEntryLineItems__r) "
        f"FROM {ENTRY} WHERE c2g__Reference__c = {quote(transaction)}"
    )
    return await erp.client.query(soql, tried="read the books")


async def test_a_receipt_is_posted_with_its_transaction_and_order(org: Sandbox, erp: FinancialForce) -> None:
    task = await receipt(erp, "pi_all")
    document = await erp.book_receipt(task)
    (row,) = await entries(erp, "pi_all")
    assert (document.kind, document.system) == (DocumentKind.RECEIPT, "ff-de")
    assert (document.id, document.number, document.key) == (row["Id"], row["Name"], task.key)
    assert (document.amount, document.status, document.adopted) == (task.payment.amount, "Complete", False)
    assert (row["c2g__Type__c"], row["c2g__Status__c"], row["c2g__Value__c"]) == (
        "Receipt",
        "Complete",
        task.payment.amount.decimal(),
    )
    assert row["c2g__Transaction__c"]
    assert row["c2g__CashEntryCurrency__r"]["Name"] == "EUR"
    assert row["c2g__BankAccount__r"]["Name"] == "Bank EUR"
    assert (row["c2g__Date__c"], row["c2g__PaymentMethod__c"]) == ("2026-11-20", "Electronic")
    (entry_line,) = row["c2g__CashEntryLineItems__r"]["records"]
    assert entry_line["c2g__AccountReference__c"] == "1001"
    assert entry_line["c2g__CashEntryValue__c"] == task.payment.amount.decimal()
    assert [p["total_minor"] for p in org.books("salesforce")["payments"] if p["id"] == row["Id"]] == [12990]


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 12990), ("KWD", 12990), ("USD", 1)])
async def test_every_currency_keeps_its_units(erp: FinancialForce, currency: str, minor: int) -> None:
    task = await receipt(erp, f"pi_{currency}", minor, currency)
    await erp.book_receipt(task)
    (row,) = await entries(erp, f"pi_{currency}")
    assert row["c2g__Value__c"] == task.payment.amount.decimal()
    assert row["c2g__CashEntryCurrency__r"]["Name"] == currency


async def test_a_third_decimal_without_room_is_refused_and_not_rounded(erp: FinancialForce) -> None:
    task = await receipt(erp, "pi_fils", 12345, "KWD")
    case = await refused(erp.book_receipt(task), "Rejected")
    assert "12.345" in case["came_back"]
    assert await entries(erp, "pi_fils") == []


@pytest.mark.parametrize("kind", ["receipt", "refund"])
async def test_the_repeat_adopts_the_posted_entry(erp: FinancialForce, kind: str) -> None:
    task = await receipt(erp, f"pi_twice_{kind}")
    if kind == "receipt":
        first, second = await erp.book_receipt(task), await erp.book_receipt(task)
    else:
        first, second = await erp.book_refund(refund_of(task)), await erp.book_refund(refund_of(task))
    assert (first.adopted, second.adopted) == (False, True)
    assert second.model_copy(update={"adopted": False}) == first
    assert len(await entries(erp, f"pi_twice_{kind}")) == 1


@pytest.mark.parametrize("kind", ["receipt", "refund"])
@pytest.mark.parametrize("lost", ["lose-reply", "cut-request", "garble"])
async def test_after_a_lost_reply_the_repeat_leaves_one_posted_entry(
    org: Sandbox, erp: FinancialForce, kind: str, lost: str
) -> None:
    transaction = f"pi_{lost}_{kind}"
    task = await receipt(erp, transaction)

    async def book() -> Document:
        return await (erp.book_receipt(task) if kind == "receipt" else erp.book_refund(refund_of(task)))

    org.faults("salesforce", {"kind": lost, "times": 1, "match": {"method": "POST", "path": "/composite"}})
    await refused(book(), "OutcomeUnknown")
    await book()
    (row,) = await entries(erp, transaction)
    assert row["c2g__Status__c"] == "Complete"


async def test_a_refund_stands_beside_its_receipt(erp: FinancialForce) -> None:
    task = await receipt(erp, "pi_back")
    paid, back = await erp.book_receipt(task), await erp.book_refund(refund_of(task))
    rows = {row["Id"]: row for row in await entries(erp, "pi_back")}
    assert (back.kind, rows[paid.id]["c2g__Type__c"], rows[back.id]["c2g__Type__c"]) == (
        DocumentKind.REFUND,
        "Receipt",
        "Refund",
    )
    assert rows[back.id]["c2g__Value__c"] == rows[paid.id]["c2g__Value__c"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"amount": Money(minor=12991, currency="EUR")}, "the books have 129.90 EUR, it should be 129.91 EUR"),
        ({"amount": Money(minor=12990, currency="USD")}, "the books have 129.90 EUR, it should be 129.90 USD"),
        ({"transaction_id": "pi_other"}, "reference: the books have pi_differs"),
    ],
)
async def test_an_entry_that_differs_waits_for_a_person_with_both_values(
    erp: FinancialForce, changed: dict[str, Any], said: str
) -> None:
    task = await receipt(erp, "pi_differs")
    await erp.book_receipt(task)
    other = task.model_copy(update={"payment": task.payment.model_copy(update=changed)})
    case = await refused(erp.book_receipt(other), "NeedsPerson")
    assert said in case["came_back"]
    assert len(await entries(erp, "pi_differs")) == 1


async def unposted(erp: FinancialForce, task: BookReceipt, *, with_line: bool) -> str:
    """An entry under the key that somebody left unposted."""
    header = {
        "c2g__Type__c": "Receipt",
        "c2g__Date__c": "2026-11-20",
        "c2g__Account__c": task.customer.id,
        "c2g__Reference__c": task.payment.transaction_id,
        "c2g__Value__c": task.payment.amount.decimal(),
        "c2g__BankAccount__c": (await only(erp, "c2g__codaBankAccount__c", "Bank EUR")),
        "c2g__CashEntryCurrency__c": (await only(erp, "c2g__codaAccountingCurrency__c", "EUR")),
        "CurrencyIsoCode": "EUR",
    }
    made = await erp.client.upsert(ENTRY, "c2g__ExternalId__c", external_id(task.key), header, tried="begin")
    if with_line:
        body = {
            "c2g__CashEntry__c": made.id,
            "c2g__Account__c": task.customer.id,
            "c2g__CashEntryValue__c": task.payment.amount.decimal(),
        }
        key = external_id(task.key, "line")
        await erp.client.upsert("c2g__codaCashEntryLineItem__c", "c2g__ExternalId__c", key, body, tried="begin")
    return made.id


async def only(erp: FinancialForce, sobject: str, name: str) -> str:
    (row,) = await erp.client.query(f"SELECT Id FROM {sobject} WHERE Name = {quote(name)}", tried="read")
    return str(row["Id"])


@pytest.mark.parametrize("with_line", [True, False])
async def test_an_entry_of_ours_that_was_left_unposted_is_finished(erp: FinancialForce, with_line: bool) -> None:
    task = await receipt(erp, f"pi_begun_{with_line}")
    id = await unposted(erp, task, with_line=with_line)
    document = await erp.book_receipt(task)
    (row,) = await entries(erp, task.payment.transaction_id)
    assert (document.id, document.adopted, row["c2g__Status__c"]) == (id, True, "Complete")
    assert len(row["c2g__CashEntryLineItems__r"]["records"]) == 1


async def test_an_unknown_bank_account_waits_for_a_person(org: Sandbox) -> None:
    erp = FinancialForce(settings_for(org, bank_accounts={"USD": "Bank USD", "EUR": "Sparkasse"}), system="ff-de")
    for currency, said in (("CHF", "no bank account is set for CHF"), ("EUR", "no bank account Sparkasse")):
        case = await refused(erp.book_receipt(await receipt(erp, "pi_nobank", 1, currency)), "NeedsPerson")
        assert said in case["came_back"]
    assert await entries(erp, "pi_nobank") == []
    await erp.close()


async def test_a_closed_period_waits_for_a_person_and_goes_on_when_it_is_open(org: Sandbox) -> None:
    erp = FinancialForce(settings_for(org), system="ff-de")
    org.act("salesforce", "close-period", period="2026/011")
    task = await receipt(erp, "pi_closed")
    case = await refused(erp.book_receipt(task), "NeedsPerson")
    assert "period" in case["came_back"].lower()
    rows = await entries(erp, "pi_closed")
    assert all(row["c2g__Status__c"] != "Complete" for row in rows)
    period = await only(erp, "c2g__codaPeriod__c", "2026/011")
    await erp.client.update("c2g__codaPeriod__c", period, {"c2g__Closed__c": False}, tried="open the period")
    assert (await erp.book_receipt(task)).status == "Complete"
    assert len(await entries(erp, "pi_closed")) == 1
    await erp.close()


async def test_posting_by_the_orgs_own_job_is_waited_for(org: Sandbox) -> None:
    erp = FinancialForce(settings_for(org, posting="Asynchronous"), system="ff-de")
    task = await receipt(erp, "pi_async")
    deadline = time.monotonic() + 10
    case = await refused(erp.book_receipt(task), "Transient")
    assert "posting job" in case["came_back"]
    while (await entries(erp, "pi_async"))[0]["c2g__Status__c"] != "Complete":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    document = await erp.book_receipt(task)
    (row,) = await entries(erp, "pi_async")
    assert (document.id, row["c2g__Status__c"], document.status) == (row["Id"], "Complete", "Complete")
    await erp.close()


def found_entry(task: BookReceipt, **state: Any) -> Answer:
    row = {"Id": "a1K1", "Name": "CSH1", "c2g__Type__c": "Receipt", "c2g__Value__c": task.payment.amount.decimal()}
    row |= {"c2g__Reference__c": task.payment.transaction_id, "c2g__Account__c": task.customer.id}
    row |= {"c2g__CashEntryCurrency__r": {"Name": "EUR"}, "c2g__TriggerPostingError__c": None, **state}
    return Answer(200, {"totalSize": 1, "done": True, "records": [row]})


async def test_posting_that_is_under_way_is_not_asked_for_again(org: Sandbox, erp: FinancialForce) -> None:
    task = await receipt(erp, "pi_way")
    with scripted() as script:
        script.answers = [found_entry(task, c2g__Status__c="In Progress", c2g__TriggerPosting__c="Asynchronous")]
        slow = FinancialForce(settings_for(org, salesforce=script.settings(), posting="Asynchronous"), system="ff-de")
        await refused(slow.book_receipt(task), "Transient")
        await slow.close()
        assert [method for method, *_ in script.asked] == ["GET"]


@pytest.mark.parametrize(("lines", "parts"), [([{"Id": "a1L1"}], ["posting"]), ([], ["line", "posting"])])
async def test_a_line_that_is_there_is_not_written_again(
    org: Sandbox, erp: FinancialForce, lines: list[dict[str, str]], parts: list[str]
) -> None:
    """A line's parent cannot be written a second time: the org refuses the field on an update."""
    task = await receipt(erp, "pi_line")
    done = [{"referenceId": part, "httpStatusCode": 204, "body": None} for part in parts]
    with scripted() as script:
        script.answers = [
            found_entry(task, c2g__Status__c="In Progress", c2g__TriggerPosting__c=None),
            Answer(200, {"totalSize": len(lines), "done": True, "records": lines}),
            Answer(200, {"compositeResponse": done}),
            found_entry(task, c2g__Status__c="Complete", c2g__TriggerPosting__c="Synchronous"),
        ]
        again = FinancialForce(settings_for(org, salesforce=script.settings()), system="ff-de")
        document = await again.book_receipt(task)
        await again.close()
        sent = loads(script.asked[2][3])["compositeRequest"]
    assert [part["referenceId"] for part in sent] == parts
    assert (document.id, document.adopted) == ("a1K1", True)


@pytest.mark.parametrize("status", ["Discarded", "Never Seen"])
async def test_an_entry_in_a_state_that_is_not_ours_to_judge_waits(
    org: Sandbox, erp: FinancialForce, status: str
) -> None:
    task = await receipt(erp, "pi_state")
    with scripted() as script:
        script.answers = [found_entry(task, c2g__Status__c=status, c2g__TriggerPosting__c=None)]
        other = FinancialForce(settings_for(org, salesforce=script.settings()), system="ff-de")
        case = await refused(other.book_receipt(task), "NeedsPerson")
        await other.close()
    assert status in case["came_back"]
