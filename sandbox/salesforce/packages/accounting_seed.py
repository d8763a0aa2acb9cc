"""The ledger's set-up that also an `empty` org has: one company, its periods, currencies, accounts and tax codes."""

import calendar
from datetime import date

from sandbox.salesforce.org import USER_ID, Org
from sandbox.salesforce.packages.accounting_objects import (
    BANK,
    COMPANY,
    CURRENCY,
    DIMENSIONS,
    GLA,
    PERIOD,
    RATE,
    TAX_CODE,
    TAX_RATE,
    USER_COMPANY,
    YEAR,
)
from sandbox.seed_data import STORES

COMPANY_NAME = "Nordlicht Trading GmbH"
HOME = "EUR"
FIRST_YEAR, LAST_YEAR = 2025, 2028
BEGINNING = f"{FIRST_YEAR}-01-01"
RECEIVABLES, REVENUE, TAX, CHARGES = "1400", "4000", "1776", "6855"
LEDGER = (
    (RECEIVABLES, "Trade receivables", "Balance Sheet"),
    (REVENUE, "Sales revenue", "Profit and Loss"),
    (TAX, "Sales tax", "Balance Sheet"),
    (CHARGES, "Payment provider charges", "Profit and Loss"),
)


def seed(org: Org, data_set: str) -> None:
    company = org.create(
        COMPANY,
        {
            "Name": COMPANY_NAME,
            "c2g__Street__c": "Speicherstadt 5",
            "c2g__City__c": "Hamburg",
            "c2g__ZipPostCode__c": "20457",
            "c2g__Country__c": "DE",
            "c2g__VATRegistrationNumber__c": "DE999999999",
            "c2g__ExternalId__c": "NORDLICHT",
        },
    )
    org.create(USER_COMPANY, {"c2g__Company__c": company, "c2g__User__c": USER_ID})
    _years(org, company)
    for code, name, kind in LEDGER:
        org.create(GLA, {"Name": f"{code} {name}", "c2g__ReportingCode__c": code, "c2g__Type__c": kind})
    _currencies(org, company)
    _taxes(org)
    for store in STORES:
        org.create(DIMENSIONS[0], {"Name": store.name, "c2g__ReportingCode__c": store.code})


def ledger_account(org: Org, code: str) -> str:
    """The id of a seeded ledger account by its reporting code."""
    return str(org.find(GLA, "c2g__ReportingCode__c", code)[0]["Id"])


def accounting_currency(org: Org, iso: str) -> str | None:
    """The id of the accounting currency of an ISO code."""
    found = org.find(CURRENCY, "Name", iso)
    return str(found[0]["Id"]) if found else None


def _years(org: Org, company: str) -> None:
    for number in range(FIRST_YEAR, LAST_YEAR + 1):
        year = org.create(
            YEAR,
            {
                "Name": str(number),
                "c2g__OwnerCompany__c": company,
                "c2g__StartDate__c": date(number, 1, 1).isoformat(),
                "c2g__EndDate__c": date(number, 12, 31).isoformat(),
            },
        )
        for month in range(1, 13):
            last = calendar.monthrange(number, month)[1]
            org.create(
                PERIOD,
                {
                    "Name": f"{number}/{month:03d}",
                    "c2g__YearName__c": year,
                    "c2g__OwnerCompany__c": company,
                    "c2g__PeriodNumber__c": f"{month:03d}",
                    "c2g__StartDate__c": date(number, month, 1).isoformat(),
                    "c2g__EndDate__c": date(number, month, last).isoformat(),
                },
            )


def _currencies(org: Org, company: str) -> None:
    for number, store in enumerate(STORES):
        iso = store.currency
        currency = org.create(
            CURRENCY,
            {
                "Name": iso,
                "c2g__OwnerCompany__c": company,
                "c2g__DecimalPlaces__c": store.decimals,
                "c2g__Home__c": iso == HOME,
                "CurrencyIsoCode": iso,
            },
        )
        org.create(
            RATE,
            {
                "c2g__ExchangeRateCurrency__c": currency,
                "c2g__Rate__c": store.base_rate,
                "c2g__StartDate__c": BEGINNING,
            },
        )
        code = str(1800 + number)
        ledger = {"Name": f"{code} Bank {iso}", "c2g__ReportingCode__c": code, "c2g__Type__c": "Balance Sheet"}
        bank = org.create(
            BANK,
            {
                "Name": f"Bank {iso}",
                "c2g__AccountName__c": COMPANY_NAME,
                "c2g__BankName__c": "Nordbank",
                "c2g__BankAccountCurrency__c": currency,
                "c2g__GeneralLedgerAccount__c": org.create(GLA, ledger),
                "c2g__OwnerCompany__c": company,
                "c2g__ReportingCode__c": f"BANK-{iso}",
                "c2g__ExternalId__c": f"BANK-{iso}",
                "CurrencyIsoCode": iso,
            },
        )
        if iso == HOME:
            org.update(COMPANY, company, {"c2g__BankAccount__c": bank})


def _taxes(org: Org) -> None:
    """One tax code for each store: `DE-19`."""
    ledger = ledger_account(org, TAX)
    for store in STORES:
        percent = f"{store.tax_percent.normalize():f}"
        code = org.create(
            TAX_CODE,
            {
                "Name": f"{store.country}-{percent}",
                "c2g__Description__c": f"{store.country} {percent} %",
                "c2g__GeneralLedgerAccount__c": ledger,
                "c2g__ExternalId__c": f"{store.country}-{percent}",
            },
        )
        org.create(
            TAX_RATE,
            {"c2g__TaxCode__c": code, "c2g__Rate__c": store.tax_percent, "c2g__StartDate__c": BEGINNING},
        )
