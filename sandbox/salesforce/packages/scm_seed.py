"""What an `empty` org has too (places, currencies, charge items, web customers), and the demo's articles and buyers."""

from decimal import Decimal

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.scm_amounts import WAREHOUSE
from sandbox.salesforce.packages.scm_objects import ADDRESS, BIN, CURRENCY_MASTER, PRICE_TYPE
from sandbox.salesforce.packages.scm_people import STANDARD_PRICE, add_item, open_account, receive, set_price, terms
from sandbox.seed_data import ARTICLES, CHARGE_ITEMS, COMPANIES, STORES, WEB_CUSTOMER_NUMBER

WAREHOUSES = (("Hamburg", True, Decimal(1000)), ("Basel", False, Decimal(200)))


def seed(org: Org, data_set: str) -> None:
    warehouses = []
    for name, default, quantity in WAREHOUSES:
        warehouse = org.create(WAREHOUSE, {"Name": name, "SCMC__Default__c": default, "SCMC__ICP__c": name})
        org.create(BIN, {"Name": f"{name} A-01", "SCMC__Warehouse__c": warehouse, "SCMC__Level1__c": "A"})
        warehouses.append((warehouse, quantity))
    for store in STORES:
        org.create(
            CURRENCY_MASTER,
            {
                "Name": store.currency,
                "SCMC__Corporate_Currency__c": store.currency == "EUR",
                "SCMC__Number_of_decimals__c": store.decimals,
                "CurrencyIsoCode": store.currency,
            },
        )
    org.create(PRICE_TYPE, {"Name": STANDARD_PRICE})
    terms(org, None)
    for sku, name in CHARGE_ITEMS:
        add_item(org, sku, name, intangible=True, kind="Charge")
    for store in STORES:
        open_account(
            org,
            f"Web Customer {store.code.upper()}",
            store.currency,
            None,
            f"{store.code}:{WEB_CUSTOMER_NUMBER}",
            AccountNumber=f"WEB-{store.code.upper()}",
            c2g__CODAReportingCode__c=f"WEB-{store.code.upper()}",
            c2g__CODACreditStatus__c="Cash with Order",
            BillingCountry=store.country,
        )
    if data_set != "empty":
        _articles(org, warehouses)
        _companies(org)


def _articles(org: Org, warehouses: list[tuple[str, Decimal]]) -> None:
    euro = org.find(CURRENCY_MASTER, "Name", "EUR")[0]
    for article in ARTICLES:
        if not article.in_erp:
            continue
        # A configurable is a page of the shop: only its variants lie on a shelf.
        intangible = article.kind in ("virtual", "configurable")
        item = add_item(org, article.sku, article.name, intangible=intangible)
        set_price(org, item, euro, article.net_eur)
        if not intangible:
            for warehouse, quantity in warehouses:
                receive(org, item, warehouse, quantity)


def _companies(org: Org) -> None:
    stores = {store.code: store for store in STORES}
    for company in COMPANIES:
        store = stores[company.store]
        number = f"D{company.number}"
        account = open_account(
            org,
            company.name,
            store.currency,
            company.terms_days,
            f"{company.store}:{company.number}",
            AccountNumber=number,
            BillingStreet=company.street,
            BillingCity=company.city,
            BillingPostalCode=company.postcode,
            BillingCountry=store.country,
            c2g__CODAReportingCode__c=number,
            c2g__CODAInvoiceEmail__c=company.email,
            c2g__CODACreditStatus__c=company.credit_status,
            c2g__CODAVATRegistrationNumber__c=company.vat_id or None,
            SCMC__Corp_Line1__c=company.street,
            SCMC__Corp_City__c=company.city,
            SCMC__Corp_PostalCode__c=company.postcode,
            SCMC__Corp_Country__c=store.country,
        )
        org.create(
            ADDRESS,
            {
                "SCMC__Customer_Site__c": account,
                "SCMC__Mailing_Street__c": company.street,
                "SCMC__Mailing_City__c": company.city,
                "SCMC__Mailing_Country__c": store.country,
                "SCMC__Mailing_Zip_Postal_Code__c": company.postcode,
                "SCMC__Display_Name__c": company.name,
            },
        )
