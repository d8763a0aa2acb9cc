"""The order entity of a priced wish: every amount in order and base currency, in the vendor's keys."""

import secrets
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.money import ZERO, dec
from sandbox.magento.pricing import PENDING_METHODS, SIDES, Money, Row, Wish, is_virtual
from sandbox.magento.shop import Shop

Totals = dict[str, dict[str, Decimal]]


def build_order(shop: Shop, wish: Wish, view: Doc, money: Money, rows: list[Row], totals: Totals) -> Doc:
    entity_id = shop.next_id("order")
    now = shop.stamp()
    virtual = is_virtual(rows)
    order: Doc = {
        "entity_id": entity_id,
        "increment_id": shop.increment_id("order", wish.store_id),
        "store_id": wish.store_id,
        "store_name": f"{view['_website_name']}\n{view['_group_name']}\n{view['name']}",
        "state": "new",
        "status": "pending",
        "created_at": now,
        "updated_at": now,
        "protect_code": secrets.token_hex(16),
        "quote_id": wish.quote_id or shop.next_id("quote"),
        "is_virtual": int(virtual),
        "email_sent": 1,
        "customer_note_notify": 1,
        "remote_ip": "203.0.113.7",
        "base_currency_code": money.currency["base_"],
        "global_currency_code": money.currency["base_"],
        "order_currency_code": money.currency[""],
        "store_currency_code": money.currency["base_"],
        "base_to_global_rate": Decimal(1),
        "base_to_order_rate": money.rate,
        "store_to_base_rate": Decimal(0),
        "store_to_order_rate": Decimal(0),
        "total_item_count": sum(1 for row in rows if row.parent is None),
        "total_qty_ordered": sum((row.quantity for row in rows if row.parent is None), ZERO),
        "weight": Decimal(0),
        **_customer(wish),
        **_amounts(totals, wish),
    }
    order["items"] = _items(shop, order, rows, money, now)
    order["billing_address"] = _address(shop, wish, wish.billing, "billing", entity_id)
    order["billing_address_id"] = order["billing_address"]["entity_id"]
    order["payment"] = _payment(shop, order, wish)
    order["status_histories"] = []
    order["extension_attributes"] = _extension(shop, order, wish, money, rows, totals, virtual)
    if not virtual:
        order["shipping_description"] = wish.shipping_title
    if wish.coupon:
        order["coupon_code"] = wish.coupon["code"]
        order["discount_description"] = wish.coupon["code"]
        order["applied_rule_ids"] = str(wish.coupon.get("rule_id", 1))
    _capture(shop, order, wish)
    return order | wish.extra


def _customer(wish: Wish) -> Doc:
    if wish.customer is None:
        email = wish.email or wish.billing.get("email") or "guest@buyer.example"
        return {"customer_is_guest": 1, "customer_group_id": 0, "customer_email": email}
    return {
        "customer_is_guest": 0,
        "customer_id": wish.customer["id"],
        "customer_group_id": wish.customer["group_id"],
        "customer_email": wish.customer["email"],
        "customer_firstname": wish.customer["firstname"],
        "customer_lastname": wish.customer["lastname"],
        "customer_taxvat": wish.customer.get("taxvat"),
    }


def _amounts(totals: Totals, wish: Wish) -> Doc:
    result: Doc = {}
    for side in SIDES:
        sums = totals[side]
        result |= {
            f"{side}subtotal": sums["subtotal"],
            f"{side}subtotal_incl_tax": sums["subtotal"] + sums["tax"] - sums["shipping_tax"],
            f"{side}discount_amount": -sums["discount"],
            f"{side}tax_amount": sums["tax"],
            f"{side}discount_tax_compensation_amount": ZERO,
            f"{side}shipping_amount": sums["shipping"],
            f"{side}shipping_incl_tax": sums["shipping"] + sums["shipping_tax"],
            f"{side}shipping_tax_amount": sums["shipping_tax"],
            f"{side}shipping_discount_amount": ZERO,
            f"{side}grand_total": sums["grand"],
            f"{side}total_due": sums["grand"],
            f"_{side}fees": sums["fees"],
        }
    result["base_shipping_discount_tax_compensation_amnt"] = ZERO
    result["shipping_discount_tax_compensation_amount"] = ZERO
    return result


