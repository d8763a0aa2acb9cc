"""What the accounting documents compute: line values, totals, outstanding amounts, payment status."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.amounts import ZERO, children, dec, rounded, stored, total
from sandbox.salesforce.schema import Doc

CURRENCY = "c2g__codaAccountingCurrency__c"
TRANSACTION_LINE = "c2g__codaTransactionLineItem__c"


@dataclass(frozen=True)
class Kind:
    """One kind of document with lines, and where it keeps what; `sign` is that of its account line when posted."""

    document: str
    line: str
    parent: str
    child_name: str
    currency: str
    date: str
    status: str
    rate: str
    transaction_type: str
    transaction_link: str
    ledger: str
    sign: int


INVOICE = Kind(
    "c2g__codaInvoice__c",
    "c2g__codaInvoiceLineItem__c",
    "c2g__Invoice__c",
    "c2g__InvoiceLineItems__r",
    "c2g__InvoiceCurrency__c",
    "c2g__InvoiceDate__c",
    "c2g__InvoiceStatus__c",
    "c2g__InvoiceRate__c",
    "Invoice",
    "c2g__SalesInvoice__c",
    "c2g__AR__c",
    1,
)
CREDIT = Kind(
    "c2g__codaCreditNote__c",
    "c2g__codaCreditNoteLineItem__c",
    "c2g__CreditNote__c",
    "c2g__CreditNoteLineItems__r",
    "c2g__CreditNoteCurrency__c",
    "c2g__CreditNoteDate__c",
    "c2g__CreditNoteStatus__c",
    "c2g__CreditNoteRate__c",
    "Credit Note",
    "c2g__SalesCreditNote__c",
    "c2g__AR__c",
    -1,
)
CASH = Kind(
    "c2g__codaCashEntry__c",
    "c2g__codaCashEntryLineItem__c",
    "c2g__CashEntry__c",
    "c2g__CashEntryLineItems__r",
    "c2g__CashEntryCurrency__c",
    "c2g__Date__c",
    "c2g__Status__c",
    "c2g__CashEntryRate__c",
    "Cash",
    "c2g__CashEntry__c",
    "c2g__Cash__c",
    -1,
)
KINDS = (INVOICE, CREDIT, CASH)


def decimals(org: Org, currency_id: Any) -> int:
    """Decimal places of an accounting currency; 2 while none is chosen."""
    currency = stored(org, CURRENCY, currency_id)
    return int(dec(currency, "c2g__DecimalPlaces__c")) if currency else 2


def places(org: Org, kind: Kind, document: Doc) -> int:
    return decimals(org, document.get(kind.currency))


def lines(org: Org, kind: Kind, document: Doc) -> list[Doc]:
    return children(org, kind.line, kind.parent, document.get("Id"))


# --- lines ---------------------------------------------------------------------------------------------------------


def line_net(kind: Kind) -> Callable[[Org, Doc], Decimal]:
    def net(org: Org, line: Doc) -> Decimal:
        document = stored(org, kind.document, line.get(kind.parent))
        return rounded(dec(line, "c2g__Quantity__c") * dec(line, "c2g__UnitPrice__c"), places(org, kind, document))

    return net


def line_tax(org: Org, line: Doc) -> Decimal:
    return sum((dec(line, f"c2g__TaxValue{n}__c") for n in range(1, 4)), ZERO)


def line_rate(org: Org, line: Doc) -> Decimal:
    return sum((dec(line, f"c2g__TaxRate{n}__c") for n in range(1, 4)), ZERO)


# --- documents -----------------------------------------------------------------------------------------------------


def net_total(kind: Kind) -> Callable[[Org, Doc], Decimal]:
    net = line_net(kind)
    return lambda org, document: sum((net(org, line) for line in lines(org, kind, document)), ZERO)


def tax_total(kind: Kind, numbers: tuple[int, ...]) -> Callable[[Org, Doc], Decimal]:
    def tax(org: Org, document: Doc) -> Decimal:
        found = lines(org, kind, document)
        return sum((total(found, f"c2g__TaxValue{n}__c") for n in numbers), ZERO)

    return tax


def document_total(kind: Kind) -> Callable[[Org, Doc], Decimal]:
    net, tax = net_total(kind), tax_total(kind, (1, 2, 3))
    return lambda org, document: net(org, document) + tax(org, document)


def line_count(kind: Kind) -> Callable[[Org, Doc], Decimal]:
    return lambda org, document: Decimal(len(lines(org, kind, document)))


def cash_total(org: Org, document: Doc) -> Decimal:
    """What the lines of a cash entry come to."""
    return total(lines(org, CASH, document), "c2g__CashEntryValue__c")


def net_banked(org: Org, document: Doc) -> Decimal:
    return cash_total(org, document) - dec(document, "c2g__ChargesAmount__c")


def outstanding(org: Org, document: Doc) -> Decimal | None:
    """What is still open on the document's account lines, with the ledger's sign; None before it is posted."""
    if not document.get("c2g__Transaction__c"):
        return None
    return transaction_outstanding(org, {"Id": document["c2g__Transaction__c"]})


def payment_status(kind: Kind) -> Callable[[Org, Doc], str]:
    whole = document_total(kind)

    def status(org: Org, document: Doc) -> str:
        if document.get(kind.status) != "Complete":
            return "Not Applicable"
        left = abs(outstanding(org, document) or ZERO)
        if left == 0:
            return "Paid"
        return "Unpaid" if left == abs(whole(org, document)) else "Part Paid"

    return status


# --- the ledger ----------------------------------------------------------------------------------------------------


def account_lines(org: Org, transaction_id: Any) -> list[Doc]:
    found = children(org, TRANSACTION_LINE, "c2g__Transaction__c", transaction_id)
    return [line for line in found if line.get("c2g__LineType__c") == "Account"]


def transaction_total(org: Org, transaction: Doc) -> Decimal:
    return total(account_lines(org, transaction.get("Id")), "c2g__DocumentValue__c")


def transaction_outstanding(org: Org, transaction: Doc) -> Decimal:
    return total(account_lines(org, transaction.get("Id")), "c2g__DocumentOutstandingValue__c")


def transaction_account_total(org: Org, transaction: Doc) -> Decimal:
    return total(account_lines(org, transaction.get("Id")), "c2g__AccountValue__c")
