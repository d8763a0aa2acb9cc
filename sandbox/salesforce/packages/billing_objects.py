"""JustOn Billing & Invoice Management (`ONB2__`): the objects, and the fields that join them to Cash Management."""

from sandbox.salesforce.packages.cash_objects import ITEM, amount, sum_of
from sandbox.salesforce.packages.cash_objects import PAYMENT as CASH_PAYMENT
from sandbox.salesforce.packages.fields import (
    auto_name,
    checkbox,
    choice,
    day,
    long_text,
    lookup,
    master,
    number,
    text,
    whole,
)
from sandbox.salesforce.schema import Field, SObject

INVOICE = "ONB2__Invoice__c"
LINE = "ONB2__InvoiceLineItem__c"
BALANCE = "ONB2__Balance__c"
INSTALLMENT = "ONB2__Payment__c"
RUN = "ONB2__InvoiceRun__c"
TEMPLATE = "ONB2__Template__c"
PERIOD = "ONB2__BookingPeriod__c"
BOOKING = "ONB2__BookingDetail__c"

DRAFTS = frozenset({"Draft", "Pre-Draft", "Pre-Open"})
STATUSES = ("Draft", "Pre-Draft", "Pre-Open", "Open", "Paid", "Settled", "Canceled", "Closed")
TYPES = ("Invoice", "Credit", "Cancelation", "Deposit", "Proforma")
LINE_TYPES = ("Product", "Shipping Fees", "Handling Fees", "Information", "Tax Delta")
BALANCE_TYPES = (
    "Payment",
    "Refund",
    "Payout",
    "Prepayment",
    "Credit",
    "Clearing",
    "Cash",
    "Write-off",
    "Chargeback",
    "Chargeback Fee",
    "Dunning Fee",
)
BOOKING_TYPES = ("Revenue", "Tax", "Deferred", "Payment", "Refund", "Payout", "Prepayment", "Provider Fee")


def _address(kind: str) -> tuple[Field, ...]:
    parts = {"Street": 255, "City": 80, "State": 80, "PostalCode": 20, "Country": 80}
    return tuple(text(f"ONB2__{kind}{part}__c", length) for part, length in parts.items())


INVOICE_FIELDS = (
    Field("Name", "string", length=80, read_only=True, label="Invoice No."),
    lookup("ONB2__Account__c", "Account", children="ONB2__Invoices__r"),
    text("ONB2__AccountName__c"),
    lookup("ONB2__Contact__c", "Contact"),
    text("ONB2__Tenant__c", 80),
    lookup("ONB2__Template__c", TEMPLATE),
    Field("ONB2__Email__c", "email"),
    *_address("Billing"),
    *_address("Mailing"),
    *_address("Shipping"),
    sum_of("ONB2__TotalNet__c"),
    sum_of("ONB2__TotalTax__c"),
    sum_of("ONB2__GrandTotal__c"),
    sum_of("ONB2__Balance__c"),
    checkbox("ONB2__GrossInvoice__c"),
    day("ONB2__Date__c"),
    day("ONB2__ServicePeriodStart__c"),
    day("ONB2__ServicePeriodEnd__c"),
    whole("ONB2__PaymentDue__c", default=0),
    Field("ONB2__PaymentDueDate__c", "date", read_only=True),
    Field("ONB2__NextPaymentDue__c", "date", read_only=True),
    Field("ONB2__PaymentDate__c", "date", read_only=True),
    choice("ONB2__Status__c", *STATUSES, default="Draft", read_only=True),
    choice("ONB2__Type__c", *TYPES, default="Invoice"),
    text("ONB2__Class__c", 80),
    checkbox("ONB2__Review__c"),
    whole("ONB2__DunningLevel__c", read_only=True),
    Field("ONB2__LastDunningDate__c", "date", read_only=True),
    lookup("ONB2__InvoiceRun__c", RUN, read_only=True),
    lookup("ONB2__RelatedInvoice__c", INVOICE),
    lookup("ONB2__CanceledWith__c", INVOICE, read_only=True),
    text("ONB2__CancelationReason__c", read_only=True),
    choice("ONB2__PaymentMethod__c", "Bank Transfer", "Cash", "Credit Card", "Direct Debit", "Paypal", open_ended=True),
    text("ONB2__BalanceAssignmentKey__c"),
    text("ONB2__UUID__c", 36, read_only=True),
    # Brought by the configuration package that joins billing and cash management (contract section 3).
    Field("EntryAssignmentKey__c", "string", length=255, external_id=True),
)

