"""The shop's documents in the neutral shape of the control API."""

from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.money import dec, minor
from sandbox.magento.shop import Shop


def books(shop: Shop) -> dict[str, Any]:
    orders = {order["entity_id"]: order for order in shop.table("orders").values()}
    keys = {order_id: order_key(shop, order) for order_id, order in orders.items()}

    def documents(table: str) -> list[Doc]:
        return [
            _document(orders[each["order_id"]], keys[each["order_id"]], each) for each in shop.table(table).values()
        ]

    return {
        "orders": [_order(order, keys[order["entity_id"]]) for order in orders.values()],
        "payments": [each for order in orders.values() for each in _payments(order, keys[order["entity_id"]])],
        "invoices": documents("invoices"),
        "shipments": documents("shipments"),
        "credit_notes": documents("creditmemos"),
        "customers": [_customer(shop, each) for each in shop.table("customers").values()],
        "companies": [_company(shop, each) for each in shop.table("companies").values()],
        "products": len(shop.table("products")),
        "prices": sum(1 for each in shop.table("products").values() if each["values"].get("price") is not None),
        "stock": len(shop.table("source_items")),
    }


def order_key(shop: Shop, order: Doc) -> str:
    return f"{shop.view(order['store_id'])['code']}:{order['increment_id']}"


def _lines(order: Doc, entries: list[Doc], quantity: str) -> list[Doc]:
    """The rows that carry money: not the variant under its configurable, not a bundle priced by its parts."""
    currency = order.get("order_currency_code", "EUR")
    items = {item["item_id"]: item for item in order["items"]}
    result = []
    for entry in entries:
        item = items[entry["item_id" if "item_id" in entry else "order_item_id"]]
        parent = items.get(item.get("parent_item_id"))
        if item.get("_dynamic") or (parent is not None and not parent.get("_dynamic")):
            continue
        total = minor(entry.get("row_total"), currency)
        result.append({"sku": entry["sku"], "quantity": str(dec(entry.get(quantity))), "total_minor": total})
    return result


def _order(order: Doc, key: str) -> Doc:
    currency = order.get("order_currency_code", "EUR")
    return {
        "id": str(order["entity_id"]),
        "number": order["increment_id"],
        "key": key,
        "customer": str(order.get("customer_id") or "guest"),
        "currency": currency,
        "total_minor": minor(order.get("grand_total"), currency),
        "status": f"{order['state']}/{order['status']}",
        "lines": _lines(order, order["items"], "qty_ordered"),
        "refs": {
            "ext_order_id": order.get("ext_order_id"),
            "total_paid_minor": minor(order.get("total_paid"), currency),
            "total_invoiced_minor": minor(order.get("total_invoiced"), currency),
            "total_refunded_minor": minor(order.get("total_refunded"), currency),
            "comments": [entry["comment"] for entry in order["status_histories"]],
            "original": order.get("original_increment_id"),
            "replaced_by": order.get("relation_child_real_id"),
        },
    }


def _payments(order: Doc, key: str) -> list[Doc]:
    """Money that a gateway took while the order was placed."""
    payment, currency = order["payment"], order.get("order_currency_code", "EUR")
    if not payment.get("last_trans_id") or not dec(payment.get("amount_paid")):
        return []
    return [
        {
            "id": str(payment["entity_id"]),
            "number": payment["last_trans_id"],
            "key": key,
            "customer": str(order.get("customer_id") or "guest"),
            "currency": currency,
            "total_minor": minor(payment["amount_paid"], currency),
            "status": "captured",
            "lines": [],
            "refs": {"method": payment["method"], "order_key": key},
        }
    ]


def _document(order: Doc, key: str, document: Doc) -> Doc:
    """`key` is the other side's document number: the first word with a digit in the comments, else None."""
    currency = order["order_currency_code"]
    comments = [entry["comment"] for entry in document["comments"]]
    words = [word.strip(".,;:()") for text in comments for word in text.split()]
    return {
        "id": str(document["entity_id"]),
        "number": document["increment_id"],
        "key": next((word for word in words if any(letter.isdigit() for letter in word)), None),
        "customer": str(order.get("customer_id") or "guest"),
        "currency": currency,
        "total_minor": minor(document.get("grand_total"), currency),
        "status": str(document.get("state", "")),
        "lines": _lines(order, document["items"], "qty"),
        "refs": {
            "order_key": key,
            "comments": comments,
            "tracks": [track["track_number"] for track in document.get("tracks", [])],
            "source": document["extension_attributes"].get("source_code"),
            "invoice_id": document.get("invoice_id"),
        },
    }


def _customer(shop: Shop, customer: Doc) -> Doc:
    code = shop.view(customer["store_id"])["code"]
    company = (customer["extension_attributes"].get("company_attributes") or {}).get("company_id")
    return {
        "id": str(customer["id"]),
        "number": str(customer["id"]),
        "key": f"{code}:{customer['id']}",
        "customer": str(customer["id"]),
        "status": "active",
        "refs": {"email": customer["email"], "store": code, "company": company, "group_id": customer["group_id"]},
    }


def _company(shop: Shop, company: Doc) -> Doc:
    credit = next(iter(shop.table("credits").where("company_id", company["id"])), {})
    return {
        "id": str(company["id"]),
        "number": str(company["id"]),
        "key": str(company["id"]),
        "customer": str(company["super_user_id"]),
        "status": str(company["status"]),
        "refs": {
            "name": company["company_name"],
            "email": company["company_email"],
            "vat": company.get("vat_tax_id"),
            "credit_limit": credit.get("credit_limit"),
            "payment_methods": company.get("extension_attributes", {}).get("available_payment_methods"),
        },
    }
