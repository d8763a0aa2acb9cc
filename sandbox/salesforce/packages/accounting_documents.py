"""Accounting's documents: sales invoices, sales credit notes and cash entries, each with lines."""

from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import accounting_amounts as amounts
from sandbox.salesforce.packages.accounting_amounts import CASH, CREDIT, INVOICE, Kind
from sandbox.salesforce.packages.accounting_objects import (
    BANK,
    COMPANY,
    CURRENCY,
    DIMENSIONS,
    GLA,
    PERIOD,
    TAX_CODE,
    TRANSACTION,
)
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
)
from sandbox.salesforce.schema import Field, SObject


def _today(org: Org) -> Any:
    return org.today()


def _dimensions() -> tuple[Field, ...]:
    return tuple(lookup(f"c2g__Dimension{n}__c", name) for n, name in enumerate(DIMENSIONS, 1))


def _posting() -> tuple[Field, ...]:
    """What every document has that can be posted."""
    return (
        lookup("c2g__OwnerCompany__c", COMPANY),
        lookup("c2g__Period__c", PERIOD),
        checkbox("c2g__DeriveCurrency__c", default=True),
        checkbox("c2g__DerivePeriod__c", default=True),
        lookup("c2g__Transaction__c", TRANSACTION, read_only=True),
        choice("c2g__TriggerPosting__c", "Synchronous", "Asynchronous"),
        text("c2g__TriggerPostingError__c", 255, read_only=True),
        text("c2g__DiscardReason__c", 255),
    )


def _sales_totals(kind: Kind, document_total: str) -> tuple[Field, ...]:
    return (
        computed("c2g__NetTotal__c", "currency", amounts.net_total(kind)),
        *(computed(f"c2g__Tax{n}Total__c", "currency", amounts.tax_total(kind, (n,))) for n in range(1, 4)),
        computed("c2g__TaxTotal__c", "currency", amounts.tax_total(kind, (1, 2, 3))),
        computed(document_total, "currency", amounts.document_total(kind)),
        computed("c2g__LineCount__c", "double", amounts.line_count(kind)),
        computed("c2g__OutstandingValue__c", "currency", amounts.outstanding),
        computed("c2g__PaymentStatus__c", "string", amounts.payment_status(kind)),
    )


def _sales_line(kind: Kind, label: str, prefix: str, switches: tuple[str, str, str]) -> SObject:
    """`switches`: the names that follow SetTaxCode1ToDefault, DeriveTaxRate1FromCode, CalculateTaxValue1FromRate."""
    default_code, derive_rate, calculate = switches
    return SObject(
        kind.line,
        label,
        prefix,
        (
            auto_name("{0:08d}"),
            master(kind.parent, kind.document, kind.child_name),
            lookup("c2g__Product__c", "Product2"),
            number("c2g__Quantity__c", 12, 6, default=1),
            number("c2g__UnitPrice__c", 9, 9),
            computed("c2g__NetValue__c", "currency", amounts.line_net(kind)),
            text("c2g__LineDescription__c", 255),
            number("c2g__LineNumber__c", 6, 0),
            *(lookup(f"c2g__TaxCode{n}__c", TAX_CODE) for n in range(1, 4)),
            *(number(f"c2g__TaxRate{n}__c", 4, 3) for n in range(1, 4)),
            *(money(f"c2g__TaxValue{n}__c", 16, 2) for n in range(1, 4)),
            computed("c2g__TaxValueTotal__c", "currency", amounts.line_tax),
            computed("c2g__TaxRateTotal__c", "double", amounts.line_rate),
            lookup("c2g__GeneralLedgerAccount__c", GLA),
            *_dimensions(),
            key("c2g__ExternalId__c", 32 if kind is INVOICE else 24),
            checkbox("c2g__DeriveLineNumber__c", default=True),
            checkbox("c2g__DeriveUnitPriceFromProduct__c", default=True),
            checkbox("c2g__UseProductInformation__c", default=True),
            *(checkbox(f"c2g__{default_code.format(n=n)}__c", default=True) for n in _numbers(default_code)),
            *(checkbox(f"c2g__{derive_rate.format(n=n)}__c", default=True) for n in _numbers(derive_rate)),
            *(checkbox(f"c2g__{calculate.format(n=n)}__c", default=True) for n in _numbers(calculate)),
        ),
    )


def _numbers(pattern: str) -> tuple[int, ...]:
    return (1, 2, 3) if "{n}" in pattern else (1,)


# The switches of an invoice line carry the number of the tax; those of a credit note line do not (contract 10.1.3).
INVOICE_SWITCHES = ("SetTaxCode{n}ToDefault", "DeriveTaxRate{n}FromCode", "CalculateTaxValue{n}FromRate")
CREDIT_SWITCHES = ("SetTaxCodeToDefault", "DeriveTaxRateFromCode", "CalculateTaxValueFromRate")
SWITCHES = {INVOICE.line: INVOICE_SWITCHES, CREDIT.line: CREDIT_SWITCHES}

