"""Invoices: create from an order, read, comment, capture, void."""

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
from sandbox.magento.money import ZERO, dec
from sandbox.magento.orders import open_to_invoice, read_order, save_order, set_state, settle_state
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

NO_INVOICE = frozenset({"payment_review", "holded", "canceled", "complete", "closed"})
# What was paid with something else than the order's payment, and where the order keeps how much of it is used up.
CREDITS = ("gift_cards", "customer_balance")

serve_documents("invoice", "/V1/invoices/{id}", "/V1/invoices", "/V1/invoices/comments", "id")


@route("POST", "/V1/order/{orderId}/invoice")
def invoice_order(shop: Shop, call: Call) -> Any:
    order = read_order(shop, call.path["order_id"])
    invoice = create_invoice(shop, order, call.args.get("items"))
    invoice["email_sent"] = 1 if call.args.get("notify") else None
    invoice = with_comment(shop, "invoice", invoice, call.args.get("comment"), bool(call.args.get("notify")))
    shop.put("invoices", invoice["entity_id"], invoice)
    save_order(shop, order)
    return str(invoice["entity_id"])


def create_invoice(shop: Shop, order: Doc, items: list[Doc] | None) -> Doc:
    """A paid invoice over the wanted rows; changes the order's counters and state. Raises the validation errors."""
    problems = []
    if order["state"] in NO_INVOICE:
        problems.append(f"An invoice cannot be created when an order has a status of {order['status']}.")
    rows: Rows = []
    try:
        rows = wanted_rows(order, items, open_to_invoice)
    except Foreign:
        problems.append("The invoice contains one or more items that are not part of the original order.")
    for item, quantity in rows:
        if quantity > open_to_invoice(item):
            problems.append(
                "The quantity to invoice must not be greater than the uninvoiced quantity for product SKU "
                f'"{item["sku"]}".'
            )
    if not rows and not problems:
        problems.append("You can't create an invoice without products.")
    if problems:
        raise document_invalid("Invoice", problems)
    inventory.deduct(shop, order, [row for row in rows if row[0]["is_virtual"]], "default", "invoice_created")
    invoice = header(shop, "invoice", order) | currencies(order) | {"state": 2, "extension_attributes": {}}
    invoice["items"] = [_item(shop, invoice, order, item, quantity) for item, quantity in rows]
    heads = [(item, quantity) for item, quantity in rows if not item.get("parent_item_id")]
    invoice["total_qty"] = sum((quantity for _, quantity in heads), ZERO)
    first = dec(order.get("subtotal_invoiced")) == 0 and not order.get("_invoiced")
    for side in SIDES:
        _totals(invoice, order, side, first)
    for item, quantity in rows:
        item["qty_invoiced"] = dec(item["qty_invoiced"]) + quantity
    order["_invoiced"] = True
    if order["state"] in ("new", "pending_payment"):
        set_state(shop, order, "processing")
    settle_state(shop, order)
    if order["payment"].get("last_trans_id"):
        invoice["transaction_id"] = order["payment"]["last_trans_id"]
    return invoice


def _item(shop: Shop, invoice: Doc, order: Doc, item: Doc, quantity: Decimal) -> Doc:
    entry: Doc = {
        "entity_id": shop.next_id("invoice_item"),
        "parent_id": invoice["entity_id"],
        "order_item_id": item["item_id"],
        "product_id": item.get("product_id"),
        "sku": item["sku"],
        "name": item.get("name"),
        "qty": quantity,
    }
    before = dec(item["qty_invoiced"])
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
        item[f"{side}row_invoiced"] = dec(item.get(f"{side}row_invoiced")) + row
        item[f"{side}tax_invoiced"] = dec(item.get(f"{side}tax_invoiced")) + tax
        item[f"{side}discount_invoiced"] = dec(item.get(f"{side}discount_invoiced")) + discount
    return entry


def _totals(invoice: Doc, order: Doc, side: str, first: bool) -> None:
    """The first invoice carries shipping and fees; credits pay as much of each invoice as they cover."""
    items = invoice["items"]
    subtotal = sum((entry[f"{side}row_total"] for entry in items), ZERO)
    discount = sum((entry[f"{side}discount_amount"] for entry in items), ZERO)
    shipping = dec(order.get(f"{side}shipping_amount")) if first else ZERO
    shipping_tax = dec(order.get(f"{side}shipping_tax_amount")) if first else ZERO
    tax = sum((entry[f"{side}tax_amount"] for entry in items), ZERO) + shipping_tax
    total = subtotal - discount + tax + shipping + (dec(order.get(f"_{side}fees")) if first else ZERO)
    extension = order["extension_attributes"]
    for name in CREDITS:
        left = dec(extension.get(f"{side}{name}_amount")) - dec(extension.get(f"{side}{name}_invoiced"))
        used = min(left, total)
        if used > 0:
            total -= used
            extension[f"{side}{name}_invoiced"] = dec(extension.get(f"{side}{name}_invoiced")) + used
            invoice["extension_attributes"][f"{side}{name}_amount"] = used
    reward_left = dec(extension.get(f"{side}reward_currency_amount")) - dec(order.get(f"_{side}reward_invoiced"))
    reward = min(reward_left, total)
    order[f"_{side}reward_invoiced"] = dec(order.get(f"_{side}reward_invoiced")) + reward
    total -= reward
    invoice |= {
        f"{side}subtotal": subtotal,
        f"{side}subtotal_incl_tax": subtotal + tax - shipping_tax,
        f"{side}discount_amount": -discount,
        f"{side}tax_amount": tax,
        f"{side}shipping_amount": shipping,
        f"{side}shipping_tax_amount": shipping_tax,
        f"{side}shipping_incl_tax": shipping + shipping_tax,
        f"{side}discount_tax_compensation_amount": ZERO,
        f"{side}grand_total": total,
    }
    for name, amount in (("subtotal", subtotal), ("tax", tax), ("shipping", shipping), ("discount", -discount)):
        order[f"{side}{name}_invoiced"] = dec(order.get(f"{side}{name}_invoiced")) + amount
    invoiced = dec(order.get(f"{side}total_invoiced")) + total
    order[f"{side}total_invoiced"] = invoiced
    # A gateway may have taken the whole amount before the first invoice.
    order[f"{side}total_paid"] = max(dec(order.get(f"{side}total_paid")), invoiced)
    order[f"{side}total_due"] = dec(order[f"{side}grand_total"]) - order[f"{side}total_paid"]
    payment = order["payment"]
    payment[f"{side}amount_paid"] = order[f"{side}total_paid"]
    if first:
        payment[f"{side}shipping_captured"] = shipping
        for fee in extension.get("custom_fees") or []:
            fee[f"{side}custom_fee_amount_invoiced"] = fee[f"{side}custom_fee_amount"]


@route("POST", "/V1/invoices/{id}/capture")
def capture(shop: Shop, call: Call) -> Any:
    invoice = read_document(shop, "invoices", call.path["id"])
    if invoice["state"] != 1:
        raise refused("The invoice can't be captured.")
    shop.put("invoices", invoice["entity_id"], invoice | {"state": 2, "updated_at": shop.stamp()})
    return "1"


@route("POST", "/V1/invoices/{id}/void")
def void(shop: Shop, call: Call) -> Any:
    invoice = read_document(shop, "invoices", call.path["id"])
    if invoice["state"] != 1 or not invoice.get("can_void_flag"):
        raise refused("The invoice can't be voided.")
    shop.put("invoices", invoice["entity_id"], invoice | {"state": 3, "updated_at": shop.stamp()})
    return True
