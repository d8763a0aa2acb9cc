"""From draft to final invoice, and its cancellation (contract 3 and 4.1). All of it happens in one transaction."""

import uuid
from datetime import date, timedelta
from decimal import Decimal

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import cash
from sandbox.salesforce.packages.billing_balances import add_balance, book_invoice, open_period, refresh
from sandbox.salesforce.packages.billing_objects import BALANCE, DRAFTS, INSTALLMENT, INVOICE, LINE
from sandbox.salesforce.packages.cash_money import ZERO, money
from sandbox.salesforce.packages.cash_objects import ENTRY, ITEM, PAYMENT
from sandbox.salesforce.packages.cash_payments import CannotPay
from sandbox.salesforce.packages.cash_settings import current
from sandbox.salesforce.schema import Doc

PREPAID = "PP_"


def refused(message: str) -> SalesforceError:
    return SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message)


def finalize(org: Org, invoice_id: str) -> str:
    """Give a draft its number and make it final; returns the number. Raises SalesforceError and changes nothing."""
    invoice = org.existing(org.schema(INVOICE), invoice_id)
    if invoice["ONB2__Status__c"] not in DRAFTS:
        raise refused(f"Invoice {invoice['Name']} is {invoice['ONB2__Status__c']}: it has been finalized already")
    if not invoice["ONB2__Account__c"]:
        raise refused("The invoice has no account")
    if not org.find(LINE, "ONB2__Invoice__c", invoice_id):
        raise refused("The invoice has no lines")
    twin = invoice_with_key(org, invoice.get("EntryAssignmentKey__c"), besides=invoice_id)
    if twin is not None and invoice["ONB2__Type__c"] != "Cancelation":
        raise refused(f"Invoice {twin['Name']} carries the assignment key {invoice['EntryAssignmentKey__c']} already")
    settings = current(org.store)
    tenant = invoice["ONB2__Tenant__c"] or settings.invoice_tenant
    day = invoice["ONB2__Date__c"] or org.today()
    open_period(org, tenant, day, forward=False)
    number = org.store.number(f"salesforce.{INVOICE}.final.{tenant}")
    due = (date.fromisoformat(day) + timedelta(days=invoice["ONB2__PaymentDue__c"] or 0)).isoformat()
    closed = invoice["ONB2__Type__c"] in ("Deposit", "Proforma")
    final = {
        "Name": settings.invoice_number.format(tenant=tenant, number=number),
        "ONB2__Tenant__c": tenant,
        "ONB2__Date__c": day,
        "ONB2__PaymentDueDate__c": due,
        "ONB2__NextPaymentDue__c": due,
        "ONB2__UUID__c": str(uuid.uuid4()),
        "ONB2__Status__c": "Closed" if closed else "Open",
    }
    org.update(INVOICE, invoice_id, final, system=True)
    invoice |= final
    if not closed:
        book_invoice(org, invoice)
        _take_prepaid(org, invoice)
        if invoice["ONB2__Type__c"] != "Cancelation":
            _join_entry(org, invoice)
        refresh(org, invoice_id)
    return str(final["Name"])


def invoice_with_key(org: Org, key: str | None, besides: str | None = None) -> Doc | None:
    """The invoice, draft or final but not canceled, that carries an assignment key."""
    for row in org.find(INVOICE, "EntryAssignmentKey__c", key) if key else []:
        if row["Id"] != besides and row["ONB2__Type__c"] != "Cancelation" and row["ONB2__Status__c"] != "Canceled":
            return row
    return None


