"""Orders: the state machine, counters, and the order calls of the API (read, stamp, comment, hold, cancel)."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import candidates, search
from sandbox.magento.errors import no_such, not_found, refused
from sandbox.magento.events import order_saved
from sandbox.magento.money import ZERO, dec
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

ORDER_COLUMNS = {**CONTRACT.scalar_fields("sales-data-order"), "base_grand_total": "num"}
ITEM_COLUMNS = CONTRACT.scalar_fields("sales-data-order-item")
STATUS_COLUMNS = CONTRACT.scalar_fields("sales-data-order-status-history")

NO_HOLD = frozenset({"canceled", "payment_review", "complete", "closed", "holded"})
NO_CANCEL = frozenset({"canceled", "complete", "closed", "payment_review", "holded"})
STAMPABLE_CHILDREN = frozenset({"items", "payment", "billing_address", "status_histories", "extension_attributes"})


def read_order(shop: Shop, order_id: Any) -> Doc:
    """A copy of the order, to be changed and saved. Raises the vendor's 404."""
    order = shop.get("orders", order_id)
    if order is None:
        raise not_found()
    if shop.snapshot is not None and shop.snapshot["entity_id"] == order["entity_id"]:
        order = shop.snapshot
    return deepcopy(order)


def save_order(shop: Shop, order: Doc, *, touch: bool = True) -> None:
    """Keep the order and announce it. `touch=False`: only children changed, the row's `updated_at` stays."""
    if touch:
        order["updated_at"] = shop.stamp()
    shop.put("orders", order["entity_id"], order)
    order_saved(shop, shop.get("orders", order["entity_id"]) or order)


def children(order: Doc, item: Doc) -> list[Doc]:
    return [each for each in order["items"] if each.get("parent_item_id") == item["item_id"]]


def priced_by_children(item: Doc) -> bool:
    """A bundle with dynamic prices: its children carry the money, so they are invoiced and refunded."""
    return bool(item["product_type"] == "bundle" and item.get("_dynamic"))


def stands_in(order: Doc, item: Doc, *, sent: bool) -> bool:
    """Whether a row only stands for others, so that the shop does not count it: of a configurable or a bundle, either
    the head or its parts are counted.

    Where goods are `sent`, the parts count if they leave separately; where they are invoiced, if they carry the price.
    """
    name = "_separately" if sent else "_dynamic"
    if children(order, item):
        return bool(item.get(name))
    parent = next((each for each in order["items"] if each["item_id"] == item.get("parent_item_id")), None)
    return parent is not None and not parent.get(name)


def open_to_invoice(item: Doc) -> Decimal:
    return max(dec(item["qty_ordered"]) - dec(item["qty_invoiced"]) - dec(item["qty_canceled"]), ZERO)


def open_to_ship(item: Doc) -> Decimal:
    """What is left to send of an item; goods refunded before they were sent need no shipment."""
    if item.get("is_virtual"):
        return ZERO
    gone = max(dec(item["qty_shipped"]), dec(item["qty_refunded"]))
    return max(dec(item["qty_ordered"]) - gone - dec(item["qty_canceled"]), ZERO)


def open_to_refund(item: Doc) -> Decimal:
    return max(dec(item["qty_invoiced"]) - dec(item["qty_refunded"]), ZERO)


def can_ship(order: Doc) -> bool:
    return any(open_to_ship(item) > 0 and not stands_in(order, item, sent=True) for item in order["items"])


def is_invoiced(order: Doc) -> bool:
    return not any(open_to_invoice(item) > 0 and not stands_in(order, item, sent=False) for item in order["items"])


def can_refund(order: Doc) -> bool:
    paid = dec(order.get("total_paid"))
    if paid > 0:
        return paid - dec(order.get("total_refunded")) > 0
    return any(open_to_refund(item) > 0 for item in order["items"])


def set_state(shop: Shop, order: Doc, state: str, status: str | None = None) -> None:
    order["state"] = state
    order["status"] = status or shop.statuses(state)[0]


def settle_state(shop: Shop, order: Doc) -> None:
    """The check on save: complete when all is invoiced and sent, closed when nothing is left to give back."""
    if order["state"] not in ("processing", "complete") or not is_invoiced(order) or can_ship(order):
        return
    if not can_refund(order):
        set_state(shop, order, "closed")
    elif order["state"] == "processing":
        set_state(shop, order, "complete")


