"""The ledger's part of the books: receipts and refunds, sales invoices, credit notes."""

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import accounting_amounts as amounts
from sandbox.salesforce.packages.accounting_amounts import CASH, CREDIT, INVOICE, Kind
from sandbox.salesforce.packages.accounting_objects import TRANSACTION
from sandbox.salesforce.packages.amounts import dec, minor, plain, stored
from sandbox.salesforce.schema import Doc


def books(org: Org) -> Doc:
    return {
        "payments": [_payment(org, row) for row in org.all(CASH.document)],
        "invoices": [_sales(org, INVOICE, row, row["c2g__InvoiceTotal__c"]) for row in org.all(INVOICE.document)],
        "credit_notes": [_sales(org, CREDIT, row, row["c2g__CreditNoteTotal__c"]) for row in org.all(CREDIT.document)],
    }


def _customer(org: Org, account_id: str | None) -> str | None:
    key = stored(org, "Account", account_id).get("Magento_Customer_Id__c")
    return None if key is None else str(key)


def _document(org: Org, kind: Kind, row: Doc) -> Doc:
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": row["c2g__ExternalId__c"],
        "currency": row["CurrencyIsoCode"],
        "status": row[kind.status],
        "error": row["c2g__TriggerPostingError__c"],
    }


def _payment(org: Org, row: Doc) -> Doc:
    """A cash entry; refunds are negative. `refs.total` is exact where the amount is finer than the currency."""
    lines = amounts.lines(org, CASH, row)
    sign = -1 if row["c2g__Type__c"] in ("Refund", "Payment") else 1
    whole = sign * amounts.cash_total(org, row)
    account = row["c2g__Account__c"] or next((line.get("c2g__Account__c") for line in lines), None)
    references = [line["c2g__AccountReference__c"] for line in lines if line.get("c2g__AccountReference__c")]
    return _document(org, CASH, row) | {
        "customer": _customer(org, account),
        "total_minor": minor(whole, amounts.places(org, CASH, row)),
        "lines": [],
        "refs": {
            "type": row["c2g__Type__c"],
            "total": plain(whole),
            "reference": row["c2g__Reference__c"],
            "account_reference": ", ".join(references) or None,
            "transaction": stored(org, TRANSACTION, row["c2g__Transaction__c"]).get("Name"),
        },
    }


def _sales(org: Org, kind: Kind, row: Doc, whole: object) -> Doc:
    places = amounts.places(org, kind, row)
    net = amounts.line_net(kind)
    return _document(org, kind, row) | {
        "customer": _customer(org, row["c2g__Account__c"]),
        "total_minor": minor(dec({"total": whole}, "total"), places),
        "lines": [
            {
                "sku": stored(org, "Product2", line.get("c2g__Product__c")).get("ProductCode"),
                "quantity": plain(dec(line, "c2g__Quantity__c")),
                "total_minor": minor(net(org, line), places),
            }
            for line in amounts.lines(org, kind, row)
        ],
        "refs": {
            "reference": row["c2g__CustomerReference__c"],
            "payment_status": row["c2g__PaymentStatus__c"],
            "transaction": stored(org, TRANSACTION, row["c2g__Transaction__c"]).get("Name"),
        },
    }
