"""Orders of goods in the sandbox's ERP: booked by Holdfast's own steps, moved on by the ERP's people."""

from decimal import Decimal
from typing import Any

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.fulfillment import CancelLines, LookAtFulfillment
from activities.roles import BookOrder, FindCustomer, FindItems
from commerce.fulfillment import Fulfillment, LineProgress
from commerce.order import Order
from tests.activities.financialforce.sample_orders import full_order, line
from tests.sandbox_process import Sandbox

LAMP, SHADE, TEA = "HF-1001", "HF-1002", "HF-1004"


def goods_order(number: str, *lines: tuple[str, str], **changes: Any) -> Order:
    """`lines` are SKU and quantity; their ids are 1, 2, ... A shipping charge comes along."""
    rows = tuple(line("EUR", str(n), sku, quantity, 1000 * n) for n, (sku, quantity) in enumerate(lines, 1))
    return full_order(number, lines=rows, discounts=(), fees=(), duties=(), **changes)


async def book(erp: FinancialForce, org: Sandbox, order: Order, *, approve: bool = True) -> str:
    """Book and approve an order; its key."""
    customer = await erp.find_customer(FindCustomer(key="de:web", order_key=order.key))
    items = await erp.find_items(FindItems(skus=tuple({row.sku for row in order.lines}), order_key=order.key))
    await erp.book_order(BookOrder(order=order, customer=customer, items=items))
    if approve:
        org.act("salesforce", "approve", order=order.key)
    return order.key


async def look(goods: FinancialForceFulfillment, key: str) -> Fulfillment:
    return await goods.look_at_fulfillment(LookAtFulfillment(order_key=key))


async def line_of(goods: FinancialForceFulfillment, key: str, id_: str = "1") -> LineProgress:
    return next(row for row in (await look(goods, key)).lines if row.line == id_)


def shown(item: object, *names: str) -> tuple[Any, ...]:
    """Fields of a value, to be compared with plain numbers."""
    return tuple(getattr(item, name) for name in names)


def cancel(order_key: str, key: str = "c-1", **quantities: str) -> CancelLines:
    """`_1="2"`: two of line 1."""
    asked = {name.removeprefix("_"): Decimal(quantity) for name, quantity in quantities.items()}
    return CancelLines(key=f"{order_key}:{key}", order_key=order_key, quantities=asked, reason="changed my mind")


def only(sku: str, quantity: int) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity}]
