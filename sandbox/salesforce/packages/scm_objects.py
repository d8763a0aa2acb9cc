"""Order and Inventory Management (`SCMC__`): orders, items and stock, places, web-order staging.

Names, lengths and values as the vendor's data dictionary and a 2026 field listing give them. The package has no
external id of its own; `ORG_FIELDS` are the merchant's (docs/salesforce-org.md). Fulfillment has a module of its own.
"""

from sandbox.salesforce.packages import scm_amounts as amounts
from sandbox.salesforce.packages.fields import (
    auto_name,
    checkbox,
    choice,
    computed,
    day,
    key,
    long_text,
    lookup,
    master,
    money,
    number,
    text,
    time,
    whole,
)
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, ORDER, POSITION, WAREHOUSE
from sandbox.salesforce.packages.scm_shipping_objects import TRANSFER, TRANSFER_LINE
from sandbox.salesforce.schema import Field, SObject

BIN = "SCMC__Inventory_Location__c"
ADDRESS = "SCMC__Customer_Address__c"
CURRENCY_MASTER = "SCMC__Currency_Master__c"
TERMS = "SCMC__PO_Payment_Terms__c"
PRICE = "SCMC__Price__c"
PRICE_TYPE = "SCMC__Price_Type__c"
RECEIVED = "SCMC__Received_Order__c"
RECEIVED_LINE = "SCMC__Received_Order_Line__c"
ERROR_LOG = "SCMC__Error_Log__c"
PRODUCT_GROUP = "SCMC__Product_Group__c"

ORDER_STATUSES = ("New", "Approved", "Open", "Closed", "Cancelled")
LINE_STATUSES = ("New", "Allocated", "Partially Shipped", "Shipped", "Completed", "Cancelled", "Revised")
AVAILABILITY_CODES = (
    "In Stock",
    "In Transit",
    "On Hold",
    "In WIP",
    "Installed",
    "Missing Cost",
    "After Receiving Inspection",
    "Waiting for Receiving Inspection",
    "Received from Purchase Order",
    "Received from Miscellaneous Receipt",
    "Out for Service",
    "Out on Service Purchase Order",
)


def _record_type() -> Field:
    return Field("RecordTypeId", "reference", reference_to=("RecordType",), relationship="RecordType")


_ORDER = SObject(
    ORDER,
    "Sales Order",
    "a2A",
    (
        auto_name("SO{0:06d}"),
        lookup("SCMC__Customer_Account__c", "Account", required=True),
        day("SCMC__Sales_Order_Date__c", default=lambda org: org.today()),
        text("SCMC__Customer_Purchase_Order__c", 80),
        text("SCMC__Existing_SO_Number__c", 80),
        lookup("SCMC__Currency__c", CURRENCY_MASTER),
        lookup("SCMC__Warehouse__c", WAREHOUSE),
        lookup("SCMC__Payment_Terms__c", TERMS),
        choice("SCMC__Payment_Type__c", "Open Account", "Prepaid", "Credit Card", open_ended=True),
        lookup("SCMC__Price_Type__c", PRICE_TYPE),
        choice("SCMC__Sales_Channel__c", "Web", "Phone", open_ended=True),
        lookup("SCMC__Actual_Ship_To_Address__c", ADDRESS),
        lookup("SCMC__Actual_Bill_To_Address__c", ADDRESS),
        lookup("SCMC__Override_Billing_Account__c", "Account"),
        checkbox("SCMC__Drop_Ship__c"),
        *(
            text(f"SCMC__Drop_Ship_{part}__c", 100)
            for part in ("Name", "Line1", "Line2", "City", "State_Province", "Country")
        ),
        text("SCMC__Drop_Ship_Zip_Postal_Code__c", 15),
        choice("SCMC__Partial_Shipments__c", "Yes", "No", default="Yes"),
        choice("SCMC__Partial_Invoicing__c", "Yes", "No", default="Yes"),
        choice("SCMC__Shipment_Services__c", "Ground", "Express", open_ended=True),
        Field("SCMC__Shipment_Options__c", "multipicklist", restricted=False),
        money("SCMC__Discount__c"),
        text("SCMC__Freight__c", 100),
        money("SCMC__Total_Tax__c", 7, 2),
        checkbox("SCMC__Taxable__c"),
        money("SCMC__Deposit_Amount__c"),
        lookup("SCMC__Primary_Sales_Rep__c", "User"),
        long_text("SCMC__Sales_Representative_Notes__c"),
        time("SCMC__Fulfillment_Date__c"),
        lookup("SCMFFA__Company__c", "c2g__codaCompany__c"),
        _record_type(),
        choice("SCMC__Status__c", *ORDER_STATUSES, default="New"),
        choice("SCMC__Shipment_Status__c", "Open", "Partially Shipped", "Fulfilled", default="Open", read_only=True),
        choice(
            "SCMC__Billed_Status__c",
            "Not Billed",
            "Partially Billed",
            "Completely Billed",
            default="Not Billed",
            read_only=True,
        ),
        Field("SCMC__Approval_Date__c", "date", read_only=True),
        number("SCMC__Revision__c", 3, 0, default=0, read_only=True),
        computed("SCMC__Total_Value__c", "currency", amounts.total_value),
        computed("SCMC__Total_Open_Value__c", "currency", amounts.total_open_value),
        computed("SCMC__Number_Lines__c", "double", amounts.number_lines),
        computed("SCMC__Number_New_Lines__c", "double", amounts.number_new_lines),
    ),
)

