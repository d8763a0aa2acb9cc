"""What must be found of each order's goods: in the books of ERP, shop and carrier, and in what Holdfast shows.

What left the house stands in the ERP's shipments. Each of them is in the shop exactly once, with the same goods, and
its parcels are with the buyer. Pure functions.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cli.demo.books import Document
from cli.demo.expected import Expected
from cli.demo.finding import WHERE, Finding, Shelf, closed
from commerce.fulfillment import State

ORDERS, SHIPMENTS = ("salesforce", "orders"), ("salesforce", "shipments")
SHOP_SHIPMENTS, SHOP_INVOICES = ("magento", "shipments"), ("magento", "invoices")
PARCELS = ("carrier", "shipments")


def shipped(order: Expected, shelf: Shelf, finding: Finding) -> bool:
    """Everything that was ordered has left the house once, and the shop has each shipment once. Whether it is so."""
    before = len(finding.problems)
    shipments = _open(shelf, SHIPMENTS, order)
    _left_the_house(order, shipments, shelf, finding)
    in_shop = shelf.of(SHOP_SHIPMENTS, order.key)
    _one_each(SHOP_SHIPMENTS, order, shipments if order.in_shop else (), in_shop, finding)
    if order.in_shop:
        tracks = sorted(str(number) for document in in_shop for number in document["refs"]["tracks"])
        parcels = sorted(str(parcel["number"]) for parcel in shelf.of(PARCELS, order.key))
        if tracks != parcels:
            finding.problems.append(
                f"tracks: the shop has {_said(tracks)} for {order.key}, the carrier {_said(parcels)}"
            )
    if order.in_shop and order.on_account:
        _invoiced(order, shipments, shelf.of(SHOP_INVOICES, order.key), finding)
    return len(finding.problems) == before


def delivered(order: Expected, shelf: Shelf, finding: Finding, view: Mapping[str, Any]) -> bool:
    """Every parcel is with the buyer, and Holdfast shows just that. Whether it is so.

    `view`: the order's goods as the API shows them.
    """
    before = len(finding.problems)
    shipments, parcels = _open(shelf, SHIPMENTS, order), shelf.of(PARCELS, order.key)
    if len(parcels) < len(shipments):
        lost = len(shipments) - len(parcels)
        finding.missing += lost
        finding.problems.append(f"missing: {lost} x {WHERE[PARCELS]} for {order.key}")
    for parcel in parcels:
        if parcel["status"] != "delivered":
            finding.problems.append(f"not delivered: parcel {parcel['number']} of {order.key} is {parcel['status']}")
    state = str(view.get("state", "not known"))
    if state != State.DELIVERED.value or not view["ended"]:
        finding.problems.append(f"not delivered: Holdfast shows the goods of {order.key} as {state}")
    shown = list(view.get("shipments", ()))
    _same(
        f"Holdfast shows shipments of {order.key}",
        [s["number"] for s in shown],
        [s["number"] for s in shipments],
        finding,
    )
    tracks = [track["number"] for shipment in shown for track in shipment["tracks"]]
    _same(f"Holdfast shows parcels of {order.key}", tracks, [parcel["number"] for parcel in parcels], finding)
    return len(finding.problems) == before


def nothing_sent(order: Expected, shelf: Shelf, finding: Finding) -> None:
    """Of an order that is parked or cancelled nothing leaves the house."""
    for place in (SHIPMENTS, SHOP_SHIPMENTS, PARCELS):
        for document in _open(shelf, place, order):
            finding.problems.append(
                f"sent: {WHERE[place]} {document['number']} for {order.key}, which was to be {order.fate.value}"
            )


def _left_the_house(order: Expected, shipments: Sequence[Document], shelf: Shelf, finding: Finding) -> None:
    gone: dict[str, Decimal] = {}
    for shipment in shipments:
        if shipment["status"] != "Shipped":
            finding.problems.append(
                f"not shipped: {WHERE[SHIPMENTS]} {shipment['number']} for {order.key} is {shipment['status']}"
            )
        for sku, quantity in _quantities(shipment).items():
            gone[sku] = gone.get(sku, Decimal(0)) + quantity
    for sku in sorted({*gone, *order.goods}):
        wanted, left = order.goods.get(sku, Decimal(0)), gone.get(sku, Decimal(0))
        if left < wanted:
            finding.missing += 1
            finding.problems.append(f"missing: {wanted - left:f} of {sku} for {order.key} did not leave the house")
        elif left > wanted:
            finding.problems.append(f"too much: {left:f} of {sku} for {order.key} left the house, not {wanted:f}")
    for document in shelf.of(ORDERS, order.key):
        for line in document["lines"]:
            if Decimal(line["shipped"]) != Decimal(line["quantity"]):
                finding.problems.append(
                    f"open: {line['sku']} of sales order {document['number']} for {order.key} is shipped "
                    f"{line['shipped']} of {line['quantity']}"
                )


def _one_each(
    place: tuple[str, str],
    order: Expected,
    shipments: Sequence[Document],
    documents: Sequence[Document],
    finding: Finding,
) -> None:
    """For each of the ERP's shipments exactly one document with its number and its goods, and none beside."""
    for shipment in shipments:
        found = [document for document in documents if document["key"] == shipment["number"]]
        what = f"{WHERE[place]} over shipment {shipment['number']} for {order.key}"
        if not found:
            finding.missing += 1
            finding.problems.append(f"missing: {what}")
        if len(found) > 1:
            finding.duplicates += len(found) - 1
            names = ", ".join(str(document["number"]) for document in found)
            finding.problems.append(f"duplicate: {what} exists {len(found)} times: {names}")
        for document in found:
            if _quantities(document) != _quantities(shipment):
                finding.problems.append(
                    f"wrong quantity: {what} ({document['number']}) holds {_goods(document)}, not {_goods(shipment)}"
                )
    numbers = {shipment["number"] for shipment in shipments}
    for document in documents:
        if document["key"] not in numbers:
            finding.problems.append(
                f"stranger: {WHERE[place]} {document['number']} for {order.key} is over no shipment in FinancialForce"
            )


