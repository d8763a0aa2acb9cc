"""Balances (negative = money in) and booking data: what takes an invoice from Open to Paid and back (contract 4, 8)."""

from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.billing_objects import (
    BALANCE,
    BOOKING,
    DRAFTS,
    INSTALLMENT,
    INVOICE,
    LINE,
    PERIOD,
)
from sandbox.salesforce.packages.cash_money import ZERO, money
from sandbox.salesforce.schema import Doc

# Balance types that are booked, and as what. Clearings move nothing in or out, so they are not booking data.
BOOKED_AS = {
    "Payment": "Payment",
    "Cash": "Payment",
    "Chargeback": "Payment",
    "Prepayment": "Prepayment",
    "Refund": "Refund",
    "Payout": "Payout",
}
ACCOUNT_NO = {"Revenue": "4400", "Tax": "3806", "Payment": "1460", "Prepayment": "3250", "Refund": "1460"}
PAYABLE = frozenset({"Open", "Paid"})


def add_balance(org: Org, invoice: Doc, kind: str, amount: Decimal, **more: Any) -> str:
    """Register a balance on an invoice (`ONB2__Invoice__c` in `more` overrides it) and return its id."""
    row = {
        "ONB2__Account__c": invoice["ONB2__Account__c"],
        "ONB2__Invoice__c": invoice["Id"],
        "ONB2__Type__c": kind,
        "ONB2__Amount__c": amount,
        "ONB2__Date__c": org.today(),
        "CurrencyIsoCode": invoice["CurrencyIsoCode"],
    }
    balance_id = org.create(BALANCE, row | more, system=True)
    if kind in BOOKED_AS:
        _book_balance(org, invoice, org.existing(org.schema(BALANCE), balance_id))
    return balance_id


def after_balance(org: Org, new: Doc, old: Doc | None) -> None:
    """A balance was saved: bring the invoices that it touches up to date."""
    touched = {new["ONB2__Invoice__c"], old["ONB2__Invoice__c"] if old else None} - {None}
    for invoice_id in sorted(touched):
        refresh(org, invoice_id)


def refresh(org: Org, invoice_id: str) -> None:
    """Recompute the totals of a draft, the balance of any invoice, and Open or Paid of a final one."""
    invoice = org.existing(org.schema(INVOICE), invoice_id)
    change: Doc = {}
    if invoice["ONB2__Status__c"] in DRAFTS:
        lines = org.find(LINE, "ONB2__Invoice__c", invoice_id)
        change["ONB2__TotalNet__c"] = sum((money(line["ONB2__PosTotalNet__c"]) for line in lines), ZERO)
        change["ONB2__TotalTax__c"] = sum((money(line["ONB2__PosTotalTax__c"]) for line in lines), ZERO)
        change["ONB2__GrandTotal__c"] = change["ONB2__TotalNet__c"] + change["ONB2__TotalTax__c"]
    rows = [row for row in org.find(BALANCE, "ONB2__Invoice__c", invoice_id) if not row["ONB2__Draft__c"]]
    grand = money(change.get("ONB2__GrandTotal__c", invoice["ONB2__GrandTotal__c"]))
    still = grand + sum((money(row["ONB2__Amount__c"]) for row in rows), ZERO)
    change["ONB2__Balance__c"] = still
    if invoice["ONB2__Status__c"] in PAYABLE:
        # A refund gives money back by agreement: the invoice stays paid. A charge-back or a reversal re-opens it.
        agreed = sum((money(row["ONB2__Amount__c"]) for row in rows if row["ONB2__Type__c"] == "Refund"), ZERO)
        paid = still - agreed == 0
        change["ONB2__Status__c"] = "Paid" if paid else "Open"
        change["ONB2__PaymentDate__c"] = (invoice["ONB2__PaymentDate__c"] or org.today()) if paid else None
    org.update(INVOICE, invoice_id, change, system=True)
    if change.get("ONB2__Status__c") not in (None, invoice["ONB2__Status__c"]):
        for row in org.find(INSTALLMENT, "ONB2__Invoice__c", invoice_id):
            org.update(INSTALLMENT, row["Id"], {"ONB2__Status__c": change["ONB2__Status__c"]}, system=True)


def open_period(org: Org, tenant: str, day: str, *, forward: bool) -> str:
    """The booking period of a day, made when missing. A closed one refuses, or with `forward` gives way to the next."""
    when = date.fromisoformat(day)
    while True:
        month, year = f"{when.month:02d}", str(when.year)
        known = [
            row
            for row in org.find(PERIOD, "ONB2__Year__c", year)
            if row["ONB2__Month__c"] == month and row["ONB2__Tenant__c"] == tenant
        ]
        if not known:
            row = {
                "Name": f"{tenant} {year}-{month}",
                "ONB2__Month__c": month,
                "ONB2__Year__c": year,
                "ONB2__Tenant__c": tenant,
            }
            return org.create(PERIOD, row, system=True)
        if known[0]["ONB2__Status__c"] == "Open":
            return str(known[0]["Id"])
        if not forward:
            raise SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", f"Booking period {known[0]['Name']} is closed")
        when = date(when.year + when.month // 12, when.month % 12 + 1, 1)


def book_invoice(org: Org, invoice: Doc) -> None:
    """Revenue and tax rows of a final invoice, one pair for each tax rate; their sum is its grand total."""
    net: dict[Decimal, Decimal] = {}
    tax: dict[Decimal, Decimal] = {}
    for line in org.find(LINE, "ONB2__Invoice__c", invoice["Id"]):
        rate = money(line["ONB2__TaxRate__c"])
        net[rate] = net.get(rate, ZERO) + money(line["ONB2__PosTotalNet__c"])
        tax[rate] = tax.get(rate, ZERO) + money(line["ONB2__PosTotalTax__c"])
    for kind, sums in (("Revenue", net), ("Tax", tax)):
        for rate, amount in sums.items():
            if amount:
                _book(org, invoice, kind, amount, invoice["ONB2__Date__c"], ONB2__TaxRate__c=rate)


def _book_balance(org: Org, invoice: Doc, balance: Doc) -> None:
    kind = BOOKED_AS[balance["ONB2__Type__c"]]
    _book(
        org, invoice, kind, money(balance["ONB2__Amount__c"]), balance["ONB2__Date__c"], ONB2__Balance__c=balance["Id"]
    )


def _book(org: Org, invoice: Doc, kind: str, amount: Decimal, day: str, **more: Any) -> None:
    account = org.get("Account", invoice["ONB2__Account__c"]) if invoice["ONB2__Account__c"] else None
    row = {
        "ONB2__BookingPeriod__c": open_period(org, invoice["ONB2__Tenant__c"] or "", day, forward=True),
        "ONB2__Type__c": kind,
        "ONB2__Amount__c": amount,
        "ONB2__AbsoluteAmount__c": abs(amount),
        "ONB2__BookingDate__c": day,
        "ONB2__BookingText__c": f"{kind} {invoice['Name']}",
        "ONB2__Account__c": invoice["ONB2__Account__c"],
        "ONB2__AccountNo__c": ACCOUNT_NO.get(kind),
        "ONB2__BpAccountNo__c": account.get("ON_DebtorNo__c") if account else None,
        "ONB2__Invoice__c": invoice["Id"],
        "ONB2__InvoiceNo__c": invoice["Name"],
        "CurrencyIsoCode": invoice["CurrencyIsoCode"],
    }
    org.create(BOOKING, row | more, system=True)
