"""The warehouse: allocate, pick, pack, ship. Steps of people (acts), or of the automatic clock when it is told to.

A shipment needs what comes before it, so `ship` allocates and picks by itself what was not picked yet.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_stock
from sandbox.salesforce.packages.amounts import ZERO, dec, plain, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, POSITION, active
from sandbox.salesforce.packages.scm_shipping_objects import BACKORDER, BOX, DETAIL, PICKLIST, QUEUED, SHIPPING
from sandbox.salesforce.schema import Doc

WORKABLE = ("Approved", "Open")
Part = tuple[Doc, Doc, Decimal]  # order line, allocation, quantity


def find_order(org: Org, arguments: Doc) -> Doc:
    """The order that `order` names by shop key, number or id; raises ActError."""
    name = str(arguments.get("order") or "")
    for field in ("Magento_Order_Id__c", "Name", "SCMC__Existing_SO_Number__c"):
        found = org.find(ORDER, field, name) if name else []
        if found:
            return found[0]
    row = org.get(ORDER, name)
    if row is None:
        raise ActError(f"order: there is no sales order {name!r}; give its shop key, number or id")
    return row


def order_lines(org: Org, order: Doc) -> list[Doc]:
    return [line for line in org.find(LINE, "SCMC__Sales_Order__c", order["Id"]) if active(line)]


def tangible(org: Org, line: Doc) -> bool:
    return not stored(org, ITEM, line["SCMC__Item_Master__c"]).get("SCMC__Intangible__c")


def sku(org: Org, item_id: Any) -> str:
    return str(stored(org, ITEM, item_id).get("Name", ""))


def approve(org: Org, arguments: Doc) -> Doc:
    return _move(org, find_order(org, arguments), "Approved")


def cancel(org: Org, arguments: Doc) -> Doc:
    return _move(org, find_order(org, arguments), "Cancelled")


def _move(org: Org, order: Doc, status: str) -> Doc:
    """The same door that the API uses, so that people meet the same refusals."""
    try:
        org.update(ORDER, order["Id"], {"SCMC__Status__c": status})
    except SalesforceError as err:
        raise ActError(f"order: {err.message}") from err
    return {"order": order["Name"], "status": status}


def _workable(order: Doc) -> None:
    if order["SCMC__Status__c"] not in WORKABLE:
        raise ActError(f"order: {order['Name']} is {order['SCMC__Status__c']}, not {' or '.join(WORKABLE)}")


def allocate(org: Org, arguments: Doc) -> Doc:
    order = find_order(org, arguments)
    _workable(order)
    taken = short = ZERO
    goods = [line for line in order_lines(org, order) if tangible(org, line)]
    for line in goods:
        new, missing = scm_stock.allocate_line(org, line, order["SCMC__Warehouse__c"])
        taken, short = taken + new, short + missing
    if not goods:
        settle(org, order["Id"])
    return {"order": order["Name"], "allocated": plain(taken), "short": plain(short)}


def fill_backorders(org: Org) -> None:
    """Give new stock to the lines that wait: by fill order, then by age."""
    waiting = sorted(org.all(BACKORDER), key=lambda row: (dec(row, "SCMC__Fill_Order__c"), row["Name"]))
    for row in waiting:
        line = org.get(LINE, row["SCMC__Sales_Order_Line_Item__c"])
        if line is not None:
            order = stored(org, ORDER, line["SCMC__Sales_Order__c"])
            scm_stock.allocate_line(org, line, order.get("SCMC__Warehouse__c"))


# --- pick and pack -------------------------------------------------------------------------------------------------


def _wanted(arguments: Doc) -> dict[str, Decimal] | None:
    """`lines`: [{"sku", "quantity"}] of a partial shipment; None for all that is allocated."""
    if "lines" not in arguments:
        return None
    wanted: dict[str, Decimal] = {}
    try:
        for line in arguments["lines"]:
            wanted[line["sku"]] = wanted.get(line["sku"], ZERO) + Decimal(str(line["quantity"]))
    except (KeyError, TypeError, InvalidOperation) as err:
        raise ActError('lines: give a list like [{"sku": "HF-1001", "quantity": 1}]') from err
    if not wanted or any(quantity <= 0 for quantity in wanted.values()):
        raise ActError("lines: every quantity must be greater than zero")
    return wanted


def pick(org: Org, arguments: Doc) -> Doc:
    """Pick lists from allocated stock, one for each warehouse, completed at once: queued shipments stand ready."""
    order = find_order(org, arguments)
    _workable(order)
    wanted = _wanted(arguments)
    left = None if wanted is None else dict(wanted)
    parts: list[Part] = []
    for line in order_lines(org, order):
        for held in scm_stock.allocations(org, line["Id"]):
            free = Decimal(held["quantity"]) - Decimal(held["picked"])
            name = sku(org, line["SCMC__Item_Master__c"])
            part = free if left is None else min(free, left.get(name, ZERO))
            if part > 0:
                parts.append((line, held, part))
                if left is not None:
                    left[name] -= part
    missing = {name: quantity for name, quantity in (left or {}).items() if quantity > 0}
    if missing:
        text = ", ".join(f"{plain(quantity)} of {name}" for name, quantity in missing.items())
        raise ActError(f"lines: not allocated or already picked: {text}")
    if order["SCMC__Partial_Shipments__c"] == "No":
        _whole(org, order, sum((part for _, _, part in parts), ZERO))
    if not parts:
        raise ActError(f"order: nothing of {order['Name']} is allocated and unpicked")
    shippings = [_shipping(org, order, found) for found in _by_warehouse(org, parts)]
    return {
        "order": order["Name"],
        "picklist": shippings[0]["SCMC__Picklist__c"],
        "shipping": shippings[0]["Name"],
        "shippings": [row["Name"] for row in shippings],
    }


def _by_warehouse(org: Org, parts: list[Part]) -> list[list[Part]]:
    """One pick list serves one warehouse, and so does a shipment."""
    found: dict[Any, list[Part]] = {}
    for part in parts:
        position = stored(org, POSITION, part[1]["position"])
        found.setdefault(position.get("SCMC__Item_Warehouse__c"), []).append(part)
    return list(found.values())


def _shipping(org: Org, order: Doc, parts: list[Part]) -> Doc:
    picklist = org.create(PICKLIST, {"SCMC__Sales_Order__c": order["Id"], "SCMC__Status__c": "In process"}, system=True)
    for line, held, part in parts:
        _pick_part(org, picklist, line, held, part)
    shipping = org.create(
        SHIPPING,
        {
            "SCMC__Sales_Order__c": order["Id"],
            "SCMC__Picklist__c": picklist,
            "SCMC__Status__c": QUEUED,
            "CurrencyIsoCode": order["CurrencyIsoCode"],
        },
        system=True,
    )
    org.update(PICKLIST, picklist, {"SCMC__Status__c": "Complete", "SCMC__Shipper__c": shipping}, system=True)
    return stored(org, SHIPPING, shipping)


def _whole(org: Org, order: Doc, found: Decimal) -> None:
    goods = [line for line in order_lines(org, order) if tangible(org, line)]
    if found < sum((dec(line, "SCMC__Quantity__c") for line in goods), ZERO):
        raise ActError(f"order: {order['Name']} does not allow partial shipments, and not all of it is there")


def _pick_part(org: Org, picklist: str, line: Doc, held: Doc, part: Decimal) -> None:
    position = org.get(POSITION, held["position"]) or {}
    org.create(
        DETAIL,
        {
            "SCMC__Picklist__c": picklist,
            "SCMC__Item__c": line["SCMC__Item_Master__c"],
            "SCMC__Quantity__c": part,
            "SCMC__Inventory_Detail__c": held["position"],
            "SCMC__Sales_Order_Line_Item__c": line["Id"],
            "SCMC__Status__c": "Picked",
            "SCMC__Warehouse__c": position.get("SCMC__Warehouse__c"),
        },
        system=True,
    )
    scm_stock.keep(org, held | {"picked": str(Decimal(held["picked"]) + part)})


def queued(org: Org, order_id: str) -> list[Doc]:
    found = org.find(SHIPPING, "SCMC__Sales_Order__c", order_id)
    return [row for row in found if row["SCMC__Status__c"] == QUEUED]


def pack(org: Org, arguments: Doc) -> Doc:
    """Boxes for the queued shipments: `boxes` of them (1), `weight` kilograms each; `tracking`: a number for each."""
    order = find_order(org, arguments)
    waiting = queued(org, order["Id"])
    if not waiting:
        raise ActError(f"order: nothing of {order['Name']} is picked; pick it first")
    try:
        numbers = [str(number) for number in arguments.get("tracking", [])]
        count = int(arguments.get("boxes", len(numbers) or 1))
        weight = Decimal(str(arguments.get("weight", "1")))
    except (ValueError, TypeError, InvalidOperation) as err:
        raise ActError("boxes, weight: give numbers") from err
    if count < 1 or weight < 0:
        raise ActError("boxes, weight: give at least one box and no negative weight")
    if numbers and len(numbers) != count:
        raise ActError(f"tracking: give one number for each of the {count} boxes")
    for shipping in waiting:
        if shipping["SCMC__Number_of_Boxes__c"]:
            continue
        for n in range(count):
            box = {"SCMC__Shipping__c": shipping["Id"], "SCMC__Weight__c": weight}
            box["SCMC__Box_Tracking_Number__c"] = numbers[n] if numbers else None
            org.create(BOX, box, system=True)
        packed = {"SCMC__Number_of_Boxes__c": count, "SCMC__Weight__c": weight * count}
        org.update(SHIPPING, shipping["Id"], packed, system=True)
        for detail in details(org, shipping):
            _add(org, detail["SCMC__Sales_Order_Line_Item__c"], "SCMC__Quantity_Packed__c", detail["SCMC__Quantity__c"])
    return {"order": order["Name"], "shippings": [row["Name"] for row in waiting], "boxes": count}


def details(org: Org, shipping: Doc) -> list[Doc]:
    picklist = shipping.get("SCMC__Picklist__c")
    return org.find(DETAIL, "SCMC__Picklist__c", picklist) if picklist else []


def _add(org: Org, line_id: str, field: str, quantity: Decimal) -> None:
    line = stored(org, LINE, line_id)
    org.update(LINE, line_id, {field: dec(line, field) + quantity}, system=True)


# --- ship ----------------------------------------------------------------------------------------------------------


def ship(org: Org, arguments: Doc) -> Doc:
    """`ship {"order", "carrier"?, "service"?, "tracking"?, "lines"?}`: goods leave the house.

    `tracking` null: the carrier's number comes later (act `track`); left out: one is made up.
    """
    order = find_order(org, arguments)
    _workable(order)
    waiting = queued(org, order["Id"])
    if waiting and "lines" in arguments:
        raise ActError(f"lines: {waiting[0]['Name']} is already picked; ship it, or leave lines out")
    if not waiting:
        named = {"order": order["Id"]}
        allocate(org, named)
        if not any(tangible(org, line) for line in order_lines(org, order)):
            return {"order": order["Name"], "shippings": []}
        pick(org, named | ({"lines": arguments["lines"]} if "lines" in arguments else {}))
        waiting = queued(org, order["Id"])
    for shipping in waiting:
        if "tracking" in arguments:
            number = str(arguments["tracking"] or "") or None
        else:
            number = f"TRACK{org.store.number('salesforce.scm.tracking', 1_000_001)}"
        _ship(org, shipping, arguments.get("carrier", "DHL"), arguments.get("service", "Standard"), number)
    settle(org, order["Id"])
    shipped = [stored(org, SHIPPING, row["Id"]) for row in waiting]
    return {
        "order": order["Name"],
        "shippings": [row["Name"] for row in shipped],
        "tracking": [row.get("SCMC__Carrier_Tracking_Number__c") for row in shipped],
    }


def _ship(org: Org, shipping: Doc, carrier: str, service: str, tracking: str | None) -> None:
    for detail in details(org, shipping):
        quantity, line_id = detail["SCMC__Quantity__c"], detail["SCMC__Sales_Order_Line_Item__c"]
        scm_stock.issue(org, line_id, detail["SCMC__Inventory_Detail__c"], quantity)
        line = stored(org, LINE, line_id)
        shipped = dec(line, "SCMC__Quantity_Shipped__c") + quantity
        new: Doc = {
            "SCMC__Quantity_Allocated__c": dec(line, "SCMC__Quantity_Allocated__c") - quantity,
            "SCMC__Quantity_Packed__c": max(ZERO, dec(line, "SCMC__Quantity_Packed__c") - quantity),
            "SCMC__Quantity_Shipped__c": shipped,
            "SCMC__Status__c": "Shipped" if shipped >= dec(line, "SCMC__Quantity__c") else "Partially Shipped",
        }
        org.update(LINE, line_id, new, system=True)
        org.update(DETAIL, detail["Id"], {"SCMC__Status__c": "Shipped"}, system=True)
    done = {
        "SCMC__Status__c": "Shipped",
        "SCMC__Carrier__c": carrier,
        "SCMC__Carrier_Service__c": service,
        "SCMC__Carrier_Tracking_Number__c": tracking,
        "SCMC__Shipment_Date__c": org.today(),
        "SCMC__Shipment_Date_Time__c": org.now().isoformat(),
    }
    org.update(SHIPPING, shipping["Id"], done, system=True)


def settle(org: Org, order_id: str) -> None:
    """Bring the header in line with its lines. Charges and services are done when the last goods have left."""
    order = org.get(ORDER, order_id)
    if order is None:
        return
    found = order_lines(org, order)
    goods = [line for line in found if tangible(org, line)]
    if all(line["SCMC__Status__c"] in ("Shipped", "Completed") for line in goods):
        for line in found:
            if not tangible(org, line) and line["SCMC__Status__c"] == "New":
                done = {"SCMC__Quantity_Shipped__c": line["SCMC__Quantity__c"], "SCMC__Status__c": "Shipped"}
                org.update(LINE, line["Id"], done, system=True)
        new: Doc = {"SCMC__Shipment_Status__c": "Fulfilled", "SCMC__Fulfillment_Date__c": org.now().isoformat()}
    elif any(dec(line, "SCMC__Quantity_Shipped__c") > 0 for line in goods):
        new = {"SCMC__Shipment_Status__c": "Partially Shipped"}
    else:
        return
    if (
        order["SCMC__Shipment_Status__c"] != "Fulfilled"
    ):  # a further part moves the order's stamp too: its roll-ups change
        org.update(ORDER, order_id, new, system=True)


def deliver(org: Org, arguments: Doc) -> Doc:
    """The carrier's news stays with the carrier: the package has no state for it, so nothing changes."""
    order = find_order(org, arguments)
    if not any(row["SCMC__Status__c"] == "Shipped" for row in org.find(SHIPPING, "SCMC__Sales_Order__c", order["Id"])):
        raise ActError(f"order: nothing of {order['Name']} has been shipped")
    return {"order": order["Name"], "shipment_status": order["SCMC__Shipment_Status__c"]}
