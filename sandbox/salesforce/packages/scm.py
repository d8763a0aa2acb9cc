"""Certinia Order and Inventory Management (`SCMC__`) with the merchant's own fields: orders, stock, fulfillment.

Act `configure-fulfillment` switches what the org does by itself while the clock is automatic: `auto` (allocate, pick,
pack and ship approved orders, one step every `step_minutes` of the scaled clock).
"""

from datetime import datetime, timedelta
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import (
    scm_billing,
    scm_books,
    scm_flow,
    scm_fulfillment,
    scm_objects,
    scm_orders,
    scm_people,
    scm_received,
    scm_seed,
    scm_shipping_objects,
    scm_tracking,
    scm_transfers,
)
from sandbox.salesforce.packages.accounting_amounts import INVOICE
from sandbox.salesforce.packages.fields import lookup
from sandbox.salesforce.packages.scm_amounts import ORDER, POSITION
from sandbox.salesforce.packages.scm_shipping_objects import BACKORDER, DETAIL, INVOICING, INVOICING_LINE, SHIPPING
from sandbox.salesforce.packages.settings import Settings
from sandbox.salesforce.schema import Doc

SETTINGS = Settings("fulfillment", {"auto": False, "step_minutes": 5.0})

ACTS = {
    "approve": scm_fulfillment.approve,
    "allocate": scm_fulfillment.allocate,
    "pick": scm_fulfillment.pick,
    "pack": scm_fulfillment.pack,
    "ship": scm_fulfillment.ship,
    "track": scm_tracking.track,
    "promise": scm_tracking.promise,
    "deliver": scm_fulfillment.deliver,
    "cancel-order": scm_fulfillment.cancel,
    "bill-order": scm_billing.bill,
    "change-item": scm_people.change_item,
    "change-stock": scm_people.change_stock,
    "change-price": scm_people.change_price,
    "change-credit": scm_people.change_credit,
    "create-customer": scm_people.create_customer,
    "transfer": scm_transfers.transfer,
    "receive-transfer": scm_transfers.receive_transfer,
    "convert-received-orders": scm_received.convert,
    "configure-fulfillment": SETTINGS.change,
}

# Rows that only package logic writes: stock changes by receiving and issuing, shipments come from pick lists.
PACKAGE_ONLY = (POSITION, DETAIL, BACKORDER)


def install(org: Org) -> None:
    for obj in scm_objects.OBJECTS + scm_shipping_objects.OBJECTS:
        org.define(obj)
    for name, fields in scm_objects.ORG_FIELDS.items():
        org.extend(name, *fields)
    org.extend("Account", *scm_objects.ACCOUNT_FIELDS)
    org.extend(INVOICE.document, lookup("SCMFFA__SCM_Invoice__c", INVOICING))
    org.extend(INVOICE.line, lookup("SCMFFA__SCM_Invoice_Line__c", INVOICING_LINE))
    scm_orders.install(org)
    for name in PACKAGE_ONLY:
        org.before_save(name, _package_only, guard=True)
        org.before_delete(name, lambda org, old: _package_only(org, old, old), guard=True)
    org.before_save(SHIPPING, _guard_shipping, guard=True)
    for do, act in ACTS.items():
        org.on_act(do, act)
    org.on_tick(scm_received.tick)
    org.on_tick(_work)
    scm_flow.install(org)
    org.on_seed(scm_seed.seed)
    org.on_books(scm_books.books)


def _package_only(org: Org, new: Doc, old: Doc | None) -> None:
    raise SalesforceError(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "This record is written by inventory and fulfillment processes only.",
    )


def _guard_shipping(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None or old["SCMC__Status__c"] != new["SCMC__Status__c"]:
        raise scm_orders.refuse("Shipments are made and shipped by the fulfillment process only.", "SCMC__Status__c")


# --- the automatic clock -------------------------------------------------------------------------------------------


def _work(org: Org) -> None:
    """One step for each approved order whose last step is long enough ago."""
    if not SETTINGS.get(org, "auto"):
        return
    pause = timedelta(seconds=org.world.scaled(timedelta(minutes=SETTINGS.get(org, "step_minutes"))))
    steps = org.store.table("salesforce.scm.steps")
    for order in org.find(ORDER, "SCMC__Status__c", "Approved"):
        if order["SCMC__Shipment_Status__c"] == "Fulfilled":
            continue
        last = steps.get(order["Id"]) or {"at": org.now().isoformat(), "done": ""}
        if last["done"] and org.now() - datetime.fromisoformat(last["at"]) < pause:
            continue
        done = _step(org, order, last["done"])
        steps.put(order["Id"], {"at": org.now().isoformat(), "done": done})


def _step(org: Org, order: Doc, last: str) -> str:
    """The next step after `last`; one that cannot be done now (nothing in stock) starts over with allocation."""
    following: dict[str, tuple[str, Any]] = {
        "": ("allocate", scm_fulfillment.allocate),
        "allocate": ("pick", scm_fulfillment.pick),
        "pick": ("pack", scm_fulfillment.pack),
        "pack": ("ship", scm_fulfillment.ship),
    }
    name, act = following.get(last, following[""])
    try:
        with org.savepoint():
            act(org, {"order": order["Id"]})
    except ActError:
        return "waiting"
    return name