def _items(shop: Shop, order: Doc, rows: list[Row], money: Money, now: str) -> list[Doc]:
    ids = {id(row): shop.next_id("order_item") for row in rows}
    items = []
    for row in rows:
        quote_item = shop.next_id("quote_item")
        kind = row.product["type_id"] if row.kind not in ("configurable", "bundle") else row.kind
        item: Doc = {
            "item_id": ids[id(row)],
            "order_id": order["entity_id"],
            "store_id": order["store_id"],
            "quote_item_id": quote_item,
            "product_id": row.product["id"],
            "product_type": kind,
            "sku": row.sku,
            "name": row.name,
            "created_at": now,
            "updated_at": now,
            "is_virtual": int(kind in ("virtual", "downloadable")),
            "is_qty_decimal": 0,
            "free_shipping": 0,
            "no_discount": 0,
            "qty_ordered": row.quantity,
            "qty_invoiced": ZERO,
            "qty_shipped": ZERO,
            "qty_refunded": ZERO,
            "qty_canceled": ZERO,
            "qty_returned": ZERO,
            "tax_percent": row.tax_percent,
            "weight": dec(row.product["values"].get("weight")),
            "row_weight": dec(row.product["values"].get("weight")) * row.quantity,
            "discount_percent": ZERO,
            "_dynamic": row.dynamic,
            "_separately": row.separately,
        }
        if row.parent is not None:
            item["parent_item_id"] = ids[id(row.parent)]
        if row.options is not None:
            item["product_option"] = row.options
        for side in SIDES:
            total = row.total(side, money.currency[side])
            taxed = row.unit[side] * (100 + row.tax_percent) / 100
            item |= {
                f"{side}price": row.unit[side],
                f"{side}original_price": row.unit[side],
                f"{side}price_incl_tax": taxed.quantize(Decimal("0.0001")),
                f"{side}row_total": total,
                f"{side}row_total_incl_tax": total + row.tax[side],
                f"{side}discount_amount": row.discount[side],
                f"{side}tax_amount": row.tax[side],
                f"{side}discount_tax_compensation_amount": ZERO,
                f"{side}row_invoiced": ZERO,
                f"{side}tax_invoiced": ZERO,
                f"{side}discount_invoiced": ZERO,
                f"{side}amount_refunded": ZERO,
                f"{side}tax_refunded": ZERO,
                f"{side}discount_refunded": ZERO,
            }
        items.append(item)
    return items


def _address(shop: Shop, wish: Wish, given: Doc, kind: str, order_id: int) -> Doc:
    region = given.get("region")
    if isinstance(region, dict):
        given = given | {"region": region.get("region"), "region_code": region.get("region_code")}
    names = (
        "city company country_id fax firstname lastname middlename postcode prefix region region_code street suffix "
        "telephone vat_id email"
    ).split()
    address = {name: given[name] for name in names if given.get(name) is not None}
    address.setdefault("email", wish.email or (wish.customer or {}).get("email") or "guest@buyer.example")
    return {"entity_id": shop.next_id("order_address"), "parent_id": order_id, "address_type": kind} | address


def _payment(shop: Shop, order: Doc, wish: Wish) -> Doc:
    method = "free" if not dec(order["grand_total"]) else wish.method
    payment: Doc = {
        "entity_id": shop.next_id("order_payment"),
        "parent_id": order["entity_id"],
        "method": method,
        "account_status": None,
        "additional_information": [PENDING_METHODS.get(method, method)],
        "cc_last4": None,
        "po_number": wish.po_number,
    }
    for side in SIDES:
        payment[f"{side}amount_ordered"] = order[f"{side}grand_total"]
        payment[f"{side}shipping_amount"] = order[f"{side}shipping_amount"]
    return payment


def _capture(shop: Shop, order: Doc, wish: Wish) -> None:
    """A gateway has taken (or reserved) the money while the buyer was still in the shop."""
    payment = order["payment"]
    if payment["method"] in PENDING_METHODS:
        return
    reference = f"PSP{shop.next_id('gateway'):013d}"
    payment["last_trans_id"] = reference
    payment["cc_trans_id"] = reference
    payment["additional_information"] = [payment["method"], reference]
    order["extension_attributes"]["payment_additional_info"].append({"key": "pspReference", "value": reference})
    for side in SIDES:
        amount = order[f"{side}grand_total"]
        payment[f"{side}amount_authorized"] = amount
        if wish.captured:
            payment[f"{side}amount_paid"] = amount
            payment[f"{side}shipping_captured"] = order[f"{side}shipping_amount"]
            order[f"{side}total_paid"] = amount
            order[f"{side}total_due"] = ZERO
    if wish.captured:
        payment["base_amount_paid_online"] = order["base_grand_total"]
    number = shop.next_id("transaction")
    transaction = {
        "transaction_id": number,
        "order_id": order["entity_id"],
        "payment_id": payment["entity_id"],
        "txn_id": reference,
        "txn_type": "capture" if wish.captured else "authorization",
        "is_closed": 0,
        "additional_information": [],
        "created_at": shop.stamp(),
        "child_transactions": [],
    }
    shop.put("transactions", number, transaction)


