"""Every write to FinancialForce loses its answer a hundred times: a hundred documents with the right amounts."""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.roles import (
    BookAll,
    BookOrder,
    BookReceipt,
    BookRefund,
    CancelErpOrder,
    ErpCustomer,
    FindCustomer,
    FindItems,
)
from commerce.money import Money
from commerce.payment import Collected
from commerce.totals import gross_total
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.sample_orders import full_order
from tests.once.rig import Found, Path, Trouble, abreast, cases, differences, troubled
from tests.once.table import BOOK_ALL_ORDER, BOOK_ALL_RECEIPT, BOOK_ORDER, BOOK_RECEIPT, BOOK_REFUND, CANCEL_ORDER
from tests.sandbox_process import Sandbox

AT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
async def erp(vendors: Sandbox) -> AsyncIterator[FinancialForce]:
    made = FinancialForce(settings_for(vendors), system="ff-de")
    yield made
    await made.close()


@pytest.mark.parametrize(("path", "trouble"), cases(BOOK_ORDER))
async def test_every_sales_order_is_booked_once(
    vendors: Sandbox, erp: FinancialForce, path: Path, trouble: Trouble
) -> None:
    tasks = await _orders(erp, f"book-{trouble.kind}", trouble.orders)
    await troubled(vendors, path, trouble, erp.book_order, tasks)
    expected = {task.order.key: [f"New {gross_total(task.order)}"] for task in tasks}
    assert differences(_sales_orders(vendors, f"book-{trouble.kind}"), expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(CANCEL_ORDER))
async def test_every_sales_order_is_cancelled_once(
    vendors: Sandbox, erp: FinancialForce, path: Path, trouble: Trouble
) -> None:
    tasks = await _orders(erp, f"cancel-{trouble.kind}", trouble.orders)
    await abreast(erp.book_order, tasks)
    cancels = [CancelErpOrder(order_key=task.order.key, reason="changed my mind") for task in tasks]
    undone = await troubled(vendors, path, trouble, erp.cancel_order, cancels)
    assert all(one.done for one in undone)
    expected = {task.order.key: [f"Cancelled {gross_total(task.order)}"] for task in tasks}
    assert differences(_sales_orders(vendors, f"cancel-{trouble.kind}"), expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(BOOK_RECEIPT, BOOK_REFUND))
async def test_everymovement_of_money_is_posted_once(
    vendors: Sandbox, erp: FinancialForce, path: Path, trouble: Trouble
) -> None:
    customer = await erp.find_customer(FindCustomer(key="de:web", order_key="de:1"))
    name = f"{path.name}-{trouble.kind}"
    tasks = [movement(path, f"{name}-{number}", 10_000 + number, customer) for number in range(trouble.orders)]
    step: Any = erp.book_receipt if path is BOOK_RECEIPT else erp.book_refund
    await troubled(vendors, path, trouble, step, tasks)
    kind, sign = ("Receipt", 1) if path is BOOK_RECEIPT else ("Refund", -1)
    expected = {task.order_number: [f"{kind} Complete {sign * task.payment.amount.minor} EUR"] for task in tasks}
    assert differences(_cash_entries(vendors, name), expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(BOOK_ALL_ORDER, BOOK_ALL_RECEIPT))
async def test_every_sales_order_and_its_receipt_are_booked_once_by_one_step(
    vendors: Sandbox, erp: FinancialForce, path: Path, trouble: Trouble
) -> None:
    name = f"all-{path.name.partition(':')[2]}-{trouble.kind}"
    orders = await _orders(erp, name, trouble.orders)
    receipts = [movement(BOOK_RECEIPT, task.order.number, 10_000, task.customer) for task in orders]
    tasks = [
        BookAll(order=order, receipts=(BookReceipt.model_validate(receipt),))
        for order, receipt in zip(orders, receipts, strict=True)
    ]
    booked = await troubled(vendors, path, trouble, erp.book_all, tasks)
    assert {tuple(document.kind.value for document in one.documents) for one in booked} == {
        ("sales order", "cash receipt")
    }
    expected = {task.order.key: [f"New {gross_total(task.order)}"] for task in orders}
    assert differences(_sales_orders(vendors, name), expected) == {}
    paid = {task.order.number: ["Receipt Complete 10000 EUR"] for task in orders}
    assert differences(_cash_entries(vendors, name), paid) == {}


async def _orders(erp: FinancialForce, name: str, count: int) -> list[BookOrder]:
    """Orders with every kind of row and charge, each over another total."""
    customer = await erp.find_customer(FindCustomer(key="de:web", order_key="de:1"))
    orders = [
        full_order(f"{name}-{number}", store_credit=Money(minor=number, currency="EUR")) for number in range(count)
    ]
    skus = tuple(dict.fromkeys(line.sku for line in orders[0].lines))
    items = await erp.find_items(FindItems(skus=skus, order_key="de:1"))
    return [BookOrder(order=order, customer=customer, items=items) for order in orders]


def movement(path: Path, number: str, minor: int, customer: ErpCustomer) -> BookReceipt | BookRefund:
    transaction = f"pi_{number}"
    common: dict[str, Any] = {
        "order_key": f"de:{number}",
        "order_number": number,
        "store": "de",
        "customer": customer,
        "payment": Collected(id="p1", amount=Money(minor=minor, currency="EUR"), transaction_id=transaction),
    }
    key = f"de:{number}:{transaction}"
    if path is BOOK_RECEIPT:
        return BookReceipt(key=key, received_at=AT, **common)
    return BookRefund(key=f"{key}:refund", paid_back_at=AT, **common)


def _sales_orders(vendors: Sandbox, name: str) -> Found:
    found: Found = defaultdict(list)
    for row in vendors.books("salesforce")["orders"]:
        if str(row["key"]).startswith(f"de:{name}-"):
            money = Money(minor=int(row["total_minor"]), currency=row["currency"])
            found[row["key"]].append(f"{row['status']} {money}")
    return found


def _cash_entries(vendors: Sandbox, name: str) -> Found:
    found: Found = defaultdict(list)
    for row in vendors.books("salesforce")["payments"]:
        number = str(row["refs"]["account_reference"])
        if number.startswith(f"{name}-"):
            found[number].append(f"{row['refs']['type']} {row['status']} {row['total_minor']} {row['currency']}")
    return found