def _take_prepaid(org: Org, invoice: Doc) -> None:
    """Every `PP_` amount of the source rows becomes a prepaid balance; the same row's `PP_Reference__c` goes along."""
    for name in org.object_names():
        columns = [column for column in org.schema(name).fields if column.name.startswith(PREPAID)]
        if not columns or org.schema(name).field("ON_Invoice__c") is None:
            continue
        for row in org.find(name, "ON_Invoice__c", invoice["Id"]):
            for column in columns:
                taken = money(row[column.name]) if column.type == "currency" else ZERO
                if taken:
                    add_balance(
                        org,
                        invoice,
                        "Prepayment",
                        -taken,
                        ONB2__IsPrepaid__c=True,
                        ONB2__PaymentMethod__c=column.name.removeprefix(PREPAID).removesuffix("__c"),
                        ONB2__Reference__c=row.get("PP_Reference__c"),
                    )


def _join_entry(org: Org, invoice: Doc) -> None:
    """Link the entry with the same key and take its money over; without one, make an entry for what is still open."""
    key = invoice.get("EntryAssignmentKey__c")
    entries = org.find(ENTRY, "JPAY1__AssignmentKey__c", key) if key else []
    if entries:
        entry = entries[0]
        if entry["CurrencyIsoCode"] != invoice["CurrencyIsoCode"]:
            pair = f"{entry['CurrencyIsoCode']}, the invoice in {invoice['CurrencyIsoCode']}"
            raise refused(f"Entry {entry['Name']} with the same assignment key is in {pair}")
        installment = _installment(org, invoice, entry.get("JPAY1__PaymentLink__c"))
        link = {"JPAY1__Invoice__c": invoice["Id"], "JPAY1__Payment__c": installment}
        org.update(ENTRY, entry["Id"], link, system=True)
        for item in org.find(ITEM, "JPAY1__Entry__c", entry["Id"]):
            assigned = money(item["JPAY1__AssignedAmount__c"])
            if assigned:
                add_cash_balance(org, invoice, item, "Payment", -assigned)
        return
    refresh(org, invoice["Id"])
    still_open = money(org.existing(org.schema(INVOICE), invoice["Id"])["ONB2__Balance__c"])
    installment = _installment(org, invoice, None)
    if still_open > 0 or (still_open < 0 and invoice["ONB2__Type__c"] == "Credit"):
        values = {
            "JPAY1__Title__c": f"Invoice {invoice['Name']}",
            "JPAY1__PaymentReference__c": invoice["Name"],
            "JPAY1__Amount__c": still_open,
            "JPAY1__AssignmentKey__c": key or invoice["Name"],
            "JPAY1__Date__c": invoice["ONB2__Date__c"],
            "JPAY1__DueDate__c": invoice["ONB2__PaymentDueDate__c"],
            "JPAY1__Account__c": invoice["ONB2__Account__c"],
            "JPAY1__Invoice__c": invoice["Id"],
            "JPAY1__Payment__c": installment,
            "CurrencyIsoCode": invoice["CurrencyIsoCode"],
        }
        org.create(ENTRY, values, system=True)


def _installment(org: Org, invoice: Doc, link: str | None) -> str:
    row = {
        "ONB2__Invoice__c": invoice["Id"],
        "ONB2__Amount__c": invoice["ONB2__GrandTotal__c"],
        "ONB2__DueDate__c": invoice["ONB2__PaymentDueDate__c"],
        "ONB2__PaymentMethod__c": invoice["ONB2__PaymentMethod__c"],
        "ONB2__PaymentPageUrl__c": link,
        "CurrencyIsoCode": invoice["CurrencyIsoCode"],
    }
    return org.create(INSTALLMENT, row, system=True)


def add_cash_balance(org: Org, invoice: Doc, item: Doc, kind: str, amount: Decimal) -> None:
    """A balance that mirrors Cash Management: origin JPAY1, linked to the payment and the entry item."""
    payment = org.get(PAYMENT, item["JPAY1__Payment__c"]) or {}
    add_balance(
        org,
        invoice,
        kind,
        amount,
        ONB2__Origin__c="JPAY1",
        ONB2__NoAutoAssignment__c=True,
        ONB2__PaymentMethod__c=payment.get("JPAY1__PaymentMethod__c"),
        ONB2__PaymentProvider__c=payment.get("JPAY1__Provider__c"),
        ONB2__TransactionNo__c=payment.get("JPAY1__TransactionNo__c"),
        JPAY1__Payment__c=item["JPAY1__Payment__c"],
        JPAY1__EntryItem__c=item["Id"],
    )


