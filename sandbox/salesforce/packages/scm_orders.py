"""Sales orders: what may be written when, how they are approved and cancelled.

Moves that the API or a person may make; everything else is made by the package (fulfillment, billing):
    New -> Approved    with at least one line
    New, Approved, Open -> Cancelled    while nothing is shipped; the lines follow, stock is released
"""

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_fulfillment, scm_stock
from sandbox.salesforce.packages.amounts import ZERO, dec, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, active, lines
from sandbox.salesforce.packages.scm_objects import CURRENCY_MASTER
from sandbox.salesforce.packages.scm_shipping_objects import PICKLIST, QUEUED, SHIPPING
from sandbox.salesforce.schema import Doc

MOVES = {
    "New": ("Approved", "Cancelled"),
    "Approved": ("Cancelled",),
    "Open": ("Cancelled",),
    "Closed": (),
    "Cancelled": (),
}
FINAL = ("Closed", "Cancelled")
# What an approved order no longer lets the API change without a revision.
SETTLED = ("SCMC__Customer_Account__c", "SCMC__Currency__c", "CurrencyIsoCode", "SCMC__Total_Tax__c")
LINE_SETTLED = ("SCMC__Item_Master__c", "SCMC__Quantity__c", "SCMC__Price__c")


def refuse(message: str, *fields: str) -> SalesforceError:
    return SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, fields)


def install(org: Org) -> None:
    org.before_save(ORDER, _derive)
    org.before_save(ORDER, _guard, guard=True)
    org.after_save(ORDER, _follow)
    org.before_delete(ORDER, _guard_delete, guard=True)
    org.before_save(LINE, _guard_line, guard=True)
    org.before_save(LINE, _derive_line)
    org.after_save(LINE, _follow_line)
    org.before_delete(LINE, _guard_line_delete, guard=True)


# --- header --------------------------------------------------------------------------------------------------------


def _derive(org: Org, new: Doc, old: Doc | None) -> None:
    """One currency: the look-up decides, else the row's ISO code chooses the look-up. The approval date is stamped."""
    master = stored(org, CURRENCY_MASTER, new.get("SCMC__Currency__c"))
    if master:
        new["CurrencyIsoCode"] = master["Name"]
    elif new.get("SCMC__Currency__c") is None:
        found = org.find(CURRENCY_MASTER, "Name", new["CurrencyIsoCode"])
        new["SCMC__Currency__c"] = found[0]["Id"] if found else None
    if new["SCMC__Status__c"] == "Approved" and new.get("SCMC__Approval_Date__c") is None:
        new["SCMC__Approval_Date__c"] = org.today()


def _guard(org: Org, new: Doc, old: Doc | None) -> None:
    before = old["SCMC__Status__c"] if old else None
    after = new["SCMC__Status__c"]
    if old is None:
        if after != "New":
            raise refuse("A new sales order must have the status New.", "SCMC__Status__c")
        check_customer(org, new.get("SCMC__Customer_Account__c"))
        return
    touched = {name for name, value in new.items() if old.get(name) != value and name != "SCMC__Approval_Date__c"}
    if before in FINAL and any(name.startswith("SCMC__") or name == "CurrencyIsoCode" for name in touched):
        raise refuse(f"A sales order that is {before} cannot be changed.", *sorted(touched))
    if before != "New" and touched.intersection(SETTLED):
        fields = sorted(touched.intersection(SETTLED))
        raise refuse(f"A sales order that is {before} must be revised before this change.", *fields)
    if "SCMC__Customer_Account__c" in touched:
        check_customer(org, new["SCMC__Customer_Account__c"])
    if after == before:
        return
    if after not in MOVES[str(before)]:
        raise refuse(f"A sales order cannot go from {before} to {after}.", "SCMC__Status__c")
    check_move(org, new, str(after))


def check_move(org: Org, order: Doc, after: str) -> None:
    """Raise the package's refusal when the order cannot be approved or cancelled now."""
    found = lines(org, order)
    if after == "Approved":
        if not any(active(line) for line in found):
            raise refuse("A sales order without lines cannot be approved.", "SCMC__Status__c")
        check_customer(org, order.get("SCMC__Customer_Account__c"))
    if after == "Cancelled" and any(dec(line, "SCMC__Quantity_Shipped__c") > 0 for line in found):
        raise refuse(
            "Quantities of this sales order have been shipped. It cannot be cancelled; return the goods instead.",
            "SCMC__Status__c",
        )


def check_customer(org: Org, account_id: str | None) -> None:
    """The guards that stand before every new sales order (contract 10.3)."""
    account = stored(org, "Account", account_id)
    if not account:
        return  # the platform's own check answers a missing or unknown reference
    name = account["Name"]
    if not account.get("SCMC__Customer__c"):
        raise refuse(f"The account {name} is not a customer.", "SCMC__Customer_Account__c")
    if not account.get("SCMC__Active__c"):
        raise refuse(f"The customer {name} is not active.", "SCMC__Customer_Account__c")
    if account.get("SCMC__Temporary_Hold__c"):
        raise refuse(
            f"The customer {name} is on temporary hold ({account['SCMC__Temporary_Hold__c']}).",
            "SCMC__Customer_Account__c",
        )


