"""Goods from one warehouse to another: out of the source, on their way, and in at the destination.

`transfer` does both at once; with `arrive: false` the goods are on their way until `receive-transfer`.
"""

from decimal import Decimal

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_fulfillment, scm_stock
from sandbox.salesforce.packages.amounts import ZERO, dec, plain, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, sellable
from sandbox.salesforce.packages.scm_people import named, receive
from sandbox.salesforce.packages.scm_shipping_objects import TRANSFER, TRANSFER_LINE
from sandbox.salesforce.schema import Doc

ON_THE_WAY = "In Transit"  # [inferred]: the contract knows New only


def transfer(org: Org, arguments: Doc) -> Doc:
    """`transfer {"request": TR number, key or id, "arrive"?: true}`: all that the lines ask for, or nothing."""
    request = _request(org, arguments, "New")
    rows = _lines(org, request)
    for line in rows:
        _take_out(org, request, line)
    sent = {"SCMC__Status__c": ON_THE_WAY, "SCMC__Shipment_Status__c": "Shipped"}
    org.update(TRANSFER, request["Id"], sent, system=True)
    if arguments.get("arrive", True):
        return receive_transfer(org, {"request": request["Id"]})
    return {"request": request["Name"], "lines": len(rows)}


def receive_transfer(org: Org, arguments: Doc) -> Doc:
    """`receive-transfer {"request"}`: what is on its way arrives, and fills what waited for it."""
    request = _request(org, arguments, ON_THE_WAY)
    rows = _lines(org, request)
    for line in rows:
        _put_in(org, request, line)
    done = {"SCMC__Status__c": "Complete", "SCMC__Shipment_Status__c": "Fulfilled"}
    org.update(TRANSFER, request["Id"], done, system=True)
    scm_fulfillment.fill_backorders(org)
    return {"request": request["Name"], "lines": len(rows)}


def _request(org: Org, arguments: Doc, status: str) -> Doc:
    value = arguments.get("request")
    found = org.find(TRANSFER, "Transfer_Key__c", str(value)) if value else []
    request = found[0] if found else named(org, TRANSFER, "request", value)
    if request["SCMC__Status__c"] != status:
        raise ActError(f"request: {request['Name']} is {request['SCMC__Status__c']}")
    return request


def _lines(org: Org, request: Doc) -> list[Doc]:
    return org.find(TRANSFER_LINE, "SCMC__Transfer_Request__c", request["Id"])


def _take_out(org: Org, request: Doc, line: Doc) -> None:
    found = scm_stock.positions(org, line["SCMC__Item_Master__c"], request["SCMC__Source_Warehouse__c"])
    left = dec(line, "SCMC__Quantity__c")
    there = sum((sellable(row) for row in found), ZERO)
    if there < left:
        sku = stored(org, ITEM, line["SCMC__Item_Master__c"])["Name"]
        raise ActError(f"request: {request['Name']} asks for {plain(left)} of {sku}, {plain(there)} are there")
    for row in found:
        part: Decimal = min(left, sellable(row))
        scm_stock.change_position(org, row["Id"], quantity=-part)
        left -= part


def _put_in(org: Org, request: Doc, line: Doc) -> None:
    item, warehouse = line["SCMC__Item_Master__c"], request["SCMC__Destination_Warehouse__c"]
    target = scm_stock.positions(org, item, warehouse)
    quantity = dec(line, "SCMC__Quantity__c")
    if target:
        scm_stock.change_position(org, target[0]["Id"], quantity=quantity)
    else:
        receive(org, item, warehouse, quantity)
    done = {"SCMC__Quantity_Transferred__c": quantity, "SCMC__Status__c": "Complete"}
    org.update(TRANSFER_LINE, line["Id"], done, system=True)