_INVOICE = SObject(
    INVOICE.document,
    "Sales Invoice",
    "a1O",
    (
        auto_name("SIN{0:06d}"),
        lookup("c2g__Account__c", "Account", required=True),
        day("c2g__InvoiceDate__c", required=True, default=_today),
        day("c2g__DueDate__c"),
        lookup("c2g__InvoiceCurrency__c", CURRENCY),
        text("c2g__CustomerReference__c", 50),
        text("c2g__InvoiceDescription__c", 255),
        key("c2g__ExternalId__c", 32),
        *_dimensions(),
        lookup("c2g__GeneralLedgerAccount__c", GLA),
        *(lookup(f"c2g__TaxCode{n}__c", TAX_CODE) for n in range(1, 4)),
        number("c2g__InvoiceRate__c", 9, 9),
        number("c2g__DualRate__c", 9, 9),
        lookup("c2g__Opportunity__c", "Opportunity"),
        choice("c2g__ShippingMethod__c", "FedEx", "Mail", "Van"),
        choice("c2g__InvoiceType__c", "Invoice", open_ended=True),
        checkbox("c2g__DeriveDueDate__c", default=True),
        checkbox("c2g__CopyAccountValues__c", default=True),
        choice("c2g__InvoiceStatus__c", "In Progress", "Ready to Post", "Complete", "Discarded", default="In Progress"),
        choice("c2g__PrintStatus__c", "Not Printed", "Printed", default="Not Printed"),
        text("c2g__HoldStatus__c", 15),
        *_posting(),
        *_sales_totals(INVOICE, "c2g__InvoiceTotal__c"),
    ),
)

_CREDIT = SObject(
    CREDIT.document,
    "Sales Credit Note",
    "a1Q",
    (
        auto_name("SCR{0:06d}"),
        lookup("c2g__Account__c", "Account", required=True),
        day("c2g__CreditNoteDate__c", required=True, default=_today),
        day("c2g__DueDate__c"),
        lookup("c2g__CreditNoteCurrency__c", CURRENCY),
        lookup("c2g__Invoice__c", INVOICE.document),
        day("c2g__InvoiceDate__c"),
        text("c2g__CustomerReference__c", 50),
        text("c2g__CreditNoteDescription__c", 255),
        choice(
            "c2g__CreditNoteReason__c",
            "Damaged Goods",
            "Goods Returned",
            "Incorrect Shipment",
            "Overcharge",
            "Retrospective Discount",
        ),
        key("c2g__ExternalId__c", 24),
        *_dimensions(),
        number("c2g__CreditNoteRate__c", 9, 9),
        checkbox("c2g__DeriveDueDate__c", default=True),
        choice(
            "c2g__CreditNoteStatus__c",
            "In Progress",
            "Ready to Post",
            "Complete",
            "Discarded",
            "Ready to Post & Match",
            default="In Progress",
        ),
        choice("c2g__PrintStatus__c", "Not Printed", "Printed", default="Not Printed"),
        *_posting(),
        *_sales_totals(CREDIT, "c2g__CreditNoteTotal__c"),
    ),
)

_CASH = SObject(
    CASH.document,
    "Cash Entry",
    "a1S",
    (
        auto_name("CSH{0:06d}"),
        choice("c2g__Type__c", "Receipt", "Refund", "Payment", "Payment Refund", default="Receipt"),
        day("c2g__Date__c", required=True, default=_today),
        lookup("c2g__BankAccount__c", BANK),
        lookup("c2g__Account__c", "Account"),
        lookup("c2g__CashEntryCurrency__c", CURRENCY),
        choice("c2g__PaymentMethod__c", "Cash", "Check", "Electronic", "Mixed", default="Cash"),
        text("c2g__Reference__c", 80),
        long_text("c2g__Description__c", 1000),
        money("c2g__Value__c", 16, 2),
        money("c2g__ChargesAmount__c", 16, 2),
        lookup("c2g__ChargesGLA__c", GLA),
        number("c2g__CashEntryRate__c", 9, 9),
        checkbox("c2g__DeriveBankAccount__c", default=True),
        choice("c2g__Status__c", "In Progress", "Complete", "Discarded", default="In Progress"),
        key("c2g__ExternalId__c", 32),
        *_dimensions(),
        *_posting(),
        computed("c2g__NetBanked__c", "currency", amounts.net_banked),
    ),
)

# The contract gives no decimals for the line's value; three let the ledger keep Kuwaiti dinars whole.
_CASH_LINE = SObject(
    CASH.line,
    "Cash Entry Line Item",
    "a1T",
    (
        auto_name("{0:08d}"),
        master(CASH.parent, CASH.document, CASH.child_name),
        lookup("c2g__Account__c", "Account"),
        money("c2g__CashEntryValue__c", 15, 3),
        money("c2g__BankAccountValue__c", 15, 3),
        money("c2g__Charges__c", 16, 2),
        text("c2g__AccountReference__c", 255),
        choice("c2g__AccountPaymentMethod__c", "Cash", "Check", "Electronic"),
        number("c2g__LineNumber__c", 6, 0),
        text("c2g__LineDescription__c", 255),
        text("c2g__DocumentsToMatch__c", 255),
        key("c2g__ExternalId__c", 32),
        *_dimensions(),
    ),
)

OBJECTS = (
    _INVOICE,
    _sales_line(INVOICE, "Sales Invoice Line Item", "a1P", INVOICE_SWITCHES),
    _CREDIT,
    _sales_line(CREDIT, "Sales Credit Note Line Item", "a1R", CREDIT_SWITCHES),
    _CASH,
    _CASH_LINE,
)
