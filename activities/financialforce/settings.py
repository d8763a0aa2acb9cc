"""What a merchant's FinancialForce looks like to Holdfast: names in the org, and choices that are the merchant's."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from activities.salesforce.settings import SalesforceSettings

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


class ChargeItems(BaseModel):
    """SKUs of the items (`SCMC__Item__c`) that stand for what is not goods."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shipping: str = Field(default="SHIPPING", min_length=1, description="Shipping cost")
    discount: str = Field(default="DISCOUNT", min_length=1, description="Discounts; booked with a negative price")
    fee: str = Field(default="FEE", min_length=1, description="Surcharges of a payment method, deposits, handling")
    duty: str = Field(default="DUTY", min_length=1, description="Customs and duties collected at checkout")
    tax: str = Field(default="FEE", min_length=1, description="Tax that the order's tax field has no room for")


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
    time_zone: str = Field(default="UTC", description="Zone in which document dates are counted, such as Europe/Berlin")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time_zone {value!r} is not known; use a name such as Europe/Berlin") from None
        return value
