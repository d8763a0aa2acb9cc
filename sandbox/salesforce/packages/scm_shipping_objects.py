"""Fulfillment and the package's own invoices: pick lists, shipments, boxes, backorders, transfers."""

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.amounts import ZERO, children, dec
from sandbox.salesforce.packages.fields import (
    auto_name,
    checkbox,
    choice,
    computed,
    day,
    lookup,
    master,
    money,
    number,
    text,
    time,
)
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, POSITION, WAREHOUSE
from sandbox.salesforce.schema import Doc, SObject

PICKLIST = "SCMC__Picklist__c"
DETAIL = "SCMC__Pick_list_Detail__c"
SHIPPING = "SCMC__Shipping__c"
BOX = "SCMC__Box__c"
BACKORDER = "SCMC__Backorder__c"
TRANSFER = "SCMC__Transfer_Request__c"
TRANSFER_LINE = "SCMC__Transfer_Request_Line__c"
INVOICING = "SCMC__Invoicing__c"
INVOICING_LINE = "SCMC__Invoice_Line_Item__c"

QUEUED = "Queued for shipment items issued"


def _invoice_total(org: Org, invoice: Doc) -> object:
    found = children(org, INVOICING_LINE, "SCMC__Invoicing__c", invoice.get("Id"))
    return sum((dec(line, "SCMC__Amount__c") for line in found), ZERO) + dec(invoice, "SCMC__Total_Tax__c")


