"""Accounting (`c2g__`): the ledger's and the set-up's objects, and what the package adds to Account and Product2.

Names, lengths and values as the vendor's 2018 metadata export and 2026 field listing give them.
"""

from sandbox.salesforce.packages import accounting_amounts as amounts
from sandbox.salesforce.packages.fields import (
    auto_name,
    checkbox,
    choice,
    computed,
    day,
    key,
    lookup,
    master,
    money,
    number,
    text,
    whole,
)
from sandbox.salesforce.schema import Field, SObject

COMPANY = "c2g__codaCompany__c"
USER_COMPANY = "c2g__codaUserCompany__c"
YEAR = "c2g__codaYear__c"
PERIOD = "c2g__codaPeriod__c"
CURRENCY = "c2g__codaAccountingCurrency__c"
RATE = "c2g__codaExchangeRate__c"
BANK = "c2g__codaBankAccount__c"
GLA = "c2g__codaGeneralLedgerAccount__c"
TAX_CODE = "c2g__codaTaxCode__c"
TAX_RATE = "c2g__codaTaxRate__c"
TRANSACTION = "c2g__codaTransaction__c"
TRANSACTION_LINE = "c2g__codaTransactionLineItem__c"
MATCH_REFERENCE = "c2g__codaMatchingReference__c"
MATCH_HISTORY = "c2g__codaCashMatchingHistory__c"

DIMENSIONS = tuple(f"c2g__codaDimension{n}__c" for n in range(1, 5))
CREDIT_STATUSES = ("Credit Allowed", "On Hold", "Cash with Order")


def _setup() -> tuple[SObject, ...]:
    return (
        SObject(
            COMPANY,
            "Company",
            "a1A",
            (
                text("c2g__Street__c"),
                text("c2g__City__c", 40),
                text("c2g__ZipPostCode__c", 20),
                text("c2g__Country__c", 40),
                text("c2g__TaxIdentificationNumber__c", 30),
                text("c2g__VATRegistrationNumber__c", 30),
                lookup("c2g__BankAccount__c", BANK),
                choice("c2g__CashMatchingCurrencyMode__c", "Account", "Document", default="Account"),
                checkbox("c2g__IncludeInBackgroundMatchingScheduler__c"),
                key("c2g__ExternalId__c", 32),
            ),
        ),
        SObject(
            USER_COMPANY,
            "User Company",
            "a1B",
            (auto_name("UC{0:06d}"), lookup("c2g__Company__c", COMPANY), lookup("c2g__User__c", "User")),
        ),
        SObject(
            YEAR,
            "Year",
            "a1C",
            (
                lookup("c2g__OwnerCompany__c", COMPANY),
                day("c2g__StartDate__c"),
                day("c2g__EndDate__c"),
                choice("c2g__Status__c", "Open", "Closed", "Closing", "Error", default="Open"),
            ),
        ),
        SObject(
            PERIOD,
            "Period",
            "a1D",
            (
                master("c2g__YearName__c", YEAR, "c2g__Periods__r"),
                lookup("c2g__OwnerCompany__c", COMPANY),
                text("c2g__PeriodNumber__c", 3),
                day("c2g__StartDate__c"),
                day("c2g__EndDate__c"),
                checkbox("c2g__Closed__c"),
                checkbox("c2g__SoftClose__c"),
                checkbox("c2g__AR__c"),
                checkbox("c2g__AP__c"),
                checkbox("c2g__Cash__c"),
            ),
        ),
        SObject(
            CURRENCY,
            "Accounting Currency",
            "a1E",
            (
                lookup("c2g__OwnerCompany__c", COMPANY),
                number("c2g__DecimalPlaces__c", 1, 0, default=2),
                checkbox("c2g__Home__c"),
                checkbox("c2g__Dual__c"),
            ),
        ),
        SObject(
            RATE,
            "Exchange Rate",
            "a1F",
            (
                auto_name("EXR{0:06d}"),
                lookup("c2g__ExchangeRateCurrency__c", CURRENCY),
                number("c2g__Rate__c", 9, 9),
                day("c2g__StartDate__c"),
            ),
        ),
        SObject(
            BANK,
            "Bank Account",
            "a1G",
            (
                text("c2g__AccountName__c", 80),
                text("c2g__AccountNumber__c", 40),
                text("c2g__BankName__c", 80),
                lookup("c2g__BankAccountCurrency__c", CURRENCY),
                lookup("c2g__GeneralLedgerAccount__c", GLA),
                lookup("c2g__OwnerCompany__c", COMPANY),
                key("c2g__ReportingCode__c", 24, external=False),
                key("c2g__ExternalId__c", 32),
            ),
        ),
        SObject(
            GLA,
            "General Ledger Account",
            "a1H",
            (
                key("c2g__ReportingCode__c", 24, external=False),
                choice("c2g__Type__c", "Balance Sheet", "Profit and Loss", "Retained Earnings"),
                key("c2g__ExternalId__c", 32),
            ),
        ),
        SObject(
            TAX_CODE,
            "Tax Code",
            "a1I",
            (text("c2g__Description__c"), lookup("c2g__GeneralLedgerAccount__c", GLA), key("c2g__ExternalId__c", 32)),
        ),
        SObject(
            TAX_RATE,
            "Tax Rate",
            "a1J",
            (
                auto_name("TXR{0:06d}"),
                master("c2g__TaxCode__c", TAX_CODE, "c2g__TaxRates__r"),
                number("c2g__Rate__c", 4, 3),
                day("c2g__StartDate__c"),
            ),
        ),
        *(
            SObject(
                name,
                f"Dimension {n}",
                f"a1{'KLMN'[n - 1]}",
                (key("c2g__ReportingCode__c", 24, external=False), key("c2g__ExternalId__c", 32)),
            )
            for n, name in enumerate(DIMENSIONS, 1)
        ),
    )


