"""The merchant's own object that the generic invoice run bills, as docs/salesforce-org.md sets it up."""

from sandbox.salesforce.packages.billing_objects import INVOICE, LINE_TYPES, RUN
from sandbox.salesforce.packages.cash_objects import amount
from sandbox.salesforce.packages.fields import (
    auto_name,
    checkbox,
    choice,
    day,
    key,
    long_text,
    lookup,
    master,
    number,
    text,
)
from sandbox.salesforce.schema import Field, SObject

ORDER = "Web_Order__c"
ORDER_LINE = "Web_Order_Line__c"

OBJECTS = (
    SObject(
        ORDER,
        "Web Order",
        "a0W",
        (
            auto_name("WO-{0:06d}"),
            key("Magento_Order_Id__c", 255),
            lookup("ON_Account__c", "Account"),
            day("ON_ServiceDate__c"),
            lookup("ON_Invoice__c", INVOICE),
            lookup("ON_LastInvoiceRun__c", RUN),
            text("ON_InvoiceBuildError__c"),
            day("ON_BookingDate__c"),
            text("Entry_Key__c"),
            amount("Expected_Total__c"),
            Field("Email__c", "email"),
            amount("PP_GiftCard__c"),
            amount("PP_StoreCredit__c"),
            amount("PP_Gateway__c"),
            text("PP_Reference__c"),
            checkbox("Canceled__c"),
        ),
    ),
    SObject(
        ORDER_LINE,
        "Web Order Line",
        "a0X",
        (
            auto_name("WOL-{0:07d}"),
            master("Web_Order__c", ORDER, "Web_Order_Lines__r"),
            key("Line_Key__c", 255),
            text("ON_Title__c"),
            long_text("ON_Description__c"),
            number("ON_Quantity__c", 12, 6),
            number("ON_UnitPrice__c", 12, 9),
            Field("ON_TaxRate__c", "percent", precision=9, scale=5),
            choice("ON_LineType__c", *LINE_TYPES, default="Product", open_ended=True),
            number("ON_Sort__c", 6, 0),
        ),
    ),
)
