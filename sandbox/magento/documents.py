"""What invoices, shipments and credit memos share: which rows a request means, comments, the calls to read them."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import candidates, search
from sandbox.magento.errors import not_found
from sandbox.magento.money import ZERO, dec, rounded
from sandbox.magento.orders import children
from sandbox.magento.routing import Call, Handler, route
from sandbox.magento.shop import Shop

Rows = list[tuple[Doc, Decimal]]
SIDES = ("", "base_")


class Foreign(Exception):
    """A requested row is not part of the order."""


def wanted_rows(order: Doc, given: list[Doc] | None, left: Callable[[Doc], Decimal]) -> Rows:
    """Order rows with the quantity that a request means; without items everything that is `left`.

    A row stands for its parts, and a part of a configurable for its head, so that a request may name either.
    """
    items = {item["item_id"]: item for item in order["items"]}
    if not given:
        return [(item, left(item)) for item in order["items"] if left(item) > 0]
    asked: dict[int, Decimal] = {}
    for each in given:
        item_id = int(each.get("order_item_id") or 0)
        if item_id not in items:
            raise Foreign
        asked[item_id] = asked.get(item_id, ZERO) + dec(each.get("qty"))
    result: dict[int, Decimal] = {}
    for item_id, quantity in asked.items():
        item = items[item_id]
        parent = items.get(item.get("parent_item_id") or 0)
        if parent is not None and parent["product_type"] == "configurable":
            item = parent
        result.setdefault(item["item_id"], quantity)
        for child in children(order, item):
            if child["item_id"] not in asked:
                result[child["item_id"]] = quantity * dec(child["qty_ordered"]) / dec(item["qty_ordered"])
        if parent is not None and parent["product_type"] == "bundle" and parent["item_id"] not in asked:
            result.setdefault(parent["item_id"], ZERO)
    for item_id in [key for key, quantity in result.items() if not quantity]:
        result[item_id] = _bundle_share(order, items[item_id], result)
    return [(items[item_id], quantity) for item_id, quantity in result.items() if quantity > 0]


def _bundle_share(order: Doc, bundle: Doc, result: dict[int, Decimal]) -> Decimal:
    """How much of a bundle its requested parts make up."""
    parts = children(order, bundle)
    if not parts:
        return ZERO
    return min(
        result.get(part["item_id"], ZERO) * dec(bundle["qty_ordered"]) / dec(part["qty_ordered"]) for part in parts
    )


def share(total: Any, before: Decimal, quantity: Decimal, ordered: Any, currency: str) -> Decimal:
    """The part of a row's amount that `quantity` carries, so that all parts add up to the row exactly."""
    whole = dec(ordered)
    return rounded(dec(total) * (before + quantity) / whole, currency) - rounded(dec(total) * before / whole, currency)


def currency_of(order: Doc, side: str) -> str:
    return str(order["base_currency_code" if side else "order_currency_code"])


def header(shop: Shop, kind: str, order: Doc) -> Doc:
    """The keys that every document of an order starts with."""
    now = shop.stamp()
    return {
        "entity_id": shop.next_id(kind),
        "increment_id": shop.increment_id(kind, order["store_id"]),
        "order_id": order["entity_id"],
        "store_id": order["store_id"],
        "billing_address_id": order.get("billing_address_id"),
        "shipping_address_id": shipping_address_id(order),
        "created_at": now,
        "updated_at": now,
        "comments": [],
    }


def shipping_address_id(order: Doc) -> int | None:
    for each in order["extension_attributes"].get("shipping_assignments") or []:
        return int(each["shipping"]["address"]["entity_id"])
    return None


def currencies(order: Doc) -> Doc:
    names = (
        "base_currency_code global_currency_code order_currency_code store_currency_code base_to_global_rate "
        "base_to_order_rate store_to_base_rate store_to_order_rate"
    )
    return {name: order.get(name) for name in names.split()}


def with_comment(shop: Shop, kind: str, document: Doc, given: Doc | None, notified: bool) -> Doc:
    """The document with one more comment; it is kept whether or not it goes into an e-mail."""
    if not given or not given.get("comment"):
        return document
    entry = {
        "comment": given["comment"],
        "created_at": shop.stamp(),
        "entity_id": shop.next_id(f"{kind}_comment"),
        "is_customer_notified": int(bool(given.get("is_customer_notified", notified))),
        "is_visible_on_front": int(given.get("is_visible_on_front") or 0),
        "parent_id": document["entity_id"],
    }
    return document | {"comments": [*document["comments"], entry]}


def read_document(shop: Shop, table: str, document_id: Any) -> Doc:
    document = shop.get(table, document_id)
    if document is None:
        raise not_found()
    return deepcopy(document)


def serve_documents(kind: str, one: str, many: str, comments: str, entity_key: str) -> None:
    """Register the read, comment and e-mail calls of one kind of document. `entity_key` names its path variable."""
    table = f"{kind}s"
    columns = CONTRACT.scalar_fields(f"sales-data-{kind}")

    def get_one(shop: Shop, call: Call) -> Any:
        return read_document(shop, table, call.path[entity_key])

    def find(shop: Shop, call: Call) -> Any:
        criteria = call.criteria(shop)
        return search(shop, candidates(shop.table(table), criteria), criteria, columns)

    def get_comments(shop: Shop, call: Call) -> Any:
        entries = read_document(shop, table, call.path[entity_key])["comments"]
        return {"items": entries, "search_criteria": {"filter_groups": []}, "total_count": len(entries)}

    def post_comment(shop: Shop, call: Call) -> Any:
        given = call.args["entity"]
        document = read_document(shop, table, given.get("parent_id") or call.path.get(entity_key))
        document = with_comment(shop, kind, document, given, False)
        shop.put(table, document["entity_id"], document)
        return document["comments"][-1]

    def email(shop: Shop, call: Call) -> Any:
        document = read_document(shop, table, call.path[entity_key])
        shop.put(table, document["entity_id"], document | {"email_sent": 1})
        return True

    handlers: list[tuple[str, str, Handler]] = [
        ("GET", one, get_one),
        ("GET", many, find),
        ("GET", f"{one}/comments", get_comments),
        ("POST", comments, post_comment),
        ("POST", f"{one}/emails", email),
    ]
    for method, path, handler in handlers:
        route(method, path)(handler)