def cancel(org: Org, invoice_id: str, reason: str | None, cbs: str | None) -> str:
    """Cancel a final invoice with an opposite document, and its entry; returns the new document's id."""
    invoice = org.existing(org.schema(INVOICE), invoice_id)
    if invoice["ONB2__Status__c"] not in ("Open", "Paid", "Settled") or invoice["ONB2__Type__c"] == "Cancelation":
        raise refused(f"Invoice {invoice['Name']} ({invoice['ONB2__Type__c']}) is {invoice['ONB2__Status__c']}")
    opposite_id = _opposite(org, invoice)
    finalize(org, opposite_id)
    opposite = org.existing(org.schema(INVOICE), opposite_id)
    canceled = {
        "ONB2__Status__c": "Canceled",
        "ONB2__CanceledWith__c": opposite_id,
        "ONB2__CancelationReason__c": reason,
        "ONB2__PaymentDate__c": None,
    }
    org.update(INVOICE, invoice_id, canceled, system=True)
    org.update(INVOICE, opposite_id, {"ONB2__Status__c": "Settled", "ONB2__CancelationReason__c": reason}, system=True)
    for row in org.find(BALANCE, "ONB2__Invoice__c", invoice_id):
        # Money taken stays on the account; it no longer belongs to this invoice.
        loose = {"ONB2__Invoice__c": None, "ONB2__RelatedInvoice__c": invoice_id}
        org.update(BALANCE, row["Id"], loose, system=True)
    grand = money(invoice["ONB2__GrandTotal__c"])
    add_balance(org, invoice, "Clearing", -grand, ONB2__RelatedInvoice__c=opposite_id)
    add_balance(org, opposite, "Clearing", grand, ONB2__RelatedInvoice__c=invoice_id)
    for row in org.find(INSTALLMENT, "ONB2__Invoice__c", invoice_id):
        org.update(INSTALLMENT, row["Id"], {"ONB2__Status__c": "Canceled"}, system=True)
    for entry in org.find(ENTRY, "JPAY1__Invoice__c", invoice_id):
        org.update(ENTRY, entry["Id"], {"JPAY1__Invoice__c": None, "JPAY1__Payment__c": None}, system=True)
        if entry["JPAY1__Status__c"] != "Canceled":
            detail = {"cancellationReason": reason, "cancellationCBS": cbs, "cancellationNo": opposite["Name"]}
            try:
                cash.cancel_entry(org, {"entryId": entry["Id"]} | detail)
            except CannotPay as err:
                raise refused(str(err)) from err
    return opposite_id


def _opposite(org: Org, invoice: Doc) -> str:
    kept = ("ONB2__Account__c", "ONB2__AccountName__c", "ONB2__Tenant__c", "ONB2__Email__c", "CurrencyIsoCode")
    head = {name: invoice[name] for name in kept} | {
        "ONB2__Type__c": "Cancelation",
        "ONB2__RelatedInvoice__c": invoice["Id"],
        "EntryAssignmentKey__c": invoice["EntryAssignmentKey__c"],
        "ONB2__Date__c": org.today(),
    }
    opposite = org.create(INVOICE, head, system=True)
    copied = ("ONB2__Title__c", "ONB2__Description__c", "ONB2__UnitPrice__c", "ONB2__TaxRate__c", "ONB2__Type__c")
    for line in org.find(LINE, "ONB2__Invoice__c", invoice["Id"]):
        row = {name: line[name] for name in (*copied, "ONB2__Sequence__c")}
        row |= {"ONB2__Invoice__c": opposite, "ONB2__Quantity__c": -line["ONB2__Quantity__c"]}
        org.create(LINE, row, system=True)
    return opposite
