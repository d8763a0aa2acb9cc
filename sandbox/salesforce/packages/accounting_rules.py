"""What accounting does when a document is saved: derive what may be derived, refuse what the ledger forbids."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import USER_ID, Org
from sandbox.salesforce.packages.accounting_amounts import CASH, KINDS, Kind, lines, places
from sandbox.salesforce.packages.accounting_documents import SWITCHES
from sandbox.salesforce.packages.accounting_objects import BANK, COMPANY, CURRENCY, PERIOD, TAX_RATE, USER_COMPANY
from sandbox.salesforce.packages.amounts import children, dec, rounded, stored
from sandbox.salesforce.packages.settings import Settings
from sandbox.salesforce.schema import Doc

SETTINGS = Settings(
    "accounting",
    {
        "trigger_posting": True,  # the feature "Trigger Posting" is enabled
        "posting_delay": 0.3,  # seconds until an asynchronous posting runs
        "posting_stuck": False,  # asynchronous postings wait for the act post-pending
    },
)

FINAL = ("Complete", "Discarded")


def refuse(message: str, *fields: str) -> SalesforceError:
    return SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, fields)


def install(org: Org) -> None:
    for kind in KINDS:
        org.before_save(kind.document, _derive_document(kind))
        org.before_save(kind.document, _guard_document(kind), guard=True)
        org.before_delete(kind.document, _guard_delete(kind), guard=True)
        org.before_save(kind.line, _guard_line(kind), guard=True)
        org.before_delete(kind.line, _guard_line_delete(kind), guard=True)
        if kind is not CASH:
            org.before_save(kind.line, _derive_sales_line(kind))
        else:
            org.before_save(kind.line, _derive_cash_line)


# --- companies, currencies, periods --------------------------------------------------------------------------------


def user_companies(org: Org) -> list[str]:
    """The companies that the integration user may write to."""
    return [row["c2g__Company__c"] for row in children(org, USER_COMPANY, "c2g__User__c", USER_ID)]


def home_currency(org: Org, company_id: Any) -> Doc:
    """The stored home currency of a company; {} where none is set up."""
    found = children(org, CURRENCY, "c2g__OwnerCompany__c", company_id)
    return next((row for row in found if row.get("c2g__Home__c")), {})


def period_of(org: Org, company_id: Any, on: str | None) -> str | None:
    """The period of the company that holds the day."""
    if on is None:
        return None
    for row in children(org, PERIOD, "c2g__OwnerCompany__c", company_id):
        if row.get("c2g__StartDate__c", "") <= on <= row.get("c2g__EndDate__c", ""):
            return str(row["Id"])
    return None


def _company(org: Org, new: Doc) -> None:
    companies = user_companies(org)
    if new.get("c2g__OwnerCompany__c") is None:
        if len(companies) != 1:
            raise refuse("Your current company cannot be determined. Select one company.", "c2g__OwnerCompany__c")
        new["c2g__OwnerCompany__c"] = companies[0]


def _member(org: Org, new: Doc) -> None:
    if new["c2g__OwnerCompany__c"] not in user_companies(org):
        name = stored(org, COMPANY, new["c2g__OwnerCompany__c"]).get("Name", new["c2g__OwnerCompany__c"])
        raise refuse(f"You cannot write to the company {name}: it is not among your companies.", "c2g__OwnerCompany__c")


def _bank_account(org: Org, new: Doc) -> None:
    """The company's bank account, or with a given currency the first one kept in it."""
    if not new.get("c2g__DeriveBankAccount__c"):
        return
    own = stored(org, COMPANY, new["c2g__OwnerCompany__c"]).get("c2g__BankAccount__c")
    wanted = None if new.get("c2g__DeriveCurrency__c") else new.get("c2g__CashEntryCurrency__c")
    if wanted and stored(org, BANK, own).get("c2g__BankAccountCurrency__c") != wanted:
        found = children(org, BANK, "c2g__BankAccountCurrency__c", wanted)
        own = found[0]["Id"] if found else own
    new["c2g__BankAccount__c"] = own


