"""What a merchant's FinancialForce looks like to Holdfast: names in the org, and choices that are the merchant's."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from activities.salesforce.settings import PushSettings, SalesforceSettings
from commerce.model import UtcDatetime

API_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"


class FieldNames(BaseModel):
    """The org's own fields, as docs/salesforce-org.md proposes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_key: str = Field(
        default="Magento_Customer_Id__c", pattern=API_NAME, description="Account: external id with the shop's key"
    )
    order_key: str = Field(
        default="Magento_Order_Id__c", pattern=API_NAME, description="Sales order: external id with the order key"
    )
    order_data: str = Field(
        default="Order_Data__c", pattern=API_NAME, description="Sales order: long text with the whole order as JSON"
    )
    line_key: str = Field(
        default="Magento_Line_Id__c", pattern=API_NAME, description="Sales order line: external id with the line's key"
    )
    line_title: str = Field(
        default="Line_Title__c", pattern=API_NAME, description="Sales order line: the name as the buyer saw it"
    )
    ordered_quantity: str = Field(
        default="Ordered_Quantity__c", pattern=API_NAME, description="Sales order line: the quantity as it was ordered"
    )
    cancellations: str = Field(
        default="Cancellations__c",
        pattern=API_NAME,
        description="Sales order line: long text with the keys and quantities of Holdfast's cancellations",
    )
    transfer_key: str = Field(
        default="Transfer_Key__c", pattern=API_NAME, description="Transfer request: external id with Holdfast's key"
    )
    transfer_order: str = Field(
        default="Magento_Order_Id__c", pattern=API_NAME, description="Transfer request: key of the order that waits"
    )
    transfer_reason: str = Field(
        default="Transfer_Reason__c", pattern=API_NAME, description="Transfer request: text that says what for"
    )
    transfer_line_key: str = Field(
        default="Transfer_Line_Key__c",
        pattern=API_NAME,
        description="Transfer request line: external id with the request's key and the order line's id",
    )


class ChargeItems(BaseModel):
    """SKUs of the items (`SCMC__Item__c`) that stand for what is not goods."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shipping: str = Field(default="SHIPPING", min_length=1, description="Shipping cost")
    discount: str = Field(default="DISCOUNT", min_length=1, description="Discounts; booked with a negative price")
    fee: str = Field(default="FEE", min_length=1, description="Surcharges of a payment method, deposits, handling")
    duty: str = Field(default="DUTY", min_length=1, description="Customs and duties collected at checkout")
    tax: str = Field(default="FEE", min_length=1, description="Tax that the order's tax field has no room for")


OrderMeaning = Literal["open", "closed", "cancelled"]
LineMeaning = Literal["open", "cancelled"]
ShipmentMeaning = Literal["waiting", "picking", "packed", "ready", "dispatched", "delivered", "closed", "cancelled"]
PickMeaning = Literal["held", "cancelled"]
TransferMeaning = Literal["open", "done"]

# Values as the vendor's dictionary and public code show them, and those that are inferred (docs/inferred.md).
USUAL: dict[str, dict[str, str]] = {
    "order_statuses": {
        "New": "open",
        "Open": "open",
        "Approved": "open",
        "Closed": "closed",
        "Cancelled": "cancelled",
    },
    "line_statuses": {
        "New": "open",
        "Allocated": "open",
        "Partially Shipped": "open",
        "Shipped": "open",
        "Completed": "open",
        "Cancelled": "cancelled",
    },
    "shipment_statuses": {
        "Queued for shipment items issued": "waiting",
        "Shipped": "dispatched",
        "Cancelled": "cancelled",
    },
    "picklist_statuses": {"New": "held", "In process": "held", "Complete": "held", "Cancelled": "cancelled"},
    "pick_statuses": {"New": "held", "Picked": "held", "Shipped": "held", "Cancelled": "cancelled"},
    "transfer_statuses": {"New": "open", "In Transit": "open", "Complete": "done", "Cancelled": "done"},
}


class FulfillmentSettings(BaseModel):
    """What the org's status values mean for goods on their way. Values named here are added to the usual ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_statuses: dict[str, OrderMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a sales order: open, closed or cancelled",
    )
    line_statuses: dict[str, LineMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a sales order line: open (its quantities count) or cancelled",
    )
    shipment_statuses: dict[str, ShipmentMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a shipment: waiting (its boxes tell how far it is), picking, packed, ready, "
        "dispatched, delivered, closed or cancelled",
    )
    picklist_statuses: dict[str, PickMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a pick list: held (its goods are set aside) or cancelled",
    )
    pick_statuses: dict[str, PickMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a pick list's detail: held or cancelled",
    )
    transfer_statuses: dict[str, TransferMeaning] = Field(
        default_factory=dict,
        validate_default=True,
        description="Further statuses of a transfer request: open or done",
    )
    transfers: bool = Field(default=True, description="Whether transfers between warehouses are followed and requested")
    transfer_reason_code: str = Field(
        default="", description="Reason code of a requested transfer, as the org's picklist has it; empty: none"
    )
    changes_since: UtcDatetime | None = Field(
        default=None, description="The change feed begins here when it has no cursor; empty: with the first order"
    )
    feed_overlap_seconds: int = Field(
        default=60, ge=0, description="Every pass of the feed reads this much again: stamps and commits differ in order"
    )
    feed_page: int = Field(default=200, ge=1, le=2000, description="Records of each kind per page of the feed")

    @field_validator(
        "order_statuses",
        "line_statuses",
        "shipment_statuses",
        "picklist_statuses",
        "pick_statuses",
        "transfer_statuses",
    )
    @classmethod
    def _with_the_usual(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        return {**USUAL[str(info.field_name)], **value}


class FinancialForceSettings(BaseModel):
    """One FinancialForce company in one Salesforce org."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    salesforce: SalesforceSettings = Field(description="The org: address and credential")
    fields: FieldNames = Field(default=FieldNames(), description="Names of the org's own fields")
    charge_items: ChargeItems = Field(default=ChargeItems(), description="Items for charges, by what they stand for")
    company: str = Field(
        default="", description="Accounting company to book in, by name; empty: the user's own company"
    )
    bank_accounts: dict[str, str] = Field(
        default_factory=dict, description="Name of the bank account that receives the money, by currency (EUR, JPY)"
    )
    warehouses: dict[str, str] = Field(
        default_factory=dict, description="Name of the warehouse that ships a store's orders, by store code"
    )
    posting: Literal["Synchronous", "Asynchronous"] = Field(
        default="Synchronous", description="How a cash entry is posted: within the call, or by the org's own job"
    )
    multi_currency: bool = Field(
        default=True, description="The org has several currencies switched on, so that records carry CurrencyIsoCode"
    )
    fulfillment: FulfillmentSettings = Field(
        default=FulfillmentSettings(), description="Goods on their way: what status values mean, and the change feed"
    )
    push: PushSettings = Field(
        default=PushSettings(), description="Changes of goods that the org pushes, besides its flow and the feed"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Shared secret of the flow that calls Holdfast when a record changes"
    )
    time_zone: str = Field(default="UTC", description="Zone in which document dates are counted, such as Europe/Berlin")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time_zone {value!r} is not known; use a name such as Europe/Berlin") from None
        return value