def _invoiced(order: Expected, shipments: Sequence[Document], invoices: Sequence[Document], finding: Finding) -> None:
    """What is bought on account is invoiced in the shop shipment by shipment, and all of it in the end."""
    _one_each(SHOP_INVOICES, order, shipments, invoices, finding)
    total = sum(int(invoice["total_minor"]) for invoice in invoices)
    currencies = {str(invoice["currency"]) for invoice in invoices}
    if invoices and (total, currencies) != (order.total, {order.currency}):
        finding.problems.append(
            f"wrong amount: {WHERE[SHOP_INVOICES]} for {order.key} sum up to {total} {', '.join(sorted(currencies))}, "
            f"expected {order.total} {order.currency} (minor units)"
        )


def _open(shelf: Shelf, place: tuple[str, str], order: Expected) -> list[Document]:
    return [document for document in shelf.of(place, order.key) if not closed(document)]


def _quantities(document: Document) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in document["lines"]:
        found[line["sku"]] = found.get(line["sku"], Decimal(0)) + Decimal(line["quantity"])
    return found


def _goods(document: Document) -> str:
    return ", ".join(f"{quantity:f} of {sku}" for sku, quantity in sorted(_quantities(document).items())) or "nothing"


def _said(numbers: Sequence[str]) -> str:
    return ", ".join(numbers) or "none"


def _same(what: str, shown: Sequence[str], wanted: Sequence[str], finding: Finding) -> None:
    if sorted(shown) != sorted(wanted):
        finding.problems.append(f"shown wrong: {what} {_said(sorted(shown))}, the books have {_said(sorted(wanted))}")