def _follow(org: Org, new: Doc, old: Doc | None) -> None:
    """The lines of a cancelled order are cancelled with it, and its open pick lists and shipments."""
    if new["SCMC__Status__c"] != "Cancelled" or (old is not None and old["SCMC__Status__c"] == "Cancelled"):
        return
    for line in lines(org, new):
        if active(line):
            org.update(LINE, line["Id"], {"SCMC__Status__c": "Cancelled"}, system=True)
    for shipping in org.find(SHIPPING, "SCMC__Sales_Order__c", new["Id"]):
        if shipping["SCMC__Status__c"] == QUEUED:
            org.update(SHIPPING, shipping["Id"], {"SCMC__Status__c": "Cancelled"}, system=True)
    for picklist in org.find(PICKLIST, "SCMC__Sales_Order__c", new["Id"]):
        if picklist["SCMC__Status__c"] != "Cancelled":
            org.update(PICKLIST, picklist["Id"], {"SCMC__Status__c": "Cancelled"}, system=True)


def _guard_delete(org: Org, old: Doc) -> None:
    if old["SCMC__Status__c"] != "New":
        raise refuse(f"A sales order that is {old['SCMC__Status__c']} cannot be deleted. Cancel it instead.")


# --- lines ---------------------------------------------------------------------------------------------------------


def _derive_line(org: Org, new: Doc, old: Doc | None) -> None:
    if new.get("SCMC__Line_Number__c") is None:
        taken = [dec(line, "SCMC__Line_Number__c") for line in lines(org, {"Id": new.get("SCMC__Sales_Order__c")})]
        new["SCMC__Line_Number__c"] = max(taken, default=ZERO) + 1


def _guard_line(org: Org, new: Doc, old: Doc | None) -> None:
    order = stored(org, ORDER, new.get("SCMC__Sales_Order__c"))
    if not order:
        return  # the platform's own check answers a missing or unknown master
    status = order["SCMC__Status__c"]
    touched = {name for name, value in new.items() if old is None or old.get(name) != value}
    if status in FINAL and any(name.startswith("SCMC__") for name in touched):
        raise refuse(f"The lines of a sales order that is {status} cannot be changed.")
    if old is None and status != "New":
        raise refuse(f"Lines cannot be added to a sales order that is {status}. Revise it first.")
    settled = touched.intersection(LINE_SETTLED)
    if old is not None and status != "New" and settled == {"SCMC__Quantity__c"}:
        settled = set() if _may_be_cut(org, new, old) else settled
    if status != "New" and settled:
        fields = sorted(settled)
        raise refuse(f"The lines of a sales order that is {status} must be revised before this change.", *fields)
    if dec(new, "SCMC__Quantity__c") <= 0:
        raise refuse("The quantity must be greater than zero.", "SCMC__Quantity__c")
    item = stored(org, ITEM, new.get("SCMC__Item_Master__c"))
    if item and not item.get("SCMC__Active_Status__c") and "SCMC__Item_Master__c" in touched:
        raise refuse(f"The item {item['Name']} is not active.", "SCMC__Item_Master__c")
    before = old["SCMC__Status__c"] if old else "New"
    after = new["SCMC__Status__c"]
    if after == before:
        return
    if after != "Cancelled":
        raise refuse(f"A line cannot be set from {before} to {after}.", "SCMC__Status__c")
    if dec(new, "SCMC__Quantity_Shipped__c") > 0 or scm_stock.picked(org, new["Id"]) > 0:
        raise refuse("Quantities of this line have been picked or shipped. It cannot be cancelled.", "SCMC__Status__c")


def _may_be_cut(org: Org, new: Doc, old: Doc) -> bool:
    """Open quantities may be taken off an approved line, down to what is picked or shipped [inferred]."""
    kept = dec(old, "SCMC__Quantity_Shipped__c") + scm_stock.picked(org, old["Id"])
    return active(old) and kept <= dec(new, "SCMC__Quantity__c") < dec(old, "SCMC__Quantity__c")


def _follow_line(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None or not active(old):
        return
    cut = dec(new, "SCMC__Quantity__c") < dec(old, "SCMC__Quantity__c")
    if not active(new):
        scm_stock.release(org, new["Id"])
    elif cut:
        scm_stock.trim(org, new)
        if new["SCMC__Status__c"] == "Partially Shipped" and new["SCMC__Quantity_Shipped__c"] >= dec(
            new, "SCMC__Quantity__c"
        ):
            org.update(LINE, new["Id"], {"SCMC__Status__c": "Shipped"}, system=True)
    if cut or not active(new):
        _settle(org, new["SCMC__Sales_Order__c"])


def _settle(org: Org, order_id: str) -> None:
    """What is left of the order may all be shipped now."""
    order = stored(org, ORDER, order_id)
    goods = [line for line in scm_fulfillment.order_lines(org, order) if scm_fulfillment.tangible(org, line)]
    if goods and order["SCMC__Status__c"] in scm_fulfillment.WORKABLE:
        scm_fulfillment.settle(org, order_id)


def _guard_line_delete(org: Org, old: Doc) -> None:
    status = stored(org, ORDER, old["SCMC__Sales_Order__c"]).get("SCMC__Status__c", "New")
    if status != "New":
        raise refuse(f"Lines of a sales order that is {status} cannot be deleted.")