_LINE = SObject(
    LINE,
    "Sales Order Line Item",
    "a2B",
    (
        auto_name("SOL{0:08d}"),
        master("SCMC__Sales_Order__c", ORDER, "SCMC__Line_Items__r"),
        lookup("SCMC__Item_Master__c", ITEM, required=True),
        number("SCMC__Quantity__c", 14, 4),
        money("SCMC__Price__c", 9, 9),
        computed("SCMC__Extended_Price__c", "currency", amounts.extended_price),
        number("SCMC__Line_Number__c", 6, 0),
        choice("SCMC__Status__c", *LINE_STATUSES, default="New", open_ended=True),
        *(
            number(f"SCMC__Quantity_{part}__c", 14, 4, default=0, read_only=True)
            for part in ("Allocated", "Backordered", "Packed", "Shipped", "Billed", "to_Bill")
        ),
        day("SCMC__Customer_Requested_Date__c"),
        day("SCMC__Customer_Commitment_Date__c"),
        choice("SCMC__Delivery_Method__c", open_ended=True),
        choice("SCMC__Condition_Code__c", "New", open_ended=True),
        checkbox("SCMC__Taxable__c"),
        money("SCMC__Tax__c", 16, 2),
        number("SCMC__Tax_Rate__c", 4, 5),
        *(
            column
            for n in range(1, 4)
            for column in (
                text(f"SCMC__Tax_Name_{n}__c", 80),
                number(f"SCMC__Tax_Rate_{n}__c", 4, 5),
                money(f"SCMC__Tax_Value_{n}__c", 16, 2),
            )
        ),
        long_text("SCMC__Serial_Numbers__c"),
        number("SCMC__Already_Returned__c", 14, 4, default=0, read_only=True),
        text("SCMC__Allocate_Message__c", 255, read_only=True),
        _record_type(),
    ),
)

