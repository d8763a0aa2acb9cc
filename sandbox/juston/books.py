"""JustOn's books in the neutral shape: entries, payments, invoices, credit notes, and the orders that the run bills."""

from typing import Any

from sandbox.kernel.store import Doc
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.billing import line_amounts
from sandbox.salesforce.packages.billing_objects import INVOICE, LINE
from sandbox.salesforce.packages.cash_money import minor_units, money
from sandbox.salesforce.packages.cash_objects import ENTRY, ITEM, PAYMENT, REFUND
from sandbox.salesforce.packages.web_order_objects import ORDER, ORDER_LINE

CREDITS = frozenset({"Cancelation", "Credit"})


def books(org: Org) -> dict[str, Any]:
    documents = [(row["ONB2__Type__c"], _invoice(org, row)) for row in org.all(INVOICE)]
    return {
        "orders": [_order(org, row) for row in org.all(ORDER)],
        "payments": [_payment(org, row) for row in org.all(PAYMENT)],
        "refunds": [_refund(org, row) for row in org.all(REFUND)],
        "entries": [_entry(row) for row in org.all(ENTRY)],
        "invoices": [document for kind, document in documents if kind not in CREDITS],
        "credit_notes": [document for kind, document in documents if kind in CREDITS],
    }


def _entry(row: Doc) -> dict[str, Any]:
    currency = row["CurrencyIsoCode"]
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": row["JPAY1__AssignmentKey__c"],
        "currency": currency,
        "total_minor": minor_units(row["JPAY1__Amount__c"], currency),
        "open_minor": minor_units(row["JPAY1__OpenAmount__c"], currency),
        "status": row["JPAY1__Status__c"],
        "refs": {"invoice": row["JPAY1__Invoice__c"], "cbs": row["JPAY1__CancellationCBS__c"]},
    }


def _payment(org: Org, row: Doc) -> dict[str, Any]:
    currency = row["CurrencyIsoCode"]
    items = org.find(ITEM, "JPAY1__Payment__c", row["Id"])
    entry = org.get(ENTRY, items[0]["JPAY1__Entry__c"]) if items else None
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": entry["JPAY1__AssignmentKey__c"] if entry else None,
        "currency": currency,
        "total_minor": minor_units(row["JPAY1__CollectedAmount__c"], currency),
        "refunded_minor": minor_units(row["JPAY1__RefundedAmount__c"], currency),
        "status": row["JPAY1__Status__c"],
        "refs": {"entry": entry["Name"] if entry else None, "transaction": row["JPAY1__TransactionNo__c"]},
    }


def _refund(org: Org, row: Doc) -> dict[str, Any]:
    entry = org.get(ENTRY, row["JPAY1__Entry__c"]) if row["JPAY1__Entry__c"] else None
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": entry["JPAY1__AssignmentKey__c"] if entry else None,
        "currency": row["CurrencyIsoCode"],
        "total_minor": minor_units(row["JPAY1__Amount__c"], row["CurrencyIsoCode"]),
        "status": row["JPAY1__Status__c"],
        "refs": {"entry": entry["Name"] if entry else None, "transaction": row["JPAY1__TransactionNo__c"]},
    }


def _invoice(org: Org, row: Doc) -> dict[str, Any]:
    currency = row["CurrencyIsoCode"]
    source = org.find(ORDER, "ON_Invoice__c", row["Id"])
    if not source and row["ONB2__RelatedInvoice__c"]:
        source = org.find(ORDER, "ON_Invoice__c", row["ONB2__RelatedInvoice__c"])
    entries = org.find(ENTRY, "JPAY1__Invoice__c", row["Id"])
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": source[0]["Magento_Order_Id__c"] if source else row["EntryAssignmentKey__c"],
        "customer": _customer(org, row["ONB2__Account__c"]),
        "currency": currency,
        "total_minor": minor_units(row["ONB2__GrandTotal__c"], currency),
        "status": row["ONB2__Status__c"],
        "lines": [_line(line, currency) for line in org.find(LINE, "ONB2__Invoice__c", row["Id"])],
        "refs": {
            "entry": entries[0]["Name"] if entries else None,
            "web_order": source[0]["Name"] if source else None,
            "balance_minor": minor_units(row["ONB2__Balance__c"], currency),
            "related_invoice": row["ONB2__RelatedInvoice__c"],
            "type": row["ONB2__Type__c"],
        },
    }


def _line(line: Doc, currency: str) -> dict[str, Any]:
    """A billed line; JustOn knows titles, not article numbers. The total is gross."""
    total = money(line["ONB2__PosTotalNet__c"]) + money(line["ONB2__PosTotalTax__c"])
    quantity = line["ONB2__Quantity__c"]
    return {
        "sku": line["ONB2__Title__c"],
        "quantity": f"{quantity.normalize():f}",
        "total_minor": minor_units(total, currency),
    }


def _order(org: Org, row: Doc) -> dict[str, Any]:
    currency = row["CurrencyIsoCode"]
    lines = []
    for line in org.find(ORDER_LINE, "Web_Order__c", row["Id"]):
        quantity = money(line["ON_Quantity__c"])
        net, tax = line_amounts(
            line["ON_LineType__c"], quantity, line["ON_UnitPrice__c"], line["ON_TaxRate__c"], currency
        )
        total = minor_units(net + tax, currency)
        lines.append({"sku": line["ON_Title__c"], "quantity": f"{quantity.normalize():f}", "total_minor": total})
    error = row["ON_InvoiceBuildError__c"]
    state = "Canceled" if row["Canceled__c"] else "Billed" if row["ON_Invoice__c"] else "Error" if error else "Open"
    return {
        "id": row["Id"],
        "number": row["Name"],
        "key": row["Magento_Order_Id__c"],
        "customer": _customer(org, row["ON_Account__c"]),
        "currency": currency,
        "total_minor": sum(line["total_minor"] for line in lines),
        "status": state,
        "lines": lines,
        "refs": {"entry_key": row["Entry_Key__c"], "invoice": row["ON_Invoice__c"], "build_error": error},
    }


def _customer(org: Org, account_id: str | None) -> str | None:
    account = org.get("Account", account_id) if account_id else None
    return account.get("Magento_Customer_Id__c") if account else None