def add_comment(shop: Shop, order: Doc, text: str, *, status: str | None = None, **flags: Any) -> None:
    entry = {
        "comment": text,
        "created_at": shop.stamp(),
        "entity_id": shop.next_id("order_comment"),
        "entity_name": flags.get("entity_name", "order"),
        "is_customer_notified": int(flags.get("notified") or 0),
        "is_visible_on_front": int(flags.get("visible") or 0),
        "parent_id": order["entity_id"],
        "status": status or order["status"],
    }
    order["status_histories"] = [entry, *order["status_histories"]]


@route("GET", "/V1/orders/{id}")
def get_order(shop: Shop, call: Call) -> Any:
    return shown(read_order(shop, call.path["id"]))


def shown(order: Doc) -> Doc:
    """The order as it is answered: its rows are repeated under the shipping assignment."""
    extension = order["extension_attributes"]
    assignments = [each | {"items": order["items"]} for each in extension.get("shipping_assignments") or []]
    if not assignments:
        return order
    return order | {"extension_attributes": extension | {"shipping_assignments": assignments}}


@route("GET", "/V1/orders")
def find_orders(shop: Shop, call: Call) -> Any:
    criteria = call.criteria(shop)
    found = search(shop, candidates(shop.table("orders"), criteria), criteria, ORDER_COLUMNS)
    return found | {"items": [shown(order) for order in found["items"]]}


@route("GET", "/V1/orders/items")
def find_items(shop: Shop, call: Call) -> Any:
    items = [item for order in shop.table("orders").values() for item in order["items"]]
    return search(shop, items, call.criteria(shop), ITEM_COLUMNS)


@route("GET", "/V1/orders/items/{id}")
def get_item(shop: Shop, call: Call) -> Any:
    for order in shop.table("orders").values():
        for item in order["items"]:
            if item["item_id"] == call.path["id"]:
                return item
    raise no_such("item_id", call.path["id"])


@route("GET", "/V1/orders/{id}/statuses")
def get_status(shop: Shop, call: Call) -> Any:
    return read_order(shop, call.path["id"])["status"]


@route("GET", "/V1/orders/{id}/comments")
def get_comments(shop: Shop, call: Call) -> Any:
    entries = read_order(shop, call.path["id"])["status_histories"]
    return {"items": entries, "search_criteria": {"filter_groups": []}, "total_count": len(entries)}


@route("POST", "/V1/orders/{id}/comments")
def post_comment(shop: Shop, call: Call) -> Any:
    order, given = read_order(shop, call.path["id"]), call.args["status_history"]
    status = given.get("status") or None
    strict = shop.settings["version_profile"] != "2.3"
    if status and strict and status not in shop.statuses(order["state"]):
        raise refused('Unable to add comment: The status "%1" is not part of the order status history.', status)
    moved = bool(status) and status != order["status"]
    if status:
        order["status"] = status
    add_comment(
        shop,
        order,
        given.get("comment") or "",
        notified=given.get("is_customer_notified"),
        visible=given.get("is_visible_on_front"),
    )
    save_order(shop, order, touch=moved)
    return True


@route("POST", "/V1/orders")
def post_order(shop: Shop, call: Call) -> Any:
    return write_order(shop, call)


@route("PUT", "/V1/orders/create")
def create_order(shop: Shop, call: Call) -> Any:
    return write_order(shop, call)


def write_order(shop: Shop, call: Call) -> Doc:
    """Save what is sent, as it is: no totals, no stock, no checks. Without `increment_id` a new number is given."""
    given = call.args["entity"]
    old = shop.get("orders", given["entity_id"]) if given.get("entity_id") else None
    if given.get("entity_id") and old is None:
        raise not_found()
    order: Doc = deepcopy(old) if old else _bare_order(shop, call)
    order |= {name: value for name, value in given.items() if name not in STAMPABLE_CHILDREN and value is not None}
    if "increment_id" not in given:
        order["increment_id"] = shop.increment_id("order", int(order["store_id"]))
    if given.get("payment"):
        order["payment"] = order["payment"] | given["payment"]
    if given.get("billing_address"):
        order["billing_address"] = order["billing_address"] | given["billing_address"]
    if given.get("items"):
        order["items"] = _merge_items(shop, order, given["items"])
    for entry in given.get("status_histories") or []:
        if not entry.get("entity_id"):
            add_comment(shop, order, entry.get("comment") or "", status=entry.get("status"))
    if given.get("extension_attributes"):
        order["extension_attributes"] = order["extension_attributes"] | given["extension_attributes"]
    if order["state"] in ("processing", "complete") and "state" not in given:
        settle_state(shop, order)
    save_order(shop, order)
    return shown(shop.get("orders", order["entity_id"]) or order)


