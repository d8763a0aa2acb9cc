"""Web-order staging: a background step turns a received order into a sales order, or writes down why it cannot."""

from datetime import timedelta

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_stock
from sandbox.salesforce.packages.amounts import dec
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER
from sandbox.salesforce.packages.scm_objects import CURRENCY_MASTER, RECEIVED, RECEIVED_LINE
from sandbox.salesforce.schema import Doc
from sandbox.salesforce.values import moment

# The background step leaves rows alone that are still being written: the header comes before its lines.
QUIET = timedelta(seconds=5)


class Unusable(Exception):
    """The staged order cannot become a sales order; the message goes into its error text."""


def convert(org: Org, arguments: Doc) -> Doc:
    """Act `convert-received-orders {"order"?: order id of the shop}`: convert what waits, errors included."""
    rows = [row for status in ("New", "Error") for row in org.find(RECEIVED, "SCMC__Status__c", status)]
    if "order" in arguments:
        rows = [row for row in rows if row["SCMC__Order_Id__c"] == arguments["order"]]
        if not rows:
            raise ActError(f"order: no received order {arguments['order']!r} is waiting")
    results = [_convert(org, row) for row in rows]
    return {"converted": sum(results), "failed": len(results) - sum(results)}


def tick(org: Org) -> None:
    """The same for rows that have been quiet for a moment; those with an error wait for a person."""
    for row in org.find(RECEIVED, "SCMC__Status__c", "New"):
        lines = org.find(RECEIVED_LINE, "SCMC__Received_Order__c", row["Id"])
        latest = max(moment(item["SystemModstamp"]) for item in (row, *lines))
        if lines and org.now() - latest >= QUIET:
            _convert(org, row)


def _convert(org: Org, row: Doc) -> bool:
    try:
        with org.savepoint():
            order = _order(org, row)
    except (Unusable, SalesforceError) as err:
        text = err.message if isinstance(err, SalesforceError) else str(err)
        org.update(RECEIVED, row["Id"], {"SCMC__Status__c": "Error", "SCMC__Error_Text__c": text}, system=True)
        scm_stock.log_error(org, "Received order", row["Id"], text)
        return False
    done = {"SCMC__Status__c": "Processed", "SCMC__Error_Text__c": None, "SCMC__Sales_Order__c": order}
    org.update(RECEIVED, row["Id"], done, system=True)
    return True


def _order(org: Org, row: Doc) -> str:
    lines = org.find(RECEIVED_LINE, "SCMC__Received_Order__c", row["Id"])
    if not lines:
        raise Unusable("The received order has no lines.")
    currency = org.find(CURRENCY_MASTER, "Name", row["SCMC__Currency__c"] or "")
    if not currency:
        raise Unusable(f"There is no currency {row['SCMC__Currency__c']}.")
    placed = row["SCMC__Order_Date__c"]
    order = org.create(
        ORDER,
        {
            "SCMC__Customer_Account__c": _account(org, row),
            "SCMC__Existing_SO_Number__c": row["SCMC__Order_Id__c"],
            "SCMC__Sales_Order_Date__c": placed[:10] if placed else None,
            "SCMC__Currency__c": currency[0]["Id"],
            "SCMC__Discount__c": row["SCMC__Discount__c"],
            "SCMC__Freight__c": None if row["SCMC__Freight__c"] is None else str(row["SCMC__Freight__c"]),
            "SCMC__Total_Tax__c": row["SCMC__Total_Tax__c"],
            "SCMC__Sales_Channel__c": "Web",
            "SCMC__Sales_Representative_Notes__c": row["SCMC__Order_Comments__c"],
        },
    )
    for line in lines:
        sku = line["SCMC__Product_Name__c"] or ""
        found = org.find(ITEM, "Name", sku)
        if not found:
            raise Unusable(f"There is no item {sku}.")
        org.create(
            LINE,
            {
                "SCMC__Sales_Order__c": order,
                "SCMC__Item_Master__c": found[0]["Id"],
                "SCMC__Quantity__c": line["SCMC__Product_Quantity__c"],
                "SCMC__Price__c": dec(line, "SCMC__Product_Unit_Price__c"),
                "SCMC__Customer_Requested_Date__c": row["SCMC__Required_Date__c"],
            },
        )
    return order


def _account(org: Org, row: Doc) -> str:
    """By customer number (the site id), else by the exact account name."""
    number, name = row["SCMC__Customer_Number__c"], row["SCMC__Account_Name__c"]
    found = org.find("Account", "SCMC__Customer_Site_Id__c", number) if number else []
    if not found and not number and name:
        found = org.find("Account", "Name", name)
    if len(found) != 1:
        raise Unusable(f"There {'are several accounts' if found else 'is no account'} for {number or name}.")
    return str(found[0]["Id"])
