"""JustOn Cash Management (`JPAY1__`): the objects. States and sums are written by the package, never by the API."""

from decimal import Decimal

from sandbox.salesforce.packages.cash_money import money
from sandbox.salesforce.packages.fields import auto_name, checkbox, choice, day, long_text, lookup, master, text
from sandbox.salesforce.schema import Doc, Field, SObject

ENTRY = "JPAY1__Entry__c"
ITEM = "JPAY1__EntryItem__c"
PAYMENT = "JPAY1__Payment__c"
NOTIFICATION = "JPAY1__PaymentNotification__c"
REFUND = "JPAY1__Refund__c"
ENTITY = "JPAY1__BusinessEntity__c"

CBS = ("Future Settlement", "Prepared Refund", "Direct Refund")
METHODS = ("Credit Card", "PayPal", "Instant Bank Transfer")
COLLECTED = frozenset({"Collected", "Final"})


def amount(name: str, *, required: bool = False) -> Field:
    """A currency field that the API may write. Three decimals, so that Kuwaiti dinars fit."""
    return Field(name, "currency", precision=18, scale=3, required=required)


def sum_of(name: str) -> Field:
    """A currency field that the package keeps up to date."""
    return Field(name, "currency", precision=18, scale=3, read_only=True, default=Decimal(0))


def _open_amount(_org: object, row: Doc) -> Decimal:
    return money(row.get("JPAY1__Amount__c")) - money(row.get("JPAY1__AssignedAmount__c"))


def _unassigned(_org: object, row: Doc) -> Decimal:
    taken = money(row.get("JPAY1__AssignedAmount__c")) + money(row.get("JPAY1__RefundedAmount__c"))
    return money(row.get("JPAY1__CollectedAmount__c")) - taken


OBJECTS = (
    SObject(ENTITY, "Business Entity", "a0A", (checkbox("JPAY1__Active__c", default=True),)),
    SObject(
        ENTRY,
        "Entry",
        "a0J",
        (
            auto_name("E-{0:08d}"),
            text("JPAY1__Title__c", required=True),
            text("JPAY1__PaymentReference__c", 140),
            amount("JPAY1__Amount__c", required=True),
            sum_of("JPAY1__AssignedAmount__c"),
            Field("JPAY1__OpenAmount__c", "currency", precision=18, scale=3, formula=_open_amount),
            # Not `unique`: whether the real package refuses a second entry with the same key is a setting here.
            Field("JPAY1__AssignmentKey__c", "string", length=255, external_id=True),
            choice("JPAY1__Status__c", "Open", "Balanced", "Canceled", default="Open", read_only=True),
            day("JPAY1__Date__c"),
            day("JPAY1__DueDate__c"),
            Field("JPAY1__Email__c", "email"),
            text("JPAY1__Language__c", 5),
            Field("JPAY1__PaymentLink__c", "url", length=255),
            lookup("JPAY1__Account__c", "Account", children="JPAY1__Entries__r"),
            lookup("JPAY1__BusinessEntity__c", ENTITY),
            text("JPAY1__CancellationReason__c", read_only=True),
            text("JPAY1__CancellationNo__c", 80, read_only=True),
            choice("JPAY1__CancellationCBS__c", *CBS, read_only=True),
            text("JPAY1__CancellationId__c", 80, read_only=True),
            text("JPAY1__CancellationDocument__c", read_only=True),
            Field("JPAY1__CancellationDistributionUrl__c", "url", length=255, read_only=True),
            long_text("SalesOrderData__c", 131_072),
        ),
    ),
    SObject(
        PAYMENT,
        "Payment",
        "a0P",
        (
            auto_name("P-{0:08d}"),
            choice("JPAY1__Type__c", "Payment", "Refund", default="Payment", read_only=True),
            choice(
                "JPAY1__Status__c",
                "Pending",
                "Collected",
                "Final",
                "Failed",
                "Refunded",
                "Charged back",
                default="Pending",
                read_only=True,
            ),
            amount("JPAY1__Amount__c", required=True),
            sum_of("JPAY1__CollectedAmount__c"),
            sum_of("JPAY1__AssignedAmount__c"),
            sum_of("JPAY1__RefundedAmount__c"),
            Field("JPAY1__UnassignedAmount__c", "currency", precision=18, scale=3, formula=_unassigned),
            choice("JPAY1__PaymentMethod__c", *METHODS, open_ended=True),
            text("JPAY1__Provider__c", 80),
            Field("JPAY1__TransactionNo__c", "string", length=80, external_id=True),
            day("JPAY1__Date__c"),
        ),
    ),
    SObject(
        ITEM,
        "Entry Item",
        "a0K",
        (
            auto_name("EI-{0:08d}"),
            master("JPAY1__Entry__c", ENTRY, "JPAY1__EntryItems__r"),
            lookup("JPAY1__Payment__c", PAYMENT, required=True, children="JPAY1__EntryItems__r"),
            amount("JPAY1__ExpectedAmount__c"),
            sum_of("JPAY1__AssignedAmount__c"),
        ),
    ),
    SObject(
        NOTIFICATION,
        "Payment Notification",
        "a0N",
        (
            auto_name("PN-{0:08d}"),
            lookup("JPAY1__Payment__c", PAYMENT, required=True, children="JPAY1__PaymentNotifications__r"),
            amount("JPAY1__Amount__c"),
            choice("JPAY1__Type__c", "Capture", "Refund", "Chargeback"),
            choice("JPAY1__Status__c", "Processed", "Duplicate"),
            Field("JPAY1__ExternalId__c", "string", length=255, external_id=True),
            text("JPAY1__Message__c"),
        ),
        creatable=False,
    ),
    SObject(
        REFUND,
        "Refund",
        "a0R",
        (
            auto_name("R-{0:08d}"),
            lookup("JPAY1__Entry__c", ENTRY, children="JPAY1__Refunds__r"),
            lookup("JPAY1__Payment__c", PAYMENT, children="JPAY1__Refunds__r"),
            amount("JPAY1__Amount__c", required=True),
            choice(
                "JPAY1__Status__c", "Prepared", "Approved", "Paid out", "Rejected", default="Prepared", read_only=True
            ),
            text("JPAY1__Reason__c"),
            text("JPAY1__TransactionNo__c", 80, read_only=True),
            Field("JPAY1__PayoutDate__c", "date", read_only=True),
        ),
        creatable=False,
    ),
)