def _bare_order(shop: Shop, call: Call) -> Doc:
    store_id = call.args["entity"].get("store_id", call.store_id)
    return {
        "entity_id": shop.next_id("order"),
        "created_at": shop.stamp(),
        "store_id": store_id,
        "state": "new",
        "status": "pending",
        "items": [],
        "billing_address": {},
        "payment": {"method": "", "additional_information": []},
        "status_histories": [],
        "extension_attributes": {},
    }


def _merge_items(shop: Shop, order: Doc, given: list[Doc]) -> list[Doc]:
    items = {item["item_id"]: item for item in order["items"]}
    for each in given:
        item_id = each.get("item_id") or shop.next_id("order_item")
        empty = {f"qty_{name}": "0" for name in ("ordered", "invoiced", "shipped", "refunded", "canceled")}
        base = items.get(item_id) or empty | {
            "item_id": item_id,
            "order_id": order["entity_id"],
            "product_type": "simple",
        }
        items[item_id] = base | {name: value for name, value in each.items() if name != "parent_item"}
    return list(items.values())


@route("PUT", "/V1/orders/{parent_id}")
def put_address(shop: Shop, call: Call) -> Any:
    """Despite its URL: change an address of the order."""
    order, given = read_order(shop, int(call.path["parent_id"])), call.args["entity"]
    shipping = [each["shipping"] for each in order["extension_attributes"].get("shipping_assignments", [])]
    wanted = given.get("entity_id")
    if wanted == order["billing_address"].get("entity_id"):
        address = order["billing_address"] = order["billing_address"] | given
        save_order(shop, order)
        return address
    for each in shipping:
        if wanted == each["address"].get("entity_id"):
            each["address"] = each["address"] | given
            save_order(shop, order)
            return each["address"]
    raise no_such("entity_id", wanted)


@route("POST", "/V1/orders/{id}/hold")
def hold(shop: Shop, call: Call) -> Any:
    order = read_order(shop, call.path["id"])
    if order["state"] in NO_HOLD:
        raise refused("A hold action is not available.")
    order["hold_before_state"], order["hold_before_status"] = order["state"], order["status"]
    set_state(shop, order, "holded")
    save_order(shop, order)
    return True


@route("POST", "/V1/orders/{id}/unhold")
def unhold(shop: Shop, call: Call) -> Any:
    order = read_order(shop, call.path["id"])
    if order["state"] != "holded":
        raise refused("You cannot remove the hold.")
    set_state(shop, order, order.pop("hold_before_state"), order.pop("hold_before_status"))
    save_order(shop, order)
    return True


@route("POST", "/V1/orders/{id}/emails")
def send_email(shop: Shop, call: Call) -> Any:
    order = read_order(shop, call.path["id"])
    order["email_sent"] = 1
    save_order(shop, order, touch=False)
    return True


@route("POST", "/V1/orders/{id}/cancel")
def cancel(shop: Shop, call: Call) -> Any:
    return cancel_order(shop, read_order(shop, call.path["id"]))


def cancel_order(shop: Shop, order: Doc) -> bool:
    """Cancel what is neither invoiced nor sent and release its stock; False when there is nothing to cancel.

    An order of which something was invoiced goes on with that; any other one ends.
    """
    if order["state"] in NO_CANCEL or not any(open_to_invoice(item) > 0 for item in order["items"]):
        return False
    for item in order["items"]:
        quantity = open_to_invoice(item)
        if not item.get("is_virtual"):
            quantity = min(quantity, open_to_ship(item))
        item["qty_canceled"] = dec(item["qty_canceled"]) + quantity
        item["tax_canceled"] = dec(item.get("tax_amount")) - dec(item.get("tax_invoiced"))
        inventory.release(shop, order, item, quantity, "order_canceled")
    for side in ("", "base_"):
        for name in ("subtotal", "tax", "shipping", "discount"):
            amount = dec(order.get(f"{side}{name}_amount" if name != "subtotal" else f"{side}subtotal"))
            order[f"{side}{name}_canceled"] = amount - dec(order.get(f"{side}{name}_invoiced"))
        order[f"{side}total_canceled"] = dec(order[f"{side}grand_total"]) - dec(order.get(f"{side}total_invoiced"))
    left = any(open_to_refund(item) > 0 for item in order["items"])
    if left:
        set_state(shop, order, "processing")
        settle_state(shop, order)
    else:
        set_state(shop, order, "canceled")
    save_order(shop, order)
    return True