def _ledger() -> tuple[SObject, ...]:
    return (
        SObject(
            TRANSACTION,
            "Transaction",
            "a1U",
            (
                auto_name("TRN{0:06d}"),
                choice(
                    "c2g__TransactionType__c",
                    "Invoice",
                    "Credit Note",
                    "Cash",
                    "Journal",
                    "Purchase Invoice",
                    "Purchase Credit Note",
                    "Cash Matching Journal",
                    "Currency Revaluation",
                    "Year End Journal",
                    "Allocation",
                    read_only=True,
                ),
                Field("c2g__TransactionDate__c", "date", read_only=True),
                text("c2g__DocumentNumber__c", 80, read_only=True),
                text("c2g__DocumentReference__c", 255, read_only=True),
                lookup("c2g__SalesInvoice__c", "c2g__codaInvoice__c", read_only=True),
                lookup("c2g__SalesCreditNote__c", "c2g__codaCreditNote__c", read_only=True),
                lookup("c2g__CashEntry__c", "c2g__codaCashEntry__c", read_only=True),
                lookup("c2g__Period__c", PERIOD, read_only=True),
                lookup("c2g__OwnerCompany__c", COMPANY, read_only=True),
                lookup("c2g__DocumentCurrency__c", CURRENCY, read_only=True),
                computed("c2g__DocumentTotal__c", "currency", amounts.transaction_total),
                computed("c2g__DocumentOutstandingTotal__c", "currency", amounts.transaction_outstanding),
                computed("c2g__AccountTotal__c", "currency", amounts.transaction_account_total),
            ),
        ),
        SObject(
            TRANSACTION_LINE,
            "Transaction Line Item",
            "a1V",
            (
                auto_name("TLI{0:08d}"),
                master("c2g__Transaction__c", TRANSACTION, "c2g__TransactionLineItems__r"),
                choice("c2g__LineType__c", "Analysis", "Account", "Tax", default="Analysis", read_only=True),
                whole("c2g__LineNumber__c", read_only=True),
                *(
                    money(f"c2g__{kind}{part}__c", 15, 3, read_only=True)
                    for kind in ("Home", "Document", "Account")
                    for part in ("Value", "OutstandingValue")
                ),
                choice(
                    "c2g__MatchingStatus__c",
                    "Available",
                    "Matched",
                    "Not Matchable",
                    "Proposed",
                    "Proposed Void",
                    default="Available",
                    read_only=True,
                ),
                Field("c2g__DueDate__c", "date", read_only=True),
                lookup("c2g__GeneralLedgerAccount__c", GLA, read_only=True),
                lookup("c2g__Account__c", "Account", read_only=True),
                lookup("c2g__TaxCode1__c", TAX_CODE, read_only=True),
                text("c2g__LineReference__c", 255, read_only=True),
                text("c2g__LineDescription__c", 255, read_only=True),
                checkbox("c2g__OnHold__c"),
            ),
        ),
        SObject(
            MATCH_REFERENCE,
            "Matching Reference",
            "a1W",
            (auto_name("MRF{0:06d}"), Field("c2g__MatchingDate__c", "date", read_only=True)),
        ),
        SObject(
            MATCH_HISTORY,
            "Cash Matching History",
            "a1X",
            (
                auto_name("CMH{0:06d}"),
                choice(
                    "c2g__Action__c",
                    "Match",
                    "Discount",
                    "Write-off",
                    "Currency Write-off",
                    "Undo Match",
                    read_only=True,
                ),
                lookup("c2g__MatchingReference__c", MATCH_REFERENCE, read_only=True),
                lookup("c2g__TransactionLineItem__c", TRANSACTION_LINE, read_only=True),
                money("c2g__DocumentValue__c", 15, 3, read_only=True),
            ),
        ),
    )


