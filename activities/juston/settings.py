"""How to reach JustOn, and how the merchant's org spells what Holdfast reads and writes there.

JustOn hands out the field description of its hosted API separately, and most API names of its records are not public:
every name that could not be confirmed is a setting, with the most likely spelling as its default. What the org itself
adds is in docs/salesforce-org.md.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from activities.salesforce.settings import SalesforceSettings
from commerce.model import UtcDatetime
from commerce.money import decimals_of


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WireNames(_Part):
    """Names in requests to the hosted payment service and in its answers. An empty name leaves the value out."""

    entry_link: str = Field(default="entry-link", description="Resource that makes an entry and its link")
    amount: str = Field(default="amount", description="Amount in major units, a JSON number")
    currency: str = Field(default="currency", description="ISO 4217 code")
    title: str = Field(default="title", description="Text on the payment page")
    payment_reference: str = Field(default="paymentReference", description="Machine-readable statement reference")
    assignment_key: str = Field(default="assignmentKey", description="The business key of the entry")
    date: str = Field(default="date", description="Date of the entry")
    due_date: str = Field(default="dueDate", description="Date until which the money is expected")
    business_entity: str = Field(default="businessEntity", description="The merchant's legal entity")
    email: str = Field(default="email", description="The buyer's e-mail address")
    language: str = Field(default="language", description="Language of the payment page, two letters")
    payment_methods: str = Field(default="paymentMethods", description="List of methods that the page offers")
    redirect_urls: str = Field(default="redirectUrls", description="Object with the three addresses below")
    success: str = Field(default="success", description="Where the browser goes after a payment")
    failure: str = Field(default="failure", description="Where the browser goes after a failed payment")
    cancel: str = Field(default="cancel", description="Where the browser goes when the buyer leaves")
    custom_fields: str = Field(default="customFields", description="Object with custom fields of the entry")
    order_data: str = Field(default="SalesOrderData__c", description="Custom field that takes the order as JSON text")
    entry_id: str = Field(default="entryId", description="Answer: record id of the entry")
    link_id: str = Field(default="linkId", description="Answer: id inside the link")
    link: str = Field(default="paymentLink", description="Answer: the link for the buyer")
    existing_link: str = Field(default="paymentLink", description="Answer 409: the link of the entry that is there")
    error: str = Field(default="error", description="Answer with a fault: its code")
    message: str = Field(default="message", description="Answer with a fault: its text")


class CashFields(_Part):
    """JustOn Cash Management in the org: objects, fields and values."""

    entry: str = Field(default="JPAY1__Entry__c", description="Object: one receivable")
    entry_key: str = Field(default="JPAY1__AssignmentKey__c", description="Entry: assignment key")
    entry_status: str = Field(default="JPAY1__Status__c", description="Entry: Open, Balanced or Canceled")
    entry_amount: str = Field(default="JPAY1__Amount__c", description="Entry: amount asked for")
    entry_assigned: str = Field(default="JPAY1__AssignedAmount__c", description="Entry: amount covered by payments")
    entry_invoice: str = Field(default="JPAY1__Invoice__c", description="Entry: invoice it is assigned to")
    entry_link: str = Field(
        default="",
        description="Entry: the payment link, where the org keeps it; a lost link is then read instead of replaced",
    )
    item: str = Field(default="JPAY1__EntryItem__c", description="Object: share of a payment in an entry")
    item_entry: str = Field(default="JPAY1__Entry__c", description="Entry item: the entry")
    item_payment: str = Field(default="JPAY1__Payment__c", description="Entry item: the payment")
    item_assigned: str = Field(default="JPAY1__AssignedAmount__c", description="Entry item: amount assigned")
    payment: str = Field(default="JPAY1__Payment__c", description="Object: one payment")
    payment_status: str = Field(default="JPAY1__Status__c", description="Payment: status")
    payment_collected: str = Field(default="JPAY1__CollectedAmount__c", description="Payment: amount collected")
    payment_method: str = Field(default="JPAY1__PaymentMethod__c", description="Payment: method; empty: not read")
    payment_provider: str = Field(default="JPAY1__Provider__c", description="Payment: provider; empty: not read")
    payment_transaction: str = Field(
        default="JPAY1__TransactionNo__c", description="Payment: the provider's transaction id"
    )
    payment_date: str = Field(default="", description="Payment: time of collection; empty: not read")
    notification: str = Field(
        default="JPAY1__PaymentNotification__c",
        description="Object: a provider's message about a payment; empty: failed attempts are counted by status only",
    )
    notification_payment: str = Field(default="JPAY1__Payment__c", description="Notification: the payment")
    notification_amount: str = Field(
        default="JPAY1__Amount__c", description="Notification: amount; empty in the record for a failed capture"
    )
    refund: str = Field(
        default="JPAY1__Refund__c",
        description="Object: money that goes back; empty: a refund that the cancellation promised is not checked",
    )
    refund_payment: str = Field(default="JPAY1__Payment__c", description="Refund: the payment that it pays back")
    refund_amount: str = Field(default="JPAY1__Amount__c", description="Refund: amount")
    refund_status: str = Field(
        default="JPAY1__Status__c", description="Refund: status; empty: every refund counts in a reconciliation"
    )
    refund_rejected_values: tuple[str, ...] = Field(
        default=("Rejected",), description="Refund statuses that mean: no money goes back"
    )
    collected_values: tuple[str, ...] = Field(
        default=("Collected", "Final"), description="Payment statuses that mean: the money is here"
    )
    pending_values: tuple[str, ...] = Field(default=("Pending",), description="Payment statuses that mean: under way")
    failed_values: tuple[str, ...] = Field(default=("Failed",), description="Payment statuses that mean: no money came")
    refunded_values: tuple[str, ...] = Field(default=("Refunded",), description="Payment statuses: paid back")
    charged_back_values: tuple[str, ...] = Field(
        default=("Charged back",), description="Payment statuses: taken back by the buyer's bank"
    )
    cancel_action: str = Field(
        default="custom/apex/JPAY1__EntryCancellation", description="Invocable action that cancels entries"
    )
    cancel_refund: str = Field(default="Direct Refund", description="cancellationCBS that pays the money back")
    cancel_keep: str = Field(default="Future Settlement", description="cancellationCBS that keeps the money")


class BillingFields(_Part):
    """The object that the invoice run bills (docs/salesforce-org.md), and JustOn's invoices and booking data."""

    order: str = Field(default="Web_Order__c", description="Object: one order to bill")
    order_key: str = Field(default="Magento_Order_Id__c", description="Order: the order key, external id")
    account: str = Field(default="ON_Account__c", description="Order: debtor")
    account_key: str = Field(
        default="Magento_Customer_Id__c", description="Account: the shop's customer key, external id"
    )
    service_date: str = Field(default="ON_ServiceDate__c", description="Order: date by which the run selects")
    invoice_of_order: str = Field(default="ON_Invoice__c", description="Order: the invoice, written by the run")
    build_error: str = Field(default="ON_InvoiceBuildError__c", description="Order: why the run skipped it")
    entry_key: str = Field(default="Entry_Key__c", description="Order: assignment key of the payment entry")
    expected_total: str = Field(default="Expected_Total__c", description="Order: total before payments")
    email: str = Field(default="Email__c", description="Order: receiver of the invoice")
    gift_cards: str = Field(default="PP_GiftCard__c", description="Order: paid by gift cards")
    store_credit: str = Field(default="PP_StoreCredit__c", description="Order: paid by store credit")
    gateway: str = Field(default="PP_Gateway__c", description="Order: paid through the shop's own gateway")
    prepaid_reference: str = Field(default="PP_Reference__c", description="Order: references of those payments")
    canceled: str = Field(default="Canceled__c", description="Order: withdrawn before billing")
    line: str = Field(default="Web_Order_Line__c", description="Object: one line to bill")
    line_order: str = Field(default="Web_Order__c", description="Line: the order")
    lines_of_order: str = Field(default="Web_Order_Lines__r", description="Child relationship from order to lines")
    line_key: str = Field(default="Line_Key__c", description="Line: its key, external id")
    line_title: str = Field(default="ON_Title__c", description="Line: title")
    line_description: str = Field(default="ON_Description__c", description="Line: description")
    line_quantity: str = Field(default="ON_Quantity__c", description="Line: quantity")
    line_price: str = Field(default="ON_UnitPrice__c", description="Line: net price of one")
    line_tax_rate: str = Field(default="ON_TaxRate__c", description="Line: tax rate in percent")
    line_type: str = Field(default="ON_LineType__c", description="Line: JustOn's line type")
    line_sort: str = Field(default="ON_Sort__c", description="Line: place on the invoice")
    invoice: str = Field(default="ONB2__Invoice__c", description="Object: invoice")
    invoice_status: str = Field(default="ONB2__Status__c", description="Invoice: status")
    invoice_total: str = Field(default="ONB2__GrandTotal__c", description="Invoice: total with tax")
    invoice_tax: str = Field(default="ONB2__TotalTax__c", description="Invoice: tax")
    invoice_balance: str = Field(default="ONB2__Balance__c", description="Invoice: what is still open")
    invoice_type: str = Field(default="ONB2__Type__c", description="Invoice: type")
    credit_types: tuple[str, ...] = Field(
        default=("Credit", "Cancelation"), description="Invoice types that take money off"
    )
    invoice_entry_key: str = Field(default="EntryAssignmentKey__c", description="Invoice: assignment key")
    booking: str = Field(default="ONB2__BookingDetail__c", description="Object: one row of booking data")
    booking_invoice: str = Field(default="ONB2__Invoice__c", description="Booking detail: the invoice")
    booking_type: str = Field(default="ONB2__Type__c", description="Booking detail: type")
    booking_amount: str = Field(default="ONB2__Amount__c", description="Booking detail: amount")
    invoice_types_booked: tuple[str, ...] = Field(
        default=("Revenue", "Tax"), description="Booking detail types that add up to an invoice's total"
    )


