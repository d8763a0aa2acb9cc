"""Credit memos: refund an order or an invoice, read, comment. A credit memo cannot be cancelled through the API."""

from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.documents import (
    SIDES,
    Foreign,
    Rows,
    currencies,
    currency_of,
    header,
    read_document,
    serve_documents,
    share,
    wanted_rows,
    with_comment,
)
from sandbox.magento.errors import document_invalid, refused
from sandbox.magento.money import ZERO, dec, rounded
from sandbox.magento.orders import can_refund, open_to_refund, read_order, save_order, settle_state
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

NO_REFUND = frozenset({"payment_review", "holded", "canceled", "closed"})
CREDITS = ("gift_cards", "customer_balance")

serve_documents("creditmemo", "/V1/creditmemo/{id}", "/V1/creditmemos", "/V1/creditmemo/{id}/comments", "id")


@route("PUT", "/V1/creditmemo/{id}")
def cancel_creditmemo(shop: Shop, call: Call) -> Any:
    read_document(shop, "creditmemos", call.path["id"])
    raise refused("You can not cancel Credit Memo")


@route("POST", "/V1/order/{orderId}/refund")
def refund_order(shop: Shop, call: Call) -> Any:
    return refund(shop, read_order(shop, call.path["order_id"]), None, call.args, online=False)


@route("POST", "/V1/invoice/{invoiceId}/refund")
def refund_invoice(shop: Shop, call: Call) -> Any:
    invoice = read_document(shop, "invoices", call.path["invoice_id"])
    order = read_order(shop, invoice["order_id"])
    return refund(shop, order, invoice, call.args, online=bool(call.args.get("is_online")))


def refund(shop: Shop, order: Doc, invoice: Doc | None, args: dict[str, Any], *, online: bool) -> str:
    """Give money back; returns the id of the credit memo. Raises the vendor's validation errors."""
    if online and not (invoice or {}).get("transaction_id"):
        raise refused("Could not save a Creditmemo, see error log for details")
    rows = _checked_rows(order, invoice, args.get("items"))
    arguments = args.get("arguments") or {}
    memo = header(shop, "creditmemo", order) | currencies(order) | {"state": 2, "extension_attributes": {}}
    memo["email_sent"] = 1 if args.get("notify") else None
    if invoice is not None:
        memo["invoice_id"] = invoice["entity_id"]
        memo["transaction_id"] = invoice.get("transaction_id") if online else None
    memo["items"] = [_item(shop, memo, order, item, quantity) for item, quantity in rows]
    for side in SIDES:
        _totals(memo, order, side, arguments)
    paid_back = dec(memo["grand_total"])
    credited = any(name.endswith("_amount") for name in memo["extension_attributes"])
    if paid_back < 0 or (paid_back == 0 and not credited):
        raise document_invalid("Creditmemo", ["The credit memo's total must be positive."])
    available = dec(order.get("total_paid")) - dec(order.get("total_refunded"))
    if paid_back > available:
        raise refused("The most money available to refund is %1.", f"{available:f}")
    for side in SIDES:
        _book(memo, order, side, online)
    wanted_back = (arguments.get("extension_attributes") or {}).get("return_to_stock_items") or []
    for item, quantity in rows:
        _return_to_stock(shop, order, item, quantity, wanted_back)
        item["qty_refunded"] = dec(item["qty_refunded"]) + quantity
    settle_state(shop, order)
    memo = with_comment(shop, "creditmemo", memo, args.get("comment"), bool(args.get("notify")))
    shop.put("creditmemos", memo["entity_id"], memo)
    if invoice is not None:
        total = dec(invoice.get("base_total_refunded")) + dec(memo["base_grand_total"])
        changed = invoice | {"base_total_refunded": total, "is_used_for_refund": 1, "updated_at": shop.stamp()}
        shop.put("invoices", invoice["entity_id"], changed)
    save_order(shop, order)
    return str(memo["entity_id"])


def _checked_rows(order: Doc, invoice: Doc | None, items: list[Doc] | None) -> Rows:
    problems = []
    if order["state"] in NO_REFUND:
        problems.append(f"A creditmemo can not be created when an order has a status of {order['status']}")
    elif not can_refund(order):
        problems.append("The order does not allow a creditmemo to be created.")
    limits = {entry["order_item_id"]: dec(entry["qty"]) for entry in (invoice or {}).get("items", [])}

    def left(item: Doc) -> Decimal:
        open_quantity = open_to_refund(item)
        return open_quantity if invoice is None else min(open_quantity, limits.get(item["item_id"], ZERO))

    rows: Rows = []
    try:
        rows = wanted_rows(order, items, left)
    except Foreign:
        problems.append("The creditmemo contains product SKU that is not part of the original order.")
    for item, quantity in rows:
        if quantity > left(item):
            problems.append(
                "The quantity to creditmemo must not be greater than the unrefunded quantity for product SKU "
                f'"{item["sku"]}".'
            )
    if problems:
        raise document_invalid("Creditmemo", problems)
    return rows


def _item(shop: Shop, memo: Doc, order: Doc, item: Doc, quantity: Decimal) -> Doc:
    entry: Doc = {
        "entity_id": shop.next_id("creditmemo_item"),
        "parent_id": memo["entity_id"],
        "order_item_id": item["item_id"],
        "product_id": item.get("product_id"),
        "sku": item["sku"],
        "name": item.get("name"),
        "qty": quantity,
    }
    before = dec(item["qty_refunded"])
    for side in SIDES:
        currency = currency_of(order, side)
        row = share(item.get(f"{side}row_total"), before, quantity, item["qty_ordered"], currency)
        tax = share(item.get(f"{side}tax_amount"), before, quantity, item["qty_ordered"], currency)
        discount = share(item.get(f"{side}discount_amount"), before, quantity, item["qty_ordered"], currency)
        entry |= {
            f"{side}price": item.get(f"{side}price"),
            f"{side}price_incl_tax": item.get(f"{side}price_incl_tax"),
            f"{side}row_total": row,
            f"{side}row_total_incl_tax": row + tax,
            f"{side}tax_amount": tax,
            f"{side}discount_amount": discount,
            f"{side}discount_tax_compensation_amount": ZERO,
        }
    return entry


