"""One order is one sales order with the same money, whatever gets lost on the way."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.roles import BookOrder, CancelErpOrder, FindCustomer, FindItems
from activities.salesforce.soql import quote
from commerce.documents import DocumentKind
from commerce.order import Order
from commerce.totals import gross_total
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.parked import refused
from tests.activities.financialforce.sample_orders import BILLING, full_order, line
from tests.activities.salesforce.scripted import Answer, scripted
from tests.sandbox_process import Sandbox

ORDER = "SCMC__Sales_Order__c"


async def task_for(erp: FinancialForce, order: Order, customer: str = "de:web") -> BookOrder:
    found = await erp.find_customer(FindCustomer(key=customer, order_key=order.key))
    items = await erp.find_items(FindItems(skus=tuple({row.sku for row in order.lines}), order_key=order.key))
    return BookOrder(order=order, customer=found, items=items)


def booked(org: Sandbox, key: str) -> list[dict[str, Any]]:
    return [row for row in org.books("salesforce")["orders"] if row["key"] == key]


async def header(erp: FinancialForce, key: str) -> dict[str, Any]:
    fields = (
        "Id, Name, SCMC__Customer_Purchase_Order__c, SCMC__Existing_SO_Number__c, SCMC__Sales_Order_Date__c, "
        "SCMC__Total_Tax__c, SCMC__Warehouse__r.Name, CurrencyIsoCode, Order_Data__c, "
        "SCMC__Actual_Bill_To_Address__r.SCMC__Mailing_Street__c, "
        "SCMC__Actual_Ship_To_Address__r.SCMC__Mailing_Street__c"
    )
    soql = f"SELECT {fields} FROM {ORDER} WHERE Magento_Order_Id__c = {quote(key)}"
    (row,) = await erp.client.query(soql, tried="read")
    return row


async def test_an_order_is_booked_with_all_its_parts_and_its_money(org: Sandbox, erp: FinancialForce) -> None:
    order = full_order("all-1")
    document = await erp.book_order(await task_for(erp, order))
    (row,) = booked(org, order.key)
    assert (document.kind, document.system, document.id) == (DocumentKind.SALES_ORDER, "ff-de", row["id"])
    assert (document.number, document.key, document.adopted) == (row["number"], order.key, False)
    assert document.amount == gross_total(order)
    assert row["currency"] == "EUR"
    assert row["total_minor"] == gross_total(order).minor
    assert [(item["sku"], Decimal(item["quantity"]), item["total_minor"]) for item in row["lines"]] == [
        ("HF-1001", 3, 10000),
        ("HF-2000-M", 1, 1990),
        ("HF-3000-A", 2, 4000),
        ("HF-3000-B", 2, 0),
        ("HF-1004", Decimal("2.5"), 6000),
        ("SHIPPING", 1, 990),
        ("FEE", 1, 500),
        ("DUTY", 1, 1230),
        ("DISCOUNT", 1, -1000),
        ("DISCOUNT", 1, -1000),
    ]
    shown = await header(erp, order.key)
    assert Order.model_validate_json(shown["Order_Data__c"]) == order
    assert shown["SCMC__Existing_SO_Number__c"] == "all-1"
    assert shown["SCMC__Actual_Bill_To_Address__r"]["SCMC__Mailing_Street__c"] == "Domstraße 1"
    assert shown["SCMC__Actual_Ship_To_Address__r"]["SCMC__Mailing_Street__c"] == "Marktplatz 8"


@pytest.mark.parametrize(("store", "currency"), [("jp", "JPY"), ("kw", "KWD")])
async def test_currencies_without_and_with_three_decimals_keep_every_unit(
    org: Sandbox, erp: FinancialForce, store: str, currency: str
) -> None:
    order = full_order(
        "money-1",
        currency,
        store,
        lines=(line(currency, "1", "HF-1001", "7", 12345, tax=1233), line(currency, "2", "HF-1004", "3", 100, tax=1)),
        discounts=(),
    )
    await erp.book_order(await task_for(erp, order, f"{store}:web"))
    (row,) = booked(org, order.key)
    assert (row["currency"], row["total_minor"]) == (currency, gross_total(order).minor)


async def test_the_repeat_of_a_booked_order_adopts_it(org: Sandbox, erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("twice-1"))
    first, second = await erp.book_order(task), await erp.book_order(task)
    assert (first.adopted, second.adopted) == (False, True)
    assert second.model_copy(update={"adopted": False}) == first
    assert len(booked(org, task.order.key)) == 1


@pytest.mark.parametrize("lost", ["lose-reply", "cut-request"])
async def test_after_a_lost_reply_the_repeat_leaves_one_order(org: Sandbox, erp: FinancialForce, lost: str) -> None:
    task = await task_for(erp, full_order(f"lost-{lost}"))
    org.faults("salesforce", {"kind": lost, "times": 1, "match": {"path": "/composite/graph"}})
    await refused(erp.book_order(task), "OutcomeUnknown")
    document = await erp.book_order(task)
    assert document.adopted is (lost == "lose-reply")
    (row,) = booked(org, task.order.key)
    assert row["total_minor"] == gross_total(task.order).minor


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
async def test_a_cut_at_any_call_leaves_one_order_in_the_end(org: Sandbox, erp: FinancialForce, step: int) -> None:
    task = await task_for(erp, full_order(f"cut-{step}"))
    org.faults("salesforce", {"kind": "lose-reply", "times": 1, "after": step - 1})
    with pytest.raises(Exception, match=r"answer|lost"):
        await erp.book_order(task)
    await erp.book_order(task)
    (row,) = booked(org, task.order.key)
    assert row["total_minor"] == gross_total(task.order).minor


async def test_two_runs_at_once_leave_one_order(org: Sandbox, erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("race-1"))
    done = await asyncio.gather(*(erp.book_order(task) for _ in range(4)), return_exceptions=True)
    assert any(not isinstance(one, BaseException) for one in done)
    again = await erp.book_order(task)
    assert again.adopted
    (row,) = booked(org, task.order.key)
    assert row["total_minor"] == gross_total(task.order).minor


async def test_an_order_that_the_org_refuses_leaves_nothing_behind(org: Sandbox, erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("held-1"))
    hold = {"SCMC__Active__c": False}
    await erp.client.update("Account", task.customer.id, hold, tried="hold the customer")
    addresses = "SELECT COUNT() FROM SCMC__Customer_Address__c"
    before = await erp.client.query(addresses, tried="count")
    await refused(erp.book_order(task), "NeedsPerson")
    await erp.client.update("Account", task.customer.id, {"SCMC__Active__c": True}, tried="release")
    assert booked(org, task.order.key) == []
    assert await erp.client.query(addresses, tried="count") == before
    assert not (await erp.book_order(task)).adopted


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("money", "the books have 20.00 EUR, the order has 19.90 EUR"),
        ("customer", "customer: the books have"),
        ("tax", "tax: the books have 1.00 EUR"),
    ],
)
async def test_an_order_that_differs_waits_for_a_person_with_both_values(
    org: Sandbox, erp: FinancialForce, change: str, said: str
) -> None:
    task = await task_for(erp, full_order(f"differs-{change}"))
    document = await erp.book_order(task)
    if change == "money":
        key = f"{task.order.key}:2"
        soql = f"SELECT Id FROM SCMC__Sales_Order_Line_Item__c WHERE Magento_Line_Id__c = {quote(key)}"
        (row,) = await erp.client.query(soql, tried="read")
        await erp.client.update("SCMC__Sales_Order_Line_Item__c", row["Id"], {"SCMC__Price__c": 20}, tried="change")
    if change == "tax":
        await erp.client.update(ORDER, document.id, {"SCMC__Total_Tax__c": 1}, tried="change")
    if change == "customer":
        task = await task_for(erp, task.order, "de:501")
    before = booked(org, task.order.key)
    case = await refused(erp.book_order(task), "NeedsPerson")
    assert said in case["came_back"]
    assert document.number in case["came_back"]
    assert booked(org, task.order.key) == before


async def test_an_equal_address_is_used_again(erp: FinancialForce) -> None:
    count = "SELECT Id FROM SCMC__Customer_Address__c WHERE SCMC__Mailing_City__c = 'Kiel'"
    for number in ("addr-1", "addr-2"):
        address = BILLING.model_copy(update={"city": "Kiel"})
        order = full_order(number, billing=address, delivery=address)
        await erp.book_order(await task_for(erp, order))
    assert len(await erp.client.query(count, tried="read")) == 1


async def test_an_order_for_download_has_no_place_to_ship_to(erp: FinancialForce) -> None:
    order = full_order("virtual-1", delivery=None)
    await erp.book_order(await task_for(erp, order))
    shown = await header(erp, order.key)
    assert shown["SCMC__Actual_Ship_To_Address__r"] is None
    assert shown["SCMC__Actual_Bill_To_Address__r"] is not None


async def test_the_merchants_choices_reach_the_order(org: Sandbox) -> None:
    chosen = settings_for(org, warehouses={"de": "Basel"}, company="Nordlicht Trading GmbH", time_zone="Europe/Berlin")
    erp = FinancialForce(chosen, system="ff-de")
    order = full_order("chosen-1")
    payment = order.payments[0].model_copy(update={"purchase_order": "PO-77"})
    await erp.book_order(await task_for(erp, order.model_copy(update={"payments": (payment,)})))
    shown = await header(erp, order.key)
    assert shown["SCMC__Warehouse__r"]["Name"] == "Basel"
    assert shown["SCMC__Sales_Order_Date__c"] == "2026-11-21"
    assert shown["SCMC__Customer_Purchase_Order__c"] == "PO-77"
    await erp.close()


async def test_an_unknown_charge_item_waits_for_a_person(org: Sandbox) -> None:
    erp = FinancialForce(settings_for(org, charge_items={"duty": "ZOLL"}), system="ff-de")
    case = await refused(erp.book_order(await task_for(erp, full_order("charge-1"))), "NeedsPerson")
    assert "ZOLL" in case["came_back"]
    await erp.close()


async def test_the_largest_order_is_booked_whole_and_a_larger_one_waits(org: Sandbox, erp: FinancialForce) -> None:
    def of(number: str, count: int) -> Order:
        rows = tuple(line("EUR", str(i), "HF-1001", "1", 100 + i) for i in range(count))
        return full_order(number, lines=rows, discounts=(), shipping=None, fees=(), duties=())

    task = await task_for(erp, of("large-1", 480))
    await erp.book_order(task)
    (row,) = booked(org, task.order.key)
    assert (len(row["lines"]), row["total_minor"]) == (480, gross_total(task.order).minor)
    case = await refused(erp.book_order(await task_for(erp, of("large-2", 481))), "NeedsPerson")
    assert "481 lines" in case["came_back"]
    assert booked(org, "de:large-2") == []


# ---- cancelling ------------------------------------------------------------------------------------------------------


async def test_an_order_is_cancelled_once_however_often_it_is_asked(org: Sandbox, erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("cancel-1"))
    document = await erp.book_order(task)
    cancel = CancelErpOrder(order_key=task.order.key, reason="not paid")
    first, second = await erp.cancel_order(cancel), await erp.cancel_order(cancel)
    assert first.done
    assert second.done
    assert second.document is not None
    assert (second.document.id, second.document.status) == (document.id, "Cancelled")
    (row,) = booked(org, task.order.key)
    assert row["status"] == "Cancelled"


async def test_without_an_order_there_is_nothing_to_cancel(erp: FinancialForce) -> None:
    undone = await erp.cancel_order(CancelErpOrder(order_key="de:never", reason="not paid"))
    assert (undone.done, undone.document) == (False, None)


async def test_after_a_lost_reply_the_order_is_cancelled(org: Sandbox, erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("cancel-lost"))
    await erp.book_order(task)
    cancel = CancelErpOrder(order_key=task.order.key, reason="not paid")
    org.faults("salesforce", {"kind": "lose-reply", "times": 1, "match": {"method": "PATCH"}})
    await refused(erp.cancel_order(cancel), "OutcomeUnknown")
    assert (await erp.cancel_order(cancel)).done


async def test_a_cancelled_order_is_not_taken_for_a_booked_one(erp: FinancialForce) -> None:
    task = await task_for(erp, full_order("cancel-2"))
    await erp.book_order(task)
    await erp.cancel_order(CancelErpOrder(order_key=task.order.key, reason="not paid"))
    case = await refused(erp.book_order(task), "NeedsPerson")
    assert "cancelled" in case["came_back"]


async def test_shipped_goods_are_not_cancelled_away(org: Sandbox, erp: FinancialForce) -> None:
    order = full_order(
        "cancel-shipped",
        lines=(line("EUR", "1", "HF-1001", "1", 3950),),
        discounts=(),
        shipping=None,
        fees=(),
        duties=(),
    )
    task = await task_for(erp, order)
    document = await erp.book_order(task)
    for do in ("approve", "allocate", "pick", "pack", "ship"):
        org.act("salesforce", do, order=document.number)
    case = await refused(erp.cancel_order(CancelErpOrder(order_key=order.key, reason="late")), "NeedsPerson")
    assert document.number in case["came_back"]
    (row,) = booked(org, order.key)
    assert row["status"] != "Cancelled"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("SCMC__Billed_Status__c", "Partially Billed"),
        ("SCMC__Shipment_Status__c", "Partially Shipped"),
        ("SCMC__Status__c", "Closed"),
        ("SCMC__Status__c", "Never Seen"),
    ],
)
async def test_an_order_that_went_on_is_not_touched(org: Sandbox, field: str, value: str) -> None:
    row = {"Id": "a2A1", "Name": "SO-1", "Magento_Order_Id__c": "de:1", "SCMC__Status__c": "Approved"}
    row |= {"SCMC__Shipment_Status__c": "Open", "SCMC__Billed_Status__c": "Not Billed", field: value}
    with scripted() as script:
        script.answers = [Answer(200, {"totalSize": 1, "done": True, "records": [row]})]
        erp = FinancialForce(settings_for(org, salesforce=script.settings()), system="ff-de")
        case = await refused(erp.cancel_order(CancelErpOrder(order_key="de:1", reason="late")), "NeedsPerson")
        await erp.close()
        assert value in case["came_back"]
        assert [method for method, *_ in script.asked] == ["GET"]


async def test_a_key_in_other_case_is_not_taken_for_ours(org: Sandbox, erp: FinancialForce) -> None:
    await erp.book_order(await task_for(erp, full_order("case-a")))
    case = await refused(erp.book_order(await task_for(erp, full_order("CASE-A"))), "NeedsPerson")
    assert "differs only in case" in case["came_back"]
    assert len(booked(org, "de:case-a")) == 1


async def test_an_address_without_room_is_refused_by_the_fields_name(erp: FinancialForce) -> None:
    order = full_order("long-1", billing=BILLING.model_copy(update={"postcode": "5" * 16}))
    case = await refused(erp.book_order(await task_for(erp, order)), "Rejected")
    assert "SCMC__Mailing_Zip_Postal_Code__c takes 15" in case["came_back"]
    assert (case["system"], case["tried"]) == ("ff-de", "book sales order for order de:long-1")