class OrgFields(_Part):
    cash: CashFields = CashFields()
    billing: BillingFields = BillingFields()


class ReturnUrls(_Part):
    """Where the payment page sends the browser. `{store}` and `{number}` are filled in."""

    success: str = Field(default="", description="After a payment")
    failure: str = Field(default="", description="After a failed payment")
    cancel: str = Field(default="", description="When the buyer leaves the page")


class JustOnSettings(_Part):
    """One JustOn installation: a tenant of the hosted payment service and the org behind it."""

    hosted_url: str = Field(
        default="https://payment.juston.cloud",
        pattern=r"^https?://[^\s/]+/?$",
        description="Address of the hosted payment service",
    )
    hosted_path: str = Field(
        default="/public/payment-provider/v1/tenant/{tenant}", description="Path of the tenant's resources there"
    )
    tenant: str = Field(min_length=1, description="The org's id, or its web link alias in Setup Cash Management")
    api_token: SecretStr = Field(description="Token of the hosted service; comes from the environment or a file")
    auth_header: str = Field(default="Authorization", min_length=1, description="Header that carries the token")
    auth_format: str = Field(default="Bearer {token}", description="Value of that header; {token} is filled in")
    hosted_timeout_seconds: float = Field(default=20, gt=0, le=120, description="Longest wait for the hosted service")
    request_id_header: str = Field(default="x-request-id", description="Answer header with the service's request id")
    visible_after_seconds: float = Field(
        default=30,
        gt=0,
        description="An entry that was asked for is visible in the org after this time, or was never made",
    )
    lost_link: Literal["replace", "ask-again", "person"] = Field(
        default="replace",
        description="An entry is there but the answer with its link was lost: replace cancels it if nothing was paid "
        "and makes a new one, which needs a JustOn that gives the key of a canceled entry free; ask-again asks for the "
        "same entry once more first, which is safe only where JustOn refuses a second entry under one key (409 with "
        "the link); person asks a person",
    )
    wire: WireNames = Field(default=WireNames(), description="Names on the wire of the hosted service")
    title: str = Field(default="Order {number}", description="Title of an entry; {store} and {number} are filled in")
    business_entities: dict[str, str] = Field(
        default_factory=dict, description="JustOn business entity by store; a store without one uses JustOn's default"
    )
    payment_methods: tuple[str, ...] = Field(
        default=(), description="Methods offered on the page, as JustOn names them; empty: as configured in JustOn"
    )
    return_urls: ReturnUrls = Field(
        default=ReturnUrls(), description="Used when a checkout brings no return address of its own"
    )
    send_order_data: bool = Field(default=True, description="Put the order as JSON into the entry's custom field")
    salesforce: SalesforceSettings = Field(description="The org that JustOn lives in")
    single_currency: str = Field(default="", description="Currency of an org without multiple currencies; else empty")
    fields: OrgFields = Field(default=OrgFields(), description="Names in the org")
    account_by: Literal["key", "id"] = Field(
        default="key",
        description="How the debtor is found: by the shop's customer key, or by the ERP's record id where the ERP "
        "lives in the same org",
    )
    tax_title: str = Field(default="Tax difference", description="Title of the line that evens out the shop's tax")
    shipping_title: str = Field(default="Shipping", description="Title of a shipping line that has none of its own")
    discount_title: str = Field(default="Discount", description="Title of a discount line that has none of its own")
    invoice_cancellation_action: str = Field(
        default="", description="Invocable action that cancels a final invoice; empty: a person does it in JustOn"
    )
    invoice_cancellation_input: str = Field(default="invoiceId", description="Its input that takes the invoice's id")
    invoice_cancellation_more: dict[str, str] = Field(
        default={"cancellationCBS": "Direct Refund"},
        description="Its further inputs: cancelling an invoice cancels the entry too, and money in it must go back",
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Shared secret of the flow that calls Holdfast when a record changes"
    )
    changes_since: UtcDatetime | None = Field(
        default=None, description="The change feeds begin here when they have no cursor; empty: with the first record"
    )
    feed_overlap_seconds: int = Field(
        default=60, ge=0, description="Every pass of a feed reads this much again: stamps and commits differ in order"
    )
    feed_page: int = Field(default=200, ge=1, le=2000, description="Records per page of a feed")

    @field_validator("hosted_url")
    @classmethod
    def _bare(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("single_currency")
    @classmethod
    def _known(cls, value: str) -> str:
        if value:
            decimals_of(value)
        return value

    @model_validator(mode="after")
    def _usable(self) -> "JustOnSettings":
        if "{token}" not in self.auth_format:
            raise ValueError("auth_format: {token} is missing, so that the token would never be sent")
        if self.visible_after_seconds <= self.hosted_timeout_seconds:
            raise ValueError(
                "visible_after_seconds must be longer than hosted_timeout_seconds: a request that timed out may still "
                "be carried out, and is looked for before it is repeated"
            )
        return self
