"""Posting: a document becomes a balanced transaction in the ledger, or stays as it is with the reason written on it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import accounting_amounts as amounts
from sandbox.salesforce.packages.accounting_amounts import CASH, KINDS, Kind
from sandbox.salesforce.packages.accounting_matching import match_credit_note
from sandbox.salesforce.packages.accounting_objects import BANK, CURRENCY, PERIOD, RATE, TAX_CODE, TRANSACTION, YEAR
from sandbox.salesforce.packages.accounting_rules import FINAL, SETTINGS, home_currency, user_companies
from sandbox.salesforce.packages.amounts import ZERO, children, dec, rounded, stored, total
from sandbox.salesforce.schema import Doc

JOB = "accounting.post"
TRANSACTION_LINE = amounts.TRANSACTION_LINE


@dataclass
class Entry:
    """One ledger line to be; `value` in document currency, debit positive."""

    line_type: str
    value: Decimal
    gla: str
    account: str | None = None
    tax_code: str | None = None
    reference: str | None = None
    description: str | None = None
    home: Decimal = ZERO


class Refusal(Exception):
    """The ledger does not take the document; the message says why."""


def install(org: Org) -> None:
    for kind in KINDS:
        org.after_save(kind.document, _trigger(kind))
    org.job(JOB, _run)


def _trigger(kind: Kind) -> Callable[[Org, Doc, Doc | None], None]:
    def triggered(org: Org, new: Doc, old: Doc | None) -> None:
        mode = new["c2g__TriggerPosting__c"]
        before = old["c2g__TriggerPosting__c"] if old else None
        if mode is None or mode == before or new[kind.status] in FINAL:
            return
        if mode == "Synchronous":
            post(org, kind, new["Id"])
        elif not SETTINGS.get(org, "posting_stuck"):
            org.schedule(JOB, SETTINGS.get(org, "posting_delay"), {"object": kind.document, "id": new["Id"]})

    return triggered


def _run(org: Org, payload: Any) -> None:
    kind = next(kind for kind in KINDS if kind.document == payload["object"])
    if stored(org, kind.document, payload["id"]).get("c2g__TriggerPosting__c"):
        post(org, kind, payload["id"])


def post_pending(org: Org) -> int:
    """Post what waits because asynchronous posting was stuck; the number of documents tried."""
    tried = 0
    for kind in KINDS:
        for mode in ("Asynchronous", "Synchronous"):
            for row in org.find(kind.document, "c2g__TriggerPosting__c", mode):
                if row[kind.status] not in FINAL:
                    post(org, kind, row["Id"])
                    tried += 1
    return tried


def post(org: Org, kind: Kind, document_id: str) -> str | None:
    """Post one document; answers the reason when the ledger refuses it, which the document then carries too."""
    document = stored(org, kind.document, document_id)
    if not document or document.get(kind.status) in FINAL:
        return None
    try:
        _check_set_up(org, kind, document)
        entries = _cash_entries(org, document) if kind is CASH else _sales_entries(org, kind, document)
        rate = _home_values(org, kind, document, entries)
    except Refusal as err:
        reason = str(err)[:255]
        failed = {"c2g__TriggerPosting__c": None, "c2g__TriggerPostingError__c": reason}
        org.update(kind.document, document_id, failed, system=True)
        return reason
    transaction = _write(org, kind, document, entries)
    done = {
        kind.status: "Complete",
        kind.rate: rate,
        "c2g__Transaction__c": transaction,
        "c2g__TriggerPostingError__c": None,
    }
    org.update(kind.document, document_id, done, system=True)
    if document.get(kind.status) == "Ready to Post & Match":
        match_credit_note(org, stored(org, kind.document, document_id))
    return None


def _check_set_up(org: Org, kind: Kind, document: Doc) -> None:
    if not amounts.lines(org, kind, document):
        raise Refusal("The document has no lines.")
    if document.get("c2g__OwnerCompany__c") not in user_companies(org):
        raise Refusal("The document belongs to a company that is not among your companies.")
    if not document.get(kind.currency):
        raise Refusal("The document has no currency.")
    if stored(org, CURRENCY, document[kind.currency]).get("c2g__OwnerCompany__c") != document["c2g__OwnerCompany__c"]:
        raise Refusal("The currency belongs to another company than the document.")
    period = stored(org, PERIOD, document.get("c2g__Period__c"))
    if not period:
        raise Refusal(f"There is no period for {document.get(kind.date)}.")
    if not period["c2g__StartDate__c"] <= document.get(kind.date, "") <= period["c2g__EndDate__c"]:
        raise Refusal(f"The date {document.get(kind.date)} is not within the period {period['Name']}.")
    year = stored(org, YEAR, period["c2g__YearName__c"])
    shut = period.get("c2g__Closed__c") or period.get("c2g__SoftClose__c") or period.get(kind.ledger)
    if shut or year.get("c2g__Status__c") != "Open":
        raise Refusal(f"The period {period['Name']} is closed.")


def _control_account(org: Org, account_id: Any, override: Any = None) -> str:
    account = stored(org, "Account", account_id)
    if not account:
        raise Refusal("A line has no account.")
    found = override or account.get("c2g__CODAAccountsReceivableControl__c")
    if not found:
        raise Refusal(f"The account {account['Name']} has no accounts receivable control.")
    return str(found)


def _sales_entries(org: Org, kind: Kind, document: Doc) -> list[Entry]:
    sign, net_of = kind.sign, amounts.line_net(kind)
    control = _control_account(org, document["c2g__Account__c"], document.get("c2g__GeneralLedgerAccount__c"))
    entries = [
        Entry(
            "Account",
            sign * amounts.document_total(kind)(org, document),
            control,
            document["c2g__Account__c"],
            reference=document.get("c2g__CustomerReference__c"),
        )
    ]
    taxes: dict[str, Decimal] = {}
    for line in amounts.lines(org, kind, document):
        number = int(dec(line, "c2g__LineNumber__c"))
        revenue = line.get("c2g__GeneralLedgerAccount__c")
        if not revenue:
            product = stored(org, "Product2", line.get("c2g__Product__c"))
            revenue = product.get("c2g__CODASalesRevenueAccount__c")
            if not revenue:
                raise Refusal(f"Line {number}: the product {product.get('Name', '')} has no sales revenue account.")
        description = line.get("c2g__LineDescription__c")
        entries.append(Entry("Analysis", -sign * net_of(org, line), revenue, description=description))
        for n in range(1, 4):
            value, code = dec(line, f"c2g__TaxValue{n}__c"), line.get(f"c2g__TaxCode{n}__c")
            if value and not code:
                raise Refusal(f"Line {number}: the tax value {value} has no tax code.")
            if code:
                taxes[code] = taxes.get(code, ZERO) + value
    for code, value in taxes.items():
        tax_code = stored(org, TAX_CODE, code)
        if not tax_code.get("c2g__GeneralLedgerAccount__c"):
            raise Refusal(f"The tax code {tax_code.get('Name', code)} has no general ledger account.")
        entries.append(Entry("Tax", -sign * value, tax_code["c2g__GeneralLedgerAccount__c"], tax_code=code))
    return entries


def _cash_entries(org: Org, document: Doc) -> list[Entry]:
    bank = stored(org, BANK, document.get("c2g__BankAccount__c"))
    if not bank:
        raise Refusal("The cash entry has no bank account.")
    if not bank.get("c2g__GeneralLedgerAccount__c"):
        raise Refusal(f"The bank account {bank['Name']} has no general ledger account.")
    if bank.get("c2g__BankAccountCurrency__c") != document["c2g__CashEntryCurrency__c"]:
        raise Refusal(f"The bank account {bank['Name']} is kept in another currency than the cash entry.")
    if bank.get("c2g__OwnerCompany__c") != document["c2g__OwnerCompany__c"]:
        raise Refusal(f"The bank account {bank['Name']} belongs to another company than the cash entry.")
    lines = amounts.lines(org, CASH, document)
    places = amounts.places(org, CASH, document)
    whole = total(lines, "c2g__CashEntryValue__c")
    for line in lines:
        value = dec(line, "c2g__CashEntryValue__c")
        number = int(dec(line, "c2g__LineNumber__c"))
        if value <= 0:
            raise Refusal(f"Line {number}: the cash entry value must be greater than zero.")
        if value != rounded(value, places):
            raise Refusal(f"Line {number}: the cash entry value {value} has more than {places} decimal places.")
    given = document.get("c2g__Value__c")
    if given is not None and Decimal(given) != rounded(whole, 2):  # the header keeps two decimals in any currency
        raise Refusal(f"The value of the cash entry, {given}, is not the total of its lines, {whole}.")
    sign = 1 if document.get("c2g__Type__c") in ("Refund", "Payment") else -1
    charges = dec(document, "c2g__ChargesAmount__c")
    entries = [
        Entry(
            "Account",
            sign * dec(line, "c2g__CashEntryValue__c"),
            _control_account(org, line.get("c2g__Account__c")),
            line.get("c2g__Account__c"),
            reference=line.get("c2g__AccountReference__c"),
            description=line.get("c2g__LineDescription__c"),
        )
        for line in lines
    ]
    if charges:
        if not document.get("c2g__ChargesGLA__c"):
            raise Refusal("The charges have no general ledger account.")
        entries.append(Entry("Analysis", charges, document["c2g__ChargesGLA__c"], description="Charges"))
    entries.append(Entry("Analysis", -sign * whole - charges, bank["c2g__GeneralLedgerAccount__c"]))
    return entries


def exchange_rate(org: Org, currency_id: str, on: str) -> Decimal | None:
    """Units of the currency for one unit of the home currency on a day."""
    begun = [
        row
        for row in children(org, RATE, "c2g__ExchangeRateCurrency__c", currency_id)
        if row.get("c2g__StartDate__c", "") <= on
    ]
    latest = max(begun, key=lambda row: str(row.get("c2g__StartDate__c", "")), default=None)
    return dec(latest, "c2g__Rate__c") if latest else None


def _home_values(org: Org, kind: Kind, document: Doc, entries: list[Entry]) -> Decimal:
    """Fill `home` so that it sums to zero; the last line takes what rounding leaves. Answers the rate used."""
    home = home_currency(org, document["c2g__OwnerCompany__c"])
    if not home:
        raise Refusal("The company has no home currency.")
    currency = document[kind.currency]
    rate = Decimal(1) if currency == home["Id"] else dec(document, kind.rate)
    rate = rate or exchange_rate(org, currency, document[kind.date]) or ZERO
    if rate <= 0:
        raise Refusal(f"There is no exchange rate for {document.get('CurrencyIsoCode')} on {document[kind.date]}.")
    places = amounts.decimals(org, home["Id"])
    for entry in entries:
        entry.home = rounded(entry.value / rate, places)
    entries[-1].home -= sum((entry.home for entry in entries), ZERO)
    return rate


def _account_value(org: Org, document: Doc, currency: str, entry: Entry) -> Decimal:
    """The line's value in the account's trading currency."""
    trading = stored(org, "Account", entry.account).get("c2g__CODAAccountTradingCurrency__c")
    if not trading or trading == currency:
        return entry.value
    if trading == home_currency(org, document["c2g__OwnerCompany__c"]).get("Id"):
        return entry.home
    rate = exchange_rate(org, trading, org.today())
    if rate is None:
        return entry.home
    return rounded(entry.home * rate, amounts.decimals(org, trading))


def _write(org: Org, kind: Kind, document: Doc, entries: list[Entry]) -> str:
    reference = document.get("c2g__Reference__c") if kind is CASH else document.get("c2g__CustomerReference__c")
    transaction = org.create(
        TRANSACTION,
        {
            "c2g__TransactionType__c": kind.transaction_type,
            "c2g__TransactionDate__c": document[kind.date],
            "c2g__DocumentNumber__c": document["Name"],
            "c2g__DocumentReference__c": reference,
            kind.transaction_link: document["Id"],
            "c2g__Period__c": document["c2g__Period__c"],
            "c2g__OwnerCompany__c": document["c2g__OwnerCompany__c"],
            "c2g__DocumentCurrency__c": document[kind.currency],
            "CurrencyIsoCode": document.get("CurrencyIsoCode"),
        },
        system=True,
    )
    for number, entry in enumerate(entries, 1):
        open_item = entry.line_type == "Account"
        account_value = _account_value(org, document, document[kind.currency], entry) if open_item else None
        line: Doc = {
            "c2g__Transaction__c": transaction,
            "c2g__LineType__c": entry.line_type,
            "c2g__LineNumber__c": number,
            "c2g__HomeValue__c": entry.home,
            "c2g__DocumentValue__c": entry.value,
            "c2g__AccountValue__c": account_value,
            "c2g__MatchingStatus__c": "Available" if open_item else "Not Matchable",
            "c2g__GeneralLedgerAccount__c": entry.gla,
            "c2g__Account__c": entry.account,
            "c2g__TaxCode1__c": entry.tax_code,
            "c2g__LineReference__c": entry.reference,
            "c2g__LineDescription__c": entry.description,
            "c2g__DueDate__c": document.get("c2g__DueDate__c"),
        }
        if open_item:
            line |= {
                "c2g__HomeOutstandingValue__c": entry.home,
                "c2g__DocumentOutstandingValue__c": entry.value,
                "c2g__AccountOutstandingValue__c": account_value,
            }
        org.create(TRANSACTION_LINE, line, system=True)
    return transaction