_GOODS = (
    SObject(
        ITEM,
        "Item",
        "a2C",
        (
            Field("Name", "string", length=80, required=True, label="Item Number"),
            text("SCMC__Item_Description__c", 255),
            choice("SCMC__Item_Type__c", "Item", "Service", "Charge", open_ended=True),
            choice("SCMC__Kit__c", "None", "Kit", default="None", open_ended=True),
            checkbox("SCMC__Active_Status__c", default=True),
            lookup("SCMC__Product__c", "Product2"),
            lookup("SCMC__Product_Group__c", PRODUCT_GROUP),
            text("SCMC__Stocking_UOM__c", 80, default="Each"),
            checkbox("SCMC__Serial_Number_Control__c"),
            checkbox("SCMC__Lot_Number_Control__c"),
            checkbox("SCMC__Shelf_Life_Control__c"),
            number("SCMC__Packaged_Weight__c", 5, 2),
            *(number(f"SCMC__Box_{side}__c", 5, 2) for side in ("Length", "Width", "Height")),
            checkbox("SCMC__Intangible__c"),
            choice("SCMC__Acquisition__c", "Make", "Purchase", "Transfer", default="Purchase"),
        ),
    ),
    SObject(PRODUCT_GROUP, "Product Group", "a2X", (text("SCMC__Description__c", 255),)),
    SObject(
        POSITION,
        "Inventory Position",
        "a2D",
        (
            auto_name("IP{0:08d}"),
            lookup("SCMC__Item_Master__c", ITEM),
            lookup("SCMC__Bin__c", BIN),
            lookup("SCMC__Item_Warehouse__c", WAREHOUSE),
            computed("SCMC__Warehouse__c", "string", amounts.warehouse_name),
            number("SCMC__Quantity__c", 14, 4, default=0),
            number("SCMC__Quantity_Allocated__c", 14, 4, default=0),
            number("SCMC__Quantity_in_Transit__c", 14, 4, default=0),
            checkbox("SCMC__Availability__c", default=True),
            choice("SCMC__Availability_Code__c", *AVAILABILITY_CODES, default="In Stock"),
            choice("SCMC__Condition_Code__c", "New", default="New", open_ended=True),
            choice("SCMC__Ownership_Code__c", "Owned", default="Owned", open_ended=True),
            text("SCMC__Lot_Number__c", 80),
            text("SCMC__Item_Serial_Number__c", 80),
            time("SCMC__Shelf_Life_Expiration__c"),
            money("SCMC__Current_Value__c"),
            money("SCMC__Acquisition_Cost__c"),
        ),
    ),
    SObject(PRICE_TYPE, "Price Type", "a2W", (checkbox("SCMC__Active__c", default=True),)),
    SObject(
        PRICE,
        "Price",
        "a2V",
        (
            auto_name("PRC{0:06d}"),
            lookup("SCMC__Item__c", ITEM),
            lookup("SCMC__Price_Type__c", PRICE_TYPE),
            lookup("SCMC__Currency__c", CURRENCY_MASTER),
            money("SCMC__Price__c", 9, 9),
            number("SCMC__Minimum_Quantity__c", 14, 4, default=1),
            day("SCMC__Start_Date__c"),
            day("SCMC__End_Date__c"),
            checkbox("SCMC__Active__c", default=True),
        ),
    ),
)

_PLACES = (
    SObject(
        WAREHOUSE,
        "Warehouse",
        "a2E",
        (
            checkbox("SCMC__Active__c", default=True),
            checkbox("SCMC__Default__c"),
            checkbox("SCMC__DisableBackorders__c"),
            text("SCMC__ICP__c", 80),
            text("SCMC__Address__c", 255),
        ),
    ),
    SObject(
        BIN,
        "Inventory Location",
        "a2F",
        (
            lookup("SCMC__Warehouse__c", WAREHOUSE),
            *(text(f"SCMC__Level{n}__c", 80) for n in range(1, 6)),
            checkbox("SCMC__Active__c", default=True),
        ),
    ),
    SObject(
        ADDRESS,
        "Customer Address",
        "a2G",
        (
            auto_name("CA{0:06d}"),
            lookup("SCMC__Customer_Site__c", "Account", required=True),
            text("SCMC__Mailing_Street__c", 255),
            text("SCMC__Mailing_Street_Additional_Information__c", 255),
            text("SCMC__Mailing_City__c", 255),
            text("SCMC__Mailing_State_Province__c", 100),
            text("SCMC__Mailing_Country__c", 100),
            text("SCMC__Mailing_Zip_Postal_Code__c", 15),
            text("SCMC__Display_Name__c", 80),
            checkbox("SCMC__Active__c", default=True),
            checkbox("SCMC__Validated__c"),
        ),
    ),
    SObject(
        CURRENCY_MASTER,
        "Currency Master",
        "a2H",
        (
            checkbox("SCMC__Active__c", default=True),
            checkbox("SCMC__Corporate_Currency__c"),
            number("SCMC__Number_of_decimals__c", 1, 0, default=2),
        ),
    ),
    SObject(TERMS, "Payment Terms", "a2I", (whole("SCMC__Number_of_Days__c", default=0),)),
)