OBJECTS = (
    SObject(
        PICKLIST,
        "Picklist",
        "a2J",
        (
            auto_name("PL{0:06d}"),
            lookup("SCMC__Sales_Order__c", ORDER),
            lookup("SCMC__Transfer_Request__c", TRANSFER),
            lookup("SCMC__Shipper__c", SHIPPING),
            choice("SCMC__Status__c", "New", "In process", "Complete", "Cancelled", default="New"),
        ),
    ),
    SObject(
        DETAIL,
        "Pick list Detail",
        "a2K",
        (
            auto_name("PLD{0:08d}"),
            master("SCMC__Picklist__c", PICKLIST, "SCMC__Pick_list_Details__r"),
            lookup("SCMC__Item__c", ITEM),
            number("SCMC__Quantity__c", 14, 4),
            lookup("SCMC__Inventory_Detail__c", POSITION),
            lookup("SCMC__Sales_Order_Line_Item__c", LINE),
            choice("SCMC__Status__c", "New", "Picked", "Shipped", "Cancelled", default="New", open_ended=True),
            text("SCMC__Lot_Number__c", 80),
            text("SCMC__Serial_Number__c", 80),
            text("SCMC__Warehouse__c", 80),
        ),
    ),
    SObject(
        SHIPPING,
        "Shipping",
        "a2L",
        (
            auto_name("SH{0:06d}"),
            lookup("SCMC__Sales_Order__c", ORDER, children="SCMC__Shippings__r"),
            lookup("SCMC__Picklist__c", PICKLIST),
            lookup("SCMC__Invoicing__c", INVOICING),
            choice("SCMC__Status__c", QUEUED, "Shipped", "Cancelled", default=QUEUED, open_ended=True),
            choice("SCMC__Carrier__c", "DHL", "UPS", "FedEx", "Yamato", "Aramex", "Swiss Post", open_ended=True),
            choice("SCMC__Carrier_Service__c", "Standard", "Express", open_ended=True),
            text("SCMC__Carrier_Tracking_Number__c", 100),
            money("SCMC__Carrier_Fees__c"),
            money("SCMC__Handling_Charge__c"),
            day("SCMC__Shipment_Date__c"),
            time("SCMC__Shipment_Date_Time__c"),
            number("SCMC__Number_of_Boxes__c", 5, 0),
            number("SCMC__Weight__c", 9, 2),
        ),
    ),
    SObject(
        BOX,
        "Box",
        "a2M",
        (
            auto_name("BX{0:06d}"),
            lookup("SCMC__Shipping__c", SHIPPING, children="SCMC__Boxes__r"),
            text("SCMC__Box_Tracking_Number__c", 100),
            number("SCMC__Weight__c", 9, 2),
        ),
    ),
    SObject(
        BACKORDER,
        "Backorder",
        "a2N",
        (
            auto_name("BO{0:06d}"),
            lookup("SCMC__Sales_Order_Line_Item__c", LINE),
            number("SCMC__Fill_Order__c", 6, 0, default=9999),
            number("SCMC__Quantity__c", 14, 4),
            choice("SCMC__Status__c", "Open", default="Open", open_ended=True),
        ),
    ),
    SObject(
        TRANSFER,
        "Transfer Request",
        "a2O",
        (
            auto_name("TR{0:06d}"),
            lookup("SCMC__Source_Warehouse__c", WAREHOUSE, required=True),
            lookup("SCMC__Destination_Warehouse__c", WAREHOUSE, required=True),
            lookup("SCMC__Source_Location__c", "SCMC__Inventory_Location__c"),
            lookup("SCMC__Destination_Location__c", "SCMC__Inventory_Location__c"),
            choice("SCMC__Source_Ownership__c", "Owned", open_ended=True),
            choice("SCMC__Destination_Ownership__c", "Owned", open_ended=True),
            choice("SCMC__Reason_Code__c", open_ended=True),
            choice("SCMC__Status__c", "New", "In Transit", "Complete", "Cancelled", default="New", open_ended=True),
            checkbox("SCMC__Shipment_Required__c"),
            choice("SCMC__Shipment_Status__c", "Open", "Shipped", "Fulfilled", default="Open", open_ended=True),
            day("SCMC__Requested_Delivery_Date__c"),
            text("SCMC__Tracking_Number__c", 255),
            choice("SCMC__Carrier__c", open_ended=True),
        ),
    ),
    SObject(
        TRANSFER_LINE,
        "Transfer Request Line",
        "a2P",
        (
            auto_name("TRL{0:08d}"),
            master("SCMC__Transfer_Request__c", TRANSFER, "SCMC__Transfer_Request_Lines__r"),
            lookup("SCMC__Item_Master__c", ITEM, required=True),
            lookup("SCMC__Inventory_Position__c", POSITION),
            number("SCMC__Quantity__c", 14, 4),
            number("SCMC__Quantity_Allocated__c", 14, 4, default=0, read_only=True),
            number("SCMC__Quantity_Transferred__c", 14, 4, default=0, read_only=True),
            choice("SCMC__Status__c", "New", "Complete", "Cancelled", default="New", open_ended=True),
            text("SCMC__Lot_Number__c", 80),
            text("SCMC__Serial_Number__c", 80),
        ),
    ),
    SObject(
        INVOICING,
        "Invoicing",
        "a2Q",
        (
            auto_name("INV{0:06d}"),
            lookup("SCMC__Sales_Order__c", ORDER),
            lookup("SCMC__Shipping__c", SHIPPING),
            lookup("SCMC__Customer__c", "Account"),
            lookup("SCMC__Billing_Account__c", "Account"),
            day("SCMC__Invoice_Date__c"),
            day("SCMC__Invoice_Due_Date__c"),
            choice("SCMC__Status__c", "New", "Voided", default="New", open_ended=True),
            choice("SCMC__Export_Status__c", "New", "Exported", "Error", default="New", open_ended=True),
            text("SCMC__Export_Error__c", 255),
            text("SCMC__Foreign_Invoice_Number__c", 100),
            text("SCMC__PO_Number__c", 80),
            computed("SCMC__Total_Invoice__c", "currency", _invoice_total),
            money("SCMC__Total_Tax__c"),
            money("SCMC__Total_Amount_Credited__c"),
            lookup("SCMFFA__Sales_Invoice__c", "c2g__codaInvoice__c"),
            lookup("SCMFFA__Credit_Note__c", "c2g__codaCreditNote__c"),
            lookup("SCMFFA__Accounting_Company__c", "c2g__codaCompany__c"),
            lookup("SCMFFA__Accounting_Currency__c", "c2g__codaAccountingCurrency__c"),
        ),
    ),
    SObject(
        INVOICING_LINE,
        "Invoice Line Item",
        "a2R",
        (
            auto_name("INL{0:08d}"),
            master("SCMC__Invoicing__c", INVOICING, "SCMC__Invoice_Line_Items__r"),
            lookup("SCMC__Item__c", ITEM),
            lookup("SCMC__Sales_Order_Line_Item__c", LINE),
            number("SCMC__Quantity__c", 14, 4),
            money("SCMC__Unit_Price__c", 9, 9),
            money("SCMC__Amount__c", 15, 3),
            text("SCMC__Amount_Description__c", 255),
            money("SCMC__Discount__c"),
            money("SCMC__Tax__c"),
            lookup("SCMFFA__Sales_Invoice_Line_Item__c", "c2g__codaInvoiceLineItem__c"),
        ),
    ),
)
