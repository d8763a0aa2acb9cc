"""Cash matching, which people do: open account lines of opposite sign are set against each other."""

from decimal import Decimal
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.accounting_amounts import CASH, CREDIT, INVOICE, TRANSACTION_LINE, Kind, account_lines
from sandbox.salesforce.packages.accounting_objects import MATCH_HISTORY, MATCH_REFERENCE, TRANSACTION
from sandbox.salesforce.packages.amounts import dec, rounded, stored
from sandbox.salesforce.schema import Doc

VALUES = ("Home", "Document", "Account")


def find_document(org: Org, kind: Kind, name: Any) -> Doc:
    """A document by its number, its external id or its id; raises ActError."""
    for field in ("Name", "c2g__ExternalId__c"):
        found = org.find(kind.document, field, str(name))
        if found:
            return found[0]
    row = org.get(kind.document, str(name))
    if row is None:
        raise ActError(f"{kind.document}: there is none called {name!r}")
    return row


def match(org: Org, arguments: Doc) -> Doc:
    """`match {"invoice", "cash" | "credit_note", "amount"?}`, or without names everything that a reference pairs."""
    if not {"invoice", "cash", "credit_note"} & set(arguments):
        return {"matched": _match_by_reference(org)}
    other = CASH if "cash" in arguments else CREDIT
    argument = "cash" if other is CASH else "credit_note"
    if "invoice" not in arguments or argument not in arguments:
        raise ActError("match: name the invoice and the cash entry or credit note, or none of them")
    invoice = find_document(org, INVOICE, arguments["invoice"])
    against = find_document(org, other, arguments[argument])
    debits, credits = _open(org, invoice, +1), _open(org, against, -1)
    if not debits or not credits:
        raise ActError(f"match: nothing is open on {(invoice if not debits else against)['Name']}")
    amount = arguments.get("amount")
    if invoice["c2g__Account__c"] != credits[0].get("c2g__Account__c"):
        raise ActError(f"match: {invoice['Name']} and {against['Name']} belong to different accounts")
    if invoice["CurrencyIsoCode"] != against["CurrencyIsoCode"]:
        raise ActError(f"match: {invoice['Name']} and {against['Name']} are in different currencies")
    matched = match_lines(org, debits[0], credits[0], None if amount is None else Decimal(str(amount)))
    return {"matched": 1, "amount": str(matched)}


def match_credit_note(org: Org, credit_note: Doc) -> None:
    """Set a posted credit note against the invoice it names ("Ready to Post & Match")."""
    invoice = stored(org, INVOICE.document, credit_note.get("c2g__Invoice__c"))
    debits, credits = _open(org, invoice, +1), _open(org, credit_note, -1)
    if debits and credits:
        match_lines(org, debits[0], credits[0], None)


def _open(org: Org, document: Doc, sign: int) -> list[Doc]:
    found = account_lines(org, document.get("c2g__Transaction__c"))
    return [line for line in found if sign * dec(line, "c2g__DocumentOutstandingValue__c") > 0]


def match_lines(org: Org, debit: Doc, credit: Doc, amount: Decimal | None) -> Decimal:
    """Take `amount` (or all that both allow) off both lines; answers what was matched, in document currency."""
    possible = min(
        dec(debit, "c2g__DocumentOutstandingValue__c"),
        -dec(credit, "c2g__DocumentOutstandingValue__c"),
    )
    if amount is not None and not 0 < amount <= possible:
        raise ActError(f"amount: {amount} is not between 0 and {possible}")
    taken = possible if amount is None else amount
    reference = org.create(MATCH_REFERENCE, {"c2g__MatchingDate__c": org.today()}, system=True)
    for line, change in ((debit, -taken), (credit, taken)):
        _reduce(org, line, change)
        org.create(
            MATCH_HISTORY,
            {
                "c2g__Action__c": "Match",
                "c2g__MatchingReference__c": reference,
                "c2g__TransactionLineItem__c": line["Id"],
                "c2g__DocumentValue__c": change,
                "CurrencyIsoCode": line.get("CurrencyIsoCode"),
            },
            system=True,
        )
    return taken


def _reduce(org: Org, line: Doc, change: Decimal) -> None:
    before = dec(line, "c2g__DocumentOutstandingValue__c")
    after = before + change
    new: Doc = {"c2g__MatchingStatus__c": "Matched" if after == 0 else "Available"}
    for kind in VALUES:
        field = f"c2g__{kind}OutstandingValue__c"
        new[field] = after if kind == "Document" else rounded(dec(line, field) * after / before, 3)
    org.update(TRANSACTION_LINE, line["Id"], new, system=True)


def _match_by_reference(org: Org) -> int:
    """Pair every open receipt line with the open invoice that its reference names, on the same account and currency."""
    invoices: dict[tuple[Any, Any, str], Doc] = {}
    for invoice in org.find(INVOICE.document, INVOICE.status, "Complete"):
        if _open(org, invoice, +1):
            for field in ("c2g__ExternalId__c", "c2g__CustomerReference__c", "Name"):
                if invoice[field]:
                    invoices[invoice["c2g__Account__c"], invoice["CurrencyIsoCode"], invoice[field]] = invoice
    matched = 0
    for line in org.find(TRANSACTION_LINE, "c2g__LineType__c", "Account"):
        transaction = stored(org, TRANSACTION, line["c2g__Transaction__c"])
        key = (line["c2g__Account__c"], transaction.get("CurrencyIsoCode"), line["c2g__LineReference__c"] or "")
        if dec(line, "c2g__DocumentOutstandingValue__c") >= 0 or key not in invoices:
            continue
        debits = _open(org, invoices[key], +1)
        if debits:
            match_lines(org, debits[0], line, None)
            matched += 1
    return matched