_STAGING = (
    SObject(
        RECEIVED,
        "Received Order",
        "a2S",
        (
            auto_name("RO{0:06d}"),
            *(
                text(f"SCMC__{name}__c")
                for name in (
                    "Order_Id",
                    "Order_Source",
                    "Account_Name",
                    "Customer_Number",
                    "Contact_Name",
                    *(
                        f"Customer_{part}"
                        for part in (
                            "Email",
                            "Phone",
                            "Address1",
                            "Address2",
                            "City",
                            "State",
                            "Postal_Code",
                            "Country",
                            "Type",
                        )
                    ),
                    *(
                        f"Shipping_{part}"
                        for part in (
                            "Name",
                            "Company",
                            "Address1",
                            "Address2",
                            "City",
                            "State",
                            "Postal_Code",
                            "Country",
                            "Phone",
                            "Method",
                            "Account",
                        )
                    ),
                    "Payment_Method",
                )
            ),
            time("SCMC__Order_Date__c"),
            text("SCMC__Currency__c", 3),
            money("SCMC__Discount__c", 16, 2),
            money("SCMC__Freight__c", 16, 2),
            money("SCMC__Total_Tax__c", 16, 2),
            day("SCMC__Required_Date__c"),
            long_text("SCMC__Order_Comments__c"),
            choice("SCMC__Status__c", "New", "Processed", "Error", default="New"),
            long_text("SCMC__Error_Text__c"),
            lookup("SCMC__Sales_Order__c", ORDER, read_only=True),
        ),
    ),
    SObject(
        RECEIVED_LINE,
        "Received Order Line",
        "a2T",
        (
            auto_name("ROL{0:08d}"),
            master("SCMC__Received_Order__c", RECEIVED, "SCMC__Received_Order_Lines__r"),
            text("SCMC__Product_Name__c", 255),
            text("SCMC__Product_Description__c", 255),
            number("SCMC__Product_Quantity__c", 14, 4),
            money("SCMC__Product_Unit_Price__c", 16, 2),
            text("SCMC__UOM__c", 80),
            long_text("SCMC__Comments__c"),
            long_text("SCMC__Error_Text__c"),
        ),
    ),
    SObject(
        ERROR_LOG,
        "Error Log",
        "a2U",
        (
            auto_name("EL{0:06d}"),
            text("SCMC__Process__c", 80, read_only=True),
            text("SCMC__Record_Id__c", 18, read_only=True),
            Field("SCMC__Error_Message__c", "textarea", length=32_768, read_only=True),
        ),
    ),
)

OBJECTS = (_ORDER, _LINE, *_GOODS, *_PLACES, *_STAGING)

# The merchant's own fields on packaged objects.
ORG_FIELDS: dict[str, tuple[Field, ...]] = {
    "Account": (key("Magento_Customer_Id__c", 255),),
    ORDER: (key("Magento_Order_Id__c", 255), long_text("Order_Data__c", 131_072)),
    LINE: (
        key("Magento_Line_Id__c", 255),
        text("Line_Title__c", 255),
        number("Ordered_Quantity__c", 14, 4),
        long_text("Cancellations__c"),
    ),
    TRANSFER: (
        key("Transfer_Key__c", 255),
        Field("Magento_Order_Id__c", "string", length=255, external_id=True),
        text("Transfer_Reason__c", 255),
    ),
    TRANSFER_LINE: (key("Transfer_Line_Key__c", 255),),
}

ACCOUNT_FIELDS = (
    checkbox("SCMC__Active__c"),
    checkbox("SCMC__Customer__c"),
    choice("SCMC__Temporary_Hold__c", "Finance", "Management", open_ended=True),
    lookup("SCMC__Currency__c", CURRENCY_MASTER),
    key("SCMC__Customer_Site_Id__c", 255, external=False),
    text("SCMC__Corp_Line1__c", 255),
    text("SCMC__Corp_Line2__c", 255),
    text("SCMC__Corp_City__c", 255),
    text("SCMC__Corp_State_Province__c", 100),
    text("SCMC__Corp_PostalCode__c", 10),
    text("SCMC__Corp_Country__c", 25),
    lookup("SCMC__Payment_Terms__c", TERMS),
    lookup("SCMC__Price_Type__c", PRICE_TYPE),
    lookup("SCMC__Warehouse__c", WAREHOUSE),
    choice("SCMC__Ship_Via__c", "DHL", "UPS", open_ended=True),
    lookup("SCMFFA__Company_Name__c", "c2g__codaCompany__c"),
)
