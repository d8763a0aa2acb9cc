"""The ERP's part of the books: sales orders, shipments, customers, and how many products, prices and stock rows."""

from decimal import Decimal

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_amounts as amounts
from sandbox.salesforce.packages.amounts import dec, minor, plain, rounded, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, POSITION
from sandbox.salesforce.packages.scm_fulfillment import details, sku
from sandbox.salesforce.packages.scm_objects import PRICE
from sandbox.salesforce.packages.scm_shipping_objects import SHIPPING
from sandbox.salesforce.schema import Doc


def books(org: Org) -> Doc:
    return {
        "orders": [_order(org, row) for row in org.all(ORDER)],
        "shipments": [_shipment(org, row) for row in org.all(SHIPPING)],
        "customers": [_customer(row) for row in org.all("Account")],
        "products": len(org.table(ITEM)),
        "prices": len(org.table(PRICE)),
        "stock": len(org.table(POSITION)),
    }


def _key(order: Doc) -> str | None:
    return order.get("Magento_Order_Id__c") or order.get("SCMC__Existing_SO_Number__c")


def _order(org: Org, row: Doc) -> Doc:
    places = amounts.decimals(org, row)
    whole = amounts.order_total(org, row)
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": _key(row),
        "customer": stored(org, "Account", row["SCMC__Customer_Account__c"]).get("Magento_Customer_Id__c"),
        "currency": row["CurrencyIsoCode"],
        "total_minor": minor(whole, places),
        "status": row["SCMC__Status__c"],
        "lines": [
            {
                "sku": sku(org, line["SCMC__Item_Master__c"]),
                "quantity": plain(dec(line, "SCMC__Quantity__c")),
                "total_minor": minor(amounts.extended_price(org, line), places),
                "status": line["SCMC__Status__c"],
                "shipped": plain(dec(line, "SCMC__Quantity_Shipped__c")),
                "key": line.get("Magento_Line_Id__c"),
            }
            for line in amounts.lines(org, row)
        ],
        "refs": {
            "total": plain(whole),
            "purchase_order": row["SCMC__Customer_Purchase_Order__c"],
            "shipment_status": row["SCMC__Shipment_Status__c"],
            "billed_status": row["SCMC__Billed_Status__c"],
        },
    }


def _shipment(org: Org, row: Doc) -> Doc:
    order = stored(org, ORDER, row["SCMC__Sales_Order__c"])
    places = amounts.decimals(org, order)
    lines = []
    total = Decimal(0)
    for detail in details(org, row):
        price = dec(stored(org, LINE, detail["SCMC__Sales_Order_Line_Item__c"]), "SCMC__Price__c")
        value = rounded(detail["SCMC__Quantity__c"] * price, places)
        total += value
        lines.append(
            {
                "sku": sku(org, detail["SCMC__Item__c"]),
                "quantity": plain(detail["SCMC__Quantity__c"]),
                "total_minor": minor(value, places),
            }
        )
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": _key(order),
        "customer": stored(org, "Account", order.get("SCMC__Customer_Account__c")).get("Magento_Customer_Id__c"),
        "currency": row["CurrencyIsoCode"],
        "total_minor": minor(total, places),
        "status": row["SCMC__Status__c"],
        "lines": lines,
        "refs": {
            "order": order.get("Name"),
            "carrier": row["SCMC__Carrier__c"],
            "tracking": row["SCMC__Carrier_Tracking_Number__c"],
        },
    }


def _customer(row: Doc) -> Doc:
    return {
        "id": row["Id"],
        "number": row["AccountNumber"],
        "key": row["Magento_Customer_Id__c"],
        "customer": row["Name"],
        "currency": row["CurrencyIsoCode"],
        "status": row["c2g__CODACreditStatus__c"],
        "lines": [],
        "refs": {
            "active": row["SCMC__Active__c"],
            "hold": row["SCMC__Temporary_Hold__c"],
            "terms_days": None if row["c2g__CODADaysOffset1__c"] is None else int(row["c2g__CODADaysOffset1__c"]),
        },
    }