OBJECTS = _setup() + _ledger()

ACCOUNT_FIELDS = (
    lookup("c2g__CODAAccountTradingCurrency__c", CURRENCY),
    lookup("c2g__CODAAccountsReceivableControl__c", GLA),
    checkbox("c2g__CODACreditLimitEnabled__c"),
    money("c2g__CODACreditLimit__c"),
    day("c2g__CODACreditLimitReviewed__c"),
    choice("c2g__CODACreditStatus__c", *CREDIT_STATUSES, default="Credit Allowed"),
    text("c2g__CODACreditRating__c", 20),
    text("c2g__CODACreditReference__c", 20),
    lookup("c2g__CODACreditManager__c", "User"),
    key("c2g__CODAReportingCode__c", 24, external=False),
    key("c2g__CODAExternalId__c", 32),
    Field("c2g__CODAInvoiceEmail__c", "email"),
    lookup("c2g__CODAFinanceContact__c", "Contact"),
    choice("c2g__CODAPaymentMethod__c", "Cash", "Check", "Electronic"),
    choice("c2g__CODABillingMethod__c", "Default", "Electronic", "Document", open_ended=True),
    choice("c2g__CODABaseDate1__c", "Invoice Date", "End of Next Month", "Start of Next Month", default="Invoice Date"),
    *(number(f"c2g__CODADaysOffset{n}__c", 3, 0) for n in range(1, 5)),
    *(number(f"c2g__CODADiscount{n}__c", 4, 2) for n in range(1, 5)),
    choice("c2g__CODAVATStatus__c", "Home", "EC Registered", "EC Non-registered", "Export", default="Home"),
    text("c2g__CODAVATRegistrationNumber__c", 20),
    text("c2g__CODAECCountryCode__c", 2),
    lookup("c2g__CODAOutputVATCode__c", TAX_CODE),
    *(lookup(f"c2g__CODATaxCode{n}__c", TAX_CODE) for n in range(1, 4)),
    choice("c2g__CODASalesTaxStatus__c", "Taxable", "Exempt", "Exempt for Qualifying Products", default="Taxable"),
)

PRODUCT_FIELDS = (
    lookup("c2g__CODASalesRevenueAccount__c", GLA),
    lookup("c2g__CODATaxCode__c", TAX_CODE),
    key("c2g__CODAExternalId__c", 32),
    choice("c2g__CODASalesTaxStatus__c", "Taxable", "Exempt", "Exempt for Qualifying Products", default="Taxable"),
)