LINE_FIELDS = (
    auto_name("ILI-{0:08d}"),
    master("ONB2__Invoice__c", INVOICE, "ONB2__InvoiceLineItems__r"),
    text("ONB2__Title__c", required=True),
    long_text("ONB2__Description__c"),
    number("ONB2__Quantity__c", 12, 6, default=1),
    number("ONB2__UnitPrice__c", 12, 9, default=0),
    Field("ONB2__TaxRate__c", "percent", precision=9, scale=5),
    choice("ONB2__Type__c", *LINE_TYPES, default="Product"),
    whole("ONB2__Sequence__c"),
    sum_of("ONB2__PosTotalNet__c"),
    sum_of("ONB2__PosTotalTax__c"),
)

BALANCE_FIELDS = (
    auto_name("B-{0:08d}"),
    lookup("ONB2__Account__c", "Account", children="ONB2__Balances__r"),
    lookup("ONB2__Invoice__c", INVOICE, children="ONB2__Balances__r"),
    lookup("ONB2__RelatedInvoice__c", INVOICE),
    amount("ONB2__Amount__c", required=True),
    day("ONB2__Date__c"),
    choice("ONB2__Type__c", *BALANCE_TYPES, default="Payment"),
    text("ONB2__Reference__c"),
    text("ONB2__TransactionNo__c"),
    text("ONB2__PaymentMethod__c", 80),
    text("ONB2__PaymentProvider__c", 80),
    checkbox("ONB2__Draft__c"),
    checkbox("ONB2__NoAutoAssignment__c"),
    text("ONB2__Origin__c", 80, read_only=True),
    checkbox("ONB2__IsPrepaid__c", read_only=True),
    text("ONB2__WriteOffReason__c"),
    lookup("JPAY1__Payment__c", CASH_PAYMENT, read_only=True),
    lookup("JPAY1__EntryItem__c", ITEM, read_only=True),
)

INSTALLMENT_FIELDS = (
    auto_name("IN-{0:08d}"),
    lookup("ONB2__Invoice__c", INVOICE, required=True, children="ONB2__Payments__r"),
    amount("ONB2__Amount__c", required=True),
    day("ONB2__DueDate__c"),
    choice("ONB2__Status__c", "Open", "Paid", "Canceled", default="Open", read_only=True),
    text("ONB2__PaymentMethod__c", 80),
    Field("ONB2__PaymentPageUrl__c", "url", length=255),
)

PERIOD_FIELDS = (
    text("ONB2__Month__c", 2, required=True),
    text("ONB2__Year__c", 4, required=True),
    text("ONB2__Tenant__c", 80),
    choice("ONB2__Status__c", "Open", "Closed", default="Open"),
)

BOOKING_FIELDS = (
    auto_name("BD-{0:08d}"),
    master("ONB2__BookingPeriod__c", PERIOD, "ONB2__BookingDetails__r"),
    lookup("ONB2__Account__c", "Account"),
    text("ONB2__AccountNo__c", 80),
    text("ONB2__BpAccountNo__c", 80),
    amount("ONB2__Amount__c", required=True),
    amount("ONB2__AbsoluteAmount__c"),
    day("ONB2__BookingDate__c"),
    text("ONB2__BookingText__c"),
    lookup("ONB2__Invoice__c", INVOICE, children="ONB2__BookingDetails__r"),
    text("ONB2__InvoiceNo__c", 80),
    lookup("ONB2__Balance__c", BALANCE, children="ONB2__BookingDetails__r"),
    Field("ONB2__TaxRate__c", "percent", precision=9, scale=5),
    checkbox("ONB2__IsGross__c"),
    choice("ONB2__Type__c", *BOOKING_TYPES),
    checkbox("ONB2__Exported__c"),
    text("ONB2__ExportDestination__c"),
)

OBJECTS = (
    SObject(TEMPLATE, "Template", "a0T", (text("ONB2__Language__c", 5), checkbox("ONB2__Default__c")), currency=False),
    SObject(RUN, "Invoice Run", "a0U", (auto_name("IR-{0:06d}"), day("ONB2__Date__c"), whole("ONB2__Invoices__c"))),
    SObject(INVOICE, "Invoice", "a0V", INVOICE_FIELDS),
    SObject(LINE, "Invoice Line Item", "a0Y", LINE_FIELDS),
    SObject(BALANCE, "Balance", "a0B", BALANCE_FIELDS),
    SObject(INSTALLMENT, "Payment", "a0Q", INSTALLMENT_FIELDS),
    SObject(PERIOD, "Booking Period", "a0M", PERIOD_FIELDS, currency=False),
    SObject(BOOKING, "Booking Detail", "a0D", BOOKING_FIELDS, creatable=False),
)

# What the joining configuration package adds to the entry: its invoice and its installment.
ENTRY_FIELDS = (
    lookup("JPAY1__Invoice__c", INVOICE, read_only=True, children="JPAY1__Entries__r"),
    lookup("JPAY1__Payment__c", INSTALLMENT, read_only=True, children="JPAY1__Entries__r"),
)
