"""Shipments and their tracks: create from an order, read, comment, add and remove tracks."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.documents import (
    Foreign,
    Rows,
    header,
    read_document,
    serve_documents,
    wanted_rows,
    with_comment,
)
from sandbox.magento.errors import document_invalid, no_such
from sandbox.magento.money import ZERO, dec
from sandbox.magento.orders import (
    can_ship,
    open_to_ship,
    read_order,
    save_order,
    set_state,
    settle_state,
    stands_in,
)
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

NO_SHIPMENT = frozenset({"payment_review", "holded", "canceled"})

serve_documents("shipment", "/V1/shipment/{id}", "/V1/shipments", "/V1/shipment/{id}/comments", "id")


@route("POST", "/V1/order/{orderId}/ship")
def ship_order(shop: Shop, call: Call) -> Any:
    order = read_order(shop, call.path["order_id"])
    arguments = (call.args.get("arguments") or {}).get("extension_attributes") or {}
    rows = _checked_rows(order, call.args.get("items"))
    source = inventory.source_for_shipment(shop, order, arguments.get("source_code"))
    inventory.deduct(shop, order, rows, source, "shipment_created")
    shipment = header(shop, "shipment", order) | {
        "customer_id": order.get("customer_id"),
        "total_qty": sum((quantity for item, quantity in rows if not item.get("parent_item_id")), ZERO),
        "total_weight": sum((dec(item.get("weight")) * quantity for item, quantity in rows), ZERO),
        "email_sent": 1 if call.args.get("notify") else None,
        "packages": call.args.get("packages") or [],
        "extension_attributes": {"source_code": source},
    }
    shipment["items"] = [_item(shop, shipment, item, quantity) for item, quantity in rows]
    shipment["tracks"] = [_track(shop, shipment, given) for given in call.args.get("tracks") or []]
    shipment = with_comment(shop, "shipment", shipment, call.args.get("comment"), bool(call.args.get("notify")))
    for item, quantity in rows:
        item["qty_shipped"] = dec(item["qty_shipped"]) + quantity
        item["_source"] = source
    if order["state"] in ("new", "pending_payment"):
        set_state(shop, order, "processing")
    settle_state(shop, order)
    shop.put("shipments", shipment["entity_id"], shipment)
    save_order(shop, order)
    return str(shipment["entity_id"])


def _checked_rows(order: Doc, items: list[Doc] | None) -> Rows:
    problems = []
    if order["state"] in NO_SHIPMENT:
        problems.append(f"A shipment cannot be created when an order has a status of {order['status']}")
    elif not can_ship(order):
        problems.append("The order does not allow a shipment to be created.")
    rows: Rows = []
    try:
        rows = _sent_rows(order, items)
    except Foreign:
        problems.append("The shipment contains one or more items that are not part of the original order.")
    for item, quantity in rows:
        if quantity > open_to_ship(item) and not stands_in(order, item, sent=True):
            problems.append(f'We found an invalid quantity to ship for item "{item.get("name")}".')
    if not rows and not problems:
        problems.append("You can't create a shipment without products.")
    if problems:
        raise document_invalid("Shipment", problems)
    return rows


def _sent_rows(order: Doc, items: list[Doc] | None) -> Rows:
    """The rows that a request sends.

    A bundle's row that only stands in cannot be named: not the parts of one that leaves whole, nor the head of one that
    leaves in parts. That head is listed beside its parts with quantity 1, however many of them leave.
    """
    known = {item["item_id"]: item for item in order["items"]}
    for each in items or []:
        if int(each.get("order_item_id") or 0) not in known:
            raise Foreign
    named = [each for each in items or [] if _may_be_named(order, known[int(each["order_item_id"])])]
    if items and not named:
        return []
    rows = [
        (item, quantity)
        for item, quantity in wanted_rows(order, named, open_to_ship)
        if not (item.get("_separately") or item.get("is_virtual"))
    ]
    heads = dict.fromkeys(item.get("parent_item_id") for item, _ in rows)
    return [*((known[head], Decimal(1)) for head in heads if head and known[head].get("_separately")), *rows]


def _may_be_named(order: Doc, item: Doc) -> bool:
    parent = next((each for each in order["items"] if each["item_id"] == item.get("parent_item_id")), None)
    if parent is not None and parent["product_type"] == "configurable":
        return True  # the vendor's tutorial does it
    return not stands_in(order, item, sent=True)


def _item(shop: Shop, shipment: Doc, item: Doc, quantity: Decimal) -> Doc:
    return {
        "entity_id": shop.next_id("shipment_item"),
        "parent_id": shipment["entity_id"],
        "order_item_id": item["item_id"],
        "product_id": item.get("product_id"),
        "sku": item["sku"],
        "name": item.get("name"),
        "price": item.get("price"),
        "weight": item.get("weight"),
        "qty": quantity,
    }


def _track(shop: Shop, shipment: Doc, given: Doc) -> Doc:
    number = shop.next_id("track")
    shop.put("track_index", number, {"shipment": shipment["entity_id"]})
    return {
        "entity_id": number,
        "order_id": shipment["order_id"],
        "parent_id": shipment["entity_id"],
        "created_at": shop.stamp(),
        "updated_at": shop.stamp(),
        "track_number": given.get("track_number") or "",
        "title": given.get("title") or "",
        "carrier_code": given.get("carrier_code") or "custom",
        "description": given.get("description"),
        "weight": given.get("weight"),
        "qty": given.get("qty"),
    }


@route("POST", "/V1/shipment/track")
def add_track(shop: Shop, call: Call) -> Any:
    """The order's row does not move when only a track is added."""
    given = call.args["entity"]
    shipment = shop.get("shipments", given.get("parent_id"))
    if shipment is None:
        raise no_such("entity_id", given.get("parent_id"))
    if given.get("order_id") != shipment["order_id"]:
        raise no_such("order_id", given.get("order_id"))
    shipment = deepcopy(shipment)
    track = _track(shop, shipment, given)
    shipment["tracks"].append(track)
    shop.put("shipments", shipment["entity_id"], shipment | {"updated_at": shop.stamp()})
    return track


@route("DELETE", "/V1/shipment/track/{id}")
def delete_track(shop: Shop, call: Call) -> Any:
    number = call.path["id"]
    place = shop.get("track_index", number)
    if place is None:
        raise no_such("entity_id", number)
    shipment = read_document(shop, "shipments", place["shipment"])
    shipment["tracks"] = [track for track in shipment["tracks"] if track["entity_id"] != number]
    shop.put("shipments", shipment["entity_id"], shipment)
    shop.table("track_index").delete(str(number))
    return True