def _due(org: Org, new: Doc, on: str) -> str:
    account = stored(org, "Account", new.get("c2g__Account__c"))
    start = date.fromisoformat(on)
    base = account.get("c2g__CODABaseDate1__c", "Invoice Date")
    following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    if base == "Start of Next Month":
        start = following
    elif base == "End of Next Month":
        start = (following + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return (start + timedelta(days=int(dec(account, "c2g__CODADaysOffset1__c")))).isoformat()


def _derive_document(kind: Kind) -> Callable[[Org, Doc, Doc | None], None]:
    def derive(org: Org, new: Doc, old: Doc | None) -> None:
        if new.get(kind.status) in FINAL:
            return
        _company(org, new)
        if kind is CASH:
            _bank_account(org, new)
            bank = stored(org, BANK, new.get("c2g__BankAccount__c"))
            source = bank.get("c2g__BankAccountCurrency__c")
        else:
            account = stored(org, "Account", new.get("c2g__Account__c"))
            source = account.get("c2g__CODAAccountTradingCurrency__c")
        if new.get("c2g__DeriveCurrency__c"):
            new[kind.currency] = source or home_currency(org, new["c2g__OwnerCompany__c"]).get("Id")
        chosen = stored(org, CURRENCY, new.get(kind.currency))
        if chosen:
            new["CurrencyIsoCode"] = chosen["Name"]
        on = new.get(kind.date)
        if new.get("c2g__DerivePeriod__c"):
            new["c2g__Period__c"] = period_of(org, new["c2g__OwnerCompany__c"], on)
        if on and kind is not CASH and new.get("c2g__DeriveDueDate__c"):
            new["c2g__DueDate__c"] = _due(org, new, on)

    return derive


# --- lines ---------------------------------------------------------------------------------------------------------


def _next_number(org: Org, kind: Kind, new: Doc) -> Decimal:
    taken = [dec(line, "c2g__LineNumber__c") for line in lines(org, kind, {"Id": new.get(kind.parent)})]
    return max(taken, default=Decimal(0)) + 1


def _derive_cash_line(org: Org, new: Doc, old: Doc | None) -> None:
    if new.get("c2g__LineNumber__c") is None:
        new["c2g__LineNumber__c"] = _next_number(org, CASH, new)
    if new.get("c2g__Account__c") is None:
        new["c2g__Account__c"] = stored(org, CASH.document, new.get(CASH.parent)).get("c2g__Account__c")


def _derive_sales_line(kind: Kind) -> Callable[[Org, Doc, Doc | None], None]:
    def derive(org: Org, new: Doc, old: Doc | None) -> None:
        document = stored(org, kind.document, new.get(kind.parent))
        if document.get(kind.status) in FINAL:
            return
        if new.get("c2g__DeriveLineNumber__c") and new.get("c2g__LineNumber__c") is None:
            new["c2g__LineNumber__c"] = _next_number(org, kind, new)
        if new.get("c2g__UnitPrice__c") is None:
            raise refuse("Unit Price: You must enter a value. The product has no price to derive.", "c2g__UnitPrice__c")
        product = stored(org, "Product2", new.get("c2g__Product__c"))
        account = stored(org, "Account", document.get("c2g__Account__c"))
        if new.get("c2g__UseProductInformation__c") and not new.get("c2g__GeneralLedgerAccount__c"):
            new["c2g__GeneralLedgerAccount__c"] = product.get("c2g__CODASalesRevenueAccount__c")
        net = rounded(dec(new, "c2g__Quantity__c") * dec(new, "c2g__UnitPrice__c"), places(org, kind, document))
        for n in range(1, 4):
            default = product.get("c2g__CODATaxCode__c") if n == 1 else None
            _derive_tax(org, kind, new, n, default or account.get(f"c2g__CODATaxCode{n}__c"), document, net)

    return derive


def _derive_tax(org: Org, kind: Kind, new: Doc, n: int, default: Any, document: Doc, net: Decimal) -> None:
    """The three tax switches of one tax: code from the defaults, rate from the code, value from the rate."""
    set_code, derive_rate, calculate = (f"c2g__{pattern.format(n=n)}__c" for pattern in SWITCHES[kind.line])
    code, rate, value = f"c2g__TaxCode{n}__c", f"c2g__TaxRate{n}__c", f"c2g__TaxValue{n}__c"
    if new.get(set_code) and default:
        new[code] = default
    if new.get(derive_rate):
        new[rate] = tax_rate(org, new.get(code), document.get(kind.date))
    if new.get(calculate):
        decimals = min(2, places(org, kind, document))  # the field keeps two decimals whatever the currency
        new[value] = None if new.get(rate) is None else rounded(net * dec(new, rate) / 100, decimals)


def tax_rate(org: Org, code_id: Any, on: str | None) -> Decimal | None:
    """The rate of a tax code on a day, in percent; None without a code or a rate that has begun."""
    begun = [
        row
        for row in children(org, TAX_RATE, "c2g__TaxCode__c", code_id)
        if on is None or row.get("c2g__StartDate__c", "") <= on
    ]
    latest = max(begun, key=lambda row: str(row.get("c2g__StartDate__c", "")), default=None)
    return dec(latest, "c2g__Rate__c") if latest else None


# --- what the ledger forbids ---------------------------------------------------------------------------------------


def changed(new: Doc, old: Doc) -> set[str]:
    return {name for name, value in new.items() if old.get(name) != value}


def _guard_document(kind: Kind) -> Callable[[Org, Doc, Doc | None], None]:
    def guard(org: Org, new: Doc, old: Doc | None) -> None:
        before = old.get(kind.status) if old else None
        if old is not None and before in FINAL:
            packaged = {n for n in changed(new, old) if n.startswith("c2g__") or not n.endswith("__c")}
            touched = sorted(packaged - {"c2g__PrintStatus__c", "LastModifiedDate", "SystemModstamp"})
            if touched:
                raise refuse(f"You cannot change a document that is {before}.", *touched)
            return
        _member(org, new)
        after = new.get(kind.status)
        if after == "Complete":
            raise refuse("A document becomes Complete by posting only.", kind.status)
        if after == "Discarded" and old is None:
            raise refuse("A new document cannot be Discarded.", kind.status)
        if new.get("c2g__TriggerPosting__c") and not SETTINGS.get(org, "trigger_posting"):
            raise refuse("Trigger Posting is not enabled in this org.", "c2g__TriggerPosting__c")

    return guard


def _guard_delete(kind: Kind) -> Callable[[Org, Doc], None]:
    def guard(org: Org, old: Doc) -> None:
        if old.get(kind.status) in FINAL:
            raise refuse(f"You cannot delete a document that is {old[kind.status]}.")

    return guard


def _frozen(org: Org, kind: Kind, line: Doc) -> None:
    status = stored(org, kind.document, line.get(kind.parent)).get(kind.status)
    if status in FINAL:
        raise refuse(f"You cannot add, change or delete lines of a document that is {status}.")


def _guard_line(kind: Kind) -> Callable[[Org, Doc, Doc | None], None]:
    def guard(org: Org, new: Doc, old: Doc | None) -> None:
        if old is None or any(n.startswith("c2g__") for n in changed(new, old)):
            _frozen(org, kind, new)

    return guard


def _guard_line_delete(kind: Kind) -> Callable[[Org, Doc], None]:
    def guard(org: Org, old: Doc) -> None:
        _frozen(org, kind, old)

    return guard
