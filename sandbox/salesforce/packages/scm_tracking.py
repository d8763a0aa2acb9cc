"""What is known of a delivery only later: the carrier's numbers of a shipment and its boxes, and promised days."""

from datetime import date

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.amounts import children
from sandbox.salesforce.packages.scm_amounts import LINE
from sandbox.salesforce.packages.scm_fulfillment import find_order, order_lines, sku
from sandbox.salesforce.packages.scm_people import named
from sandbox.salesforce.packages.scm_shipping_objects import BOX, SHIPPING
from sandbox.salesforce.schema import Doc


def track(org: Org, arguments: Doc) -> Doc:
    """`track {"shipping": SH number or id, "tracking"?, "boxes"?: [number, ...], "carrier"?, "service"?}`."""
    shipping = named(org, SHIPPING, "shipping", arguments.get("shipping"))
    fields = {
        "tracking": "SCMC__Carrier_Tracking_Number__c",
        "carrier": "SCMC__Carrier__c",
        "service": "SCMC__Carrier_Service__c",
    }
    new = {field: str(arguments[name]) for name, field in fields.items() if name in arguments}
    boxes = children(org, BOX, "SCMC__Shipping__c", shipping["Id"])
    numbers = arguments.get("boxes", [])
    if not isinstance(numbers, list) or len(numbers) > len(boxes):
        raise ActError(f"boxes: give a list of at most {len(boxes)} numbers")
    if not new and not numbers:
        raise ActError("track: give at least one of tracking, boxes, carrier, service")
    if new:
        org.update(SHIPPING, shipping["Id"], new, system=True)
    for box, number in zip(boxes, numbers, strict=False):
        org.update(BOX, box["Id"], {"SCMC__Box_Tracking_Number__c": str(number)}, system=True)
    return {"shipping": shipping["Name"], "boxes": len(numbers)}


def promise(org: Org, arguments: Doc) -> Doc:
    """`promise {"order", "date", "sku"?}`: the day that the customer is promised, for one article or all."""
    order = find_order(org, arguments)
    try:
        day = date.fromisoformat(str(arguments.get("date"))).isoformat()
    except ValueError as err:
        raise ActError(f"date: {arguments.get('date')!r} is not a day like 2026-12-01") from err
    wanted = arguments.get("sku")
    rows = [row for row in order_lines(org, order) if wanted in (None, sku(org, row["SCMC__Item_Master__c"]))]
    if not rows:
        raise ActError(f"sku: {order['Name']} has no {wanted}")
    for row in rows:
        org.update(LINE, row["Id"], {"SCMC__Customer_Commitment_Date__c": day}, system=True)
    return {"order": order["Name"], "lines": len(rows)}
