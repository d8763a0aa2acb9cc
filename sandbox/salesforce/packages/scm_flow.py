"""The merchant's own flow: it tells Holdfast of goods, once for each order and transaction (docs/salesforce-org.md).

Record-triggered on sales orders, their lines, shipments, boxes and transfer requests, whoever changes them. It is off
until the topic `goods` has an address.
"""

from functools import partial

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.scm_amounts import LINE, ORDER
from sandbox.salesforce.packages.scm_shipping_objects import BOX, SHIPPING, TRANSFER
from sandbox.salesforce.schema import Doc

TOPIC = "goods"
KEY = "Magento_Order_Id__c"
# What leads from a record to its order's key: look-ups, and the field at last.
PATHS = {
    ORDER: (),
    LINE: (("SCMC__Sales_Order__c", ORDER),),
    SHIPPING: (("SCMC__Sales_Order__c", ORDER),),
    BOX: (("SCMC__Shipping__c", SHIPPING), ("SCMC__Sales_Order__c", ORDER)),
    TRANSFER: (),
}


def install(org: Org) -> None:
    for name in PATHS:
        org.after_save(name, partial(_saved, name))
        org.after_delete(name, partial(_deleted, name))


def _saved(name: str, org: Org, new: Doc, old: Doc | None) -> None:
    _tell(org, name, new, "created" if old is None else "updated")


def _deleted(name: str, org: Org, old: Doc) -> None:
    _tell(org, name, old, "deleted")


def _tell(org: Org, name: str, row: Doc, event: str) -> None:
    key = _order_key(org, name, row)
    if key:
        told = {"object": name, "recordId": row["Id"], "orderKey": key, "event": event}
        org.notify(told, topic=TOPIC, once=key)


def _order_key(org: Org, name: str, row: Doc) -> str | None:
    found: Doc | None = row
    for field, parent in PATHS[name]:
        found = org.get(parent, found[field]) if found and found.get(field) else None
    return found.get(KEY) if found else None