def _in_side(amount: Decimal, order: Doc, side: str) -> Decimal:
    """An amount of the request (base currency, as the vendor takes it) in the currency of a side."""
    return rounded(amount if side else amount * dec(order["base_to_order_rate"]), currency_of(order, side))


def _totals(memo: Doc, order: Doc, side: str, arguments: Doc) -> None:
    """`shipping_amount` left out gives back all shipping that is left. Credits are given back before money."""
    items = memo["items"]
    subtotal = sum((entry[f"{side}row_total"] for entry in items), ZERO)
    discount = sum((entry[f"{side}discount_amount"] for entry in items), ZERO)
    left = dec(order.get(f"{side}shipping_invoiced")) - dec(order.get(f"{side}shipping_refunded"))
    asked = arguments.get("shipping_amount")
    base_left = dec(order.get("base_shipping_invoiced")) - dec(order.get("base_shipping_refunded"))
    # All of it in base currency is all of it in order currency too, whatever the conversion would round to.
    everything = asked is None or dec(asked) == base_left
    shipping = left if everything else _in_side(dec(asked), order, side)
    if shipping > left:
        raise refused("Maximum shipping amount allowed to refund is: %1", f"{left:f}")
    whole, whole_tax = dec(order.get(f"{side}shipping_amount")), dec(order.get(f"{side}shipping_tax_amount"))
    back = dec(order.get(f"{side}shipping_refunded"))
    shipping_tax = share(whole_tax, back, shipping, whole, currency_of(order, side)) if whole else ZERO
    tax = sum((entry[f"{side}tax_amount"] for entry in items), ZERO) + shipping_tax
    positive = _in_side(dec(arguments.get("adjustment_positive")), order, side)
    negative = _in_side(dec(arguments.get("adjustment_negative")), order, side)
    total = subtotal - discount + tax + shipping + positive - negative
    extension = order["extension_attributes"]
    for name in CREDITS:
        invoiced, refunded = (dec(extension.get(f"{side}{name}_{what}")) for what in ("invoiced", "refunded"))
        used = min(invoiced - refunded, total)
        if used > 0:
            total -= used
            memo["extension_attributes"][f"{side}{name}_amount"] = used
    memo |= {
        f"{side}subtotal": subtotal,
        f"{side}subtotal_incl_tax": subtotal + tax - shipping_tax,
        f"{side}discount_amount": -discount,
        f"{side}tax_amount": tax,
        f"{side}shipping_amount": shipping,
        f"{side}shipping_tax_amount": shipping_tax,
        f"{side}shipping_incl_tax": shipping + shipping_tax,
        f"{side}adjustment": positive - negative,
        f"{side}adjustment_positive": positive,
        f"{side}adjustment_negative": negative,
        f"{side}discount_tax_compensation_amount": ZERO,
        f"{side}grand_total": total,
    }


def _book(memo: Doc, order: Doc, side: str, online: bool) -> None:
    extension, total = order["extension_attributes"], dec(memo[f"{side}grand_total"])
    for name in CREDITS:
        used = dec(memo["extension_attributes"].get(f"{side}{name}_amount"))
        if used:
            extension[f"{side}{name}_refunded"] = dec(extension.get(f"{side}{name}_refunded")) + used
    pairs = {
        "subtotal_refunded": memo[f"{side}subtotal"],
        "tax_refunded": memo[f"{side}tax_amount"],
        "shipping_refunded": memo[f"{side}shipping_amount"],
        "shipping_tax_refunded": memo[f"{side}shipping_tax_amount"],
        "discount_refunded": memo[f"{side}discount_amount"],
        "total_refunded": total,
        "adjustment_positive": memo[f"{side}adjustment_positive"],
        "adjustment_negative": memo[f"{side}adjustment_negative"],
        f"total_{'online' if online else 'offline'}_refunded": total,
    }
    for name, amount in pairs.items():
        order[f"{side}{name}"] = dec(order.get(f"{side}{name}")) + dec(amount)
    order["payment"][f"{side}amount_refunded"] = order[f"{side}total_refunded"]
    items = {item["item_id"]: item for item in order["items"]}
    for entry in memo["items"]:
        item = items[entry["order_item_id"]]
        for name, source in (
            ("amount_refunded", "row_total"),
            ("tax_refunded", "tax_amount"),
            ("discount_refunded", "discount_amount"),
        ):
            item[f"{side}{name}"] = dec(item.get(f"{side}{name}")) + dec(entry[f"{side}{source}"])


def _return_to_stock(shop: Shop, order: Doc, item: Doc, quantity: Decimal, wanted: list[int]) -> None:
    """Goods never sent become salable again; goods that were sent go back to the source that sent them."""
    if item["item_id"] not in wanted and item.get("parent_item_id") not in wanted:
        return
    unsent = max(dec(item["qty_ordered"]) - dec(item["qty_shipped"]) - dec(item["qty_refunded"]), ZERO)
    from_reservation = ZERO if item["is_virtual"] else min(quantity, unsent)
    inventory.release(shop, order, item, from_reservation, "creditmemo_created")
    if quantity > from_reservation:
        inventory.put_back(shop, order, item, quantity - from_reservation, item.get("_source", "default"))