def _extension(shop: Shop, order: Doc, wish: Wish, money: Money, rows: list[Row], totals: Totals, virtual: bool) -> Doc:
    result: Doc = {
        "shipping_assignments": [_assignment(shop, order, wish, totals)] if not virtual else [],
        "payment_additional_info": [
            {
                "key": "method_title",
                "value": PENDING_METHODS.get(order["payment"]["method"], order["payment"]["method"]),
            }
        ],
        "converting_from_quote": False,
        **_taxes(order, rows, totals, wish, money),
    }
    if wish.company is not None:
        result["company_order_attributes"] = {
            "order_id": order["entity_id"],
            "company_id": wish.company["id"],
            "company_name": wish.company["company_name"],
        }
    if wish.coupon:
        result["coupon_codes"] = [wish.coupon["code"]]
    for side in SIDES:
        sums = totals[side]
        if sums["gift"]:
            result[f"{side}gift_cards_amount"] = sums["gift"]
        if sums["credit"]:
            result[f"{side}customer_balance_amount"] = sums["credit"]
        if sums["reward"]:
            result[f"{side}reward_currency_amount"] = sums["reward"]
    if totals[""]["gift"]:
        result["gift_cards"] = [
            {
                "id": 1,
                "code": wish.gift_card_code,
                "amount": totals[""]["gift"],
                "base_amount": totals["base_"]["gift"],
            }
        ]
    if totals[""]["reward"]:
        result["reward_points_balance"] = int(totals["base_"]["reward"] * 10)
    if wish.fees:
        result["custom_fees"] = [_fee(shop, order, fee, money) for fee in wish.fees]
    return result


def _fee(shop: Shop, order: Doc, fee: dict[str, Any], money: Money) -> Doc:
    amount = money.from_order(dec(fee["amount"]))
    return {
        "id": str(shop.next_id("custom_fee")),
        "order_id": str(order["entity_id"]),
        "custom_fee_code": fee["code"],
        "custom_fee_label": fee.get("label", fee["code"]),
        "custom_fee_amount": amount[""],
        "base_custom_fee_amount": amount["base_"],
        "custom_fee_amount_invoiced": ZERO,
        "base_custom_fee_amount_invoiced": ZERO,
        "custom_fee_amount_refunded": ZERO,
        "base_custom_fee_amount_refunded": ZERO,
    }


def _assignment(shop: Shop, order: Doc, wish: Wish, totals: Totals) -> Doc:
    total: Doc = {}
    for side in SIDES:
        for name in ("amount", "incl_tax", "tax_amount", "discount_amount"):
            total[f"{side}shipping_{name}"] = order[f"{side}shipping_{name}"]
    address = _address(shop, wish, wish.shipping or wish.billing, "shipping", order["entity_id"])
    # The vendor repeats the rows here; the stand-in writes them when it answers, from the order's own.
    return {"shipping": {"address": address, "method": wish.shipping_method, "total": total}, "items": []}


def _taxes(order: Doc, rows: list[Row], totals: Totals, wish: Wish, money: Money) -> Doc:
    """`applied_taxes` of the order and `item_applied_taxes` of its rows and its shipping, one rate each."""
    shipping_percent = wish.tax_percent if wish.tax_percent is not None else money.tax_percent
    entries: list[tuple[Decimal, Decimal, Decimal, int | None]] = [
        (row.tax_percent, row.tax[""], row.tax["base_"], item["item_id"])
        for row, item in zip(rows, order["items"], strict=True)
        if row.tax[""] or row.tax["base_"]
    ]
    if totals[""]["shipping_tax"] or totals["base_"]["shipping_tax"]:
        entries.append((shipping_percent, totals[""]["shipping_tax"], totals["base_"]["shipping_tax"], None))
    by_rate: dict[Decimal, list[Decimal]] = {}
    details = []
    for percent, amount, base_amount, item_id in entries:
        sums = by_rate.setdefault(percent, [ZERO, ZERO])
        sums[0] += amount
        sums[1] += base_amount
        detail: Doc = {
            "type": "shipping" if item_id is None else "product",
            "applied_taxes": [_applied(order, percent, amount, base_amount)],
        }
        if item_id is not None:
            detail["item_id"] = item_id
        details.append(detail)
    return {
        "applied_taxes": [_applied(order, percent, *sums) for percent, sums in by_rate.items()],
        "item_applied_taxes": details,
    }


def _applied(order: Doc, percent: Decimal, amount: Decimal, base_amount: Decimal) -> Doc:
    code = f"{order['order_currency_code']}-VAT-{percent.normalize():f}"
    rate = {"code": code, "title": code, "percent": percent}
    return {
        "code": code,
        "title": code,
        "percent": percent,
        "amount": amount,
        "base_amount": base_amount,
        "extension_attributes": {"rates": [rate]},
    }
