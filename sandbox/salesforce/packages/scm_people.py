"""What the ERP's own people change: customers and their credit, items, stock, prices."""

from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import scm_fulfillment, scm_stock
from sandbox.salesforce.packages.accounting_objects import CREDIT_STATUSES
from sandbox.salesforce.packages.accounting_seed import RECEIVABLES, REVENUE, accounting_currency, ledger_account
from sandbox.salesforce.packages.amounts import dec, plain
from sandbox.salesforce.packages.scm_amounts import ITEM, POSITION, WAREHOUSE
from sandbox.salesforce.packages.scm_objects import CURRENCY_MASTER, PRICE, PRICE_TYPE, TERMS
from sandbox.salesforce.schema import Doc

STANDARD_PRICE = "Standard"


def decimal(arguments: Doc, name: str, default: Decimal | None = None) -> Decimal:
    """A number among the arguments; raises ActError."""
    value = arguments.get(name, default)
    try:
        result = Decimal(str(value))
    except InvalidOperation as err:
        raise ActError(f"{name}: {value!r} is not a number") from err
    if value is None or not result.is_finite():
        raise ActError(f"{name}: {value!r} is not a number")
    return result


def named(org: Org, object_name: str, argument: str, value: Any, field: str = "Name") -> Doc:
    """The row that `value` names, by name (or `field`) or id; raises ActError with what is there."""
    found = org.find(object_name, field, str(value)) if value else []
    if found:
        return found[0]
    row = org.get(object_name, str(value))
    if row is None:
        raise ActError(f"{argument}: {value!r} is not known")
    return row


# --- customers -----------------------------------------------------------------------------------------------------


def terms(org: Org, days: int | None) -> str:
    """The payment terms of that many days, made when they are new; None is prepayment."""
    name = "Prepayment" if days is None else f"Net {days}"
    found = org.find(TERMS, "Name", name)
    if found:
        return str(found[0]["Id"])
    return org.create(TERMS, {"Name": name, "SCMC__Number_of_Days__c": days or 0}, system=True)


def open_account(
    org: Org, name: str, currency: str, terms_days: int | None, key: str | None = None, **more: Any
) -> str:
    """A customer account, ready for orders and postings. `key` is the shop's: `{store}:{number}`."""
    master = named(org, CURRENCY_MASTER, "currency", currency)
    values: Doc = {
        "Name": name,
        "CurrencyIsoCode": currency,
        "Magento_Customer_Id__c": key,
        "SCMC__Customer_Site_Id__c": key,
        "SCMC__Active__c": True,
        "SCMC__Customer__c": True,
        "SCMC__Currency__c": master["Id"],
        "SCMC__Payment_Terms__c": terms(org, terms_days),
        "c2g__CODAAccountTradingCurrency__c": accounting_currency(org, currency),
        "c2g__CODAAccountsReceivableControl__c": ledger_account(org, RECEIVABLES),
        "c2g__CODADaysOffset1__c": terms_days,
    }
    return org.create("Account", values | more)


def create_customer(org: Org, arguments: Doc) -> Doc:
    """`create-customer {"name", "email"?, "currency"?, "terms_days"?, "city"?, "postcode"?, "street"?, "country"?,
    "vat_id"?, "credit_status"?, "key"?}`. Without `key` the ERP does not know the shop's number yet."""
    if not arguments.get("name"):
        raise ActError("name: a customer needs one")
    days = arguments.get("terms_days")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 0):
        raise ActError(f"terms_days: {days!r} is not a number of days")
    number = f"C{org.store.number('salesforce.scm.customer', 10_001)}"
    try:
        account = open_account(
            org,
            str(arguments["name"]),
            str(arguments.get("currency", "EUR")),
            days,
            arguments.get("key"),
            AccountNumber=number,
            c2g__CODAReportingCode__c=number,
            c2g__CODAInvoiceEmail__c=arguments.get("email"),
            c2g__CODAVATRegistrationNumber__c=arguments.get("vat_id"),
            c2g__CODACreditStatus__c=arguments.get("credit_status", _credit_status(days)),
            BillingStreet=arguments.get("street"),
            BillingCity=arguments.get("city"),
            BillingPostalCode=arguments.get("postcode"),
            BillingCountry=arguments.get("country"),
        )
    except SalesforceError as err:
        raise ActError(f"create-customer: {err.message}") from err
    return {"id": account, "number": number}


def _credit_status(terms_days: int | None) -> str:
    return "Cash with Order" if terms_days is None else "Credit Allowed"


def change_credit(org: Org, arguments: Doc) -> Doc:
    """`change-credit {"customer": key, number, name or id, "status"?, "limit"?, "terms_days"?, "hold"?, "active"?}`."""
    account = find_account(org, arguments.get("customer"))
    new: Doc = {}
    if "status" in arguments:
        if arguments["status"] not in CREDIT_STATUSES:
            raise ActError(f"status: {arguments['status']!r} is not one of {', '.join(CREDIT_STATUSES)}")
        new["c2g__CODACreditStatus__c"] = arguments["status"]
    if "limit" in arguments:
        limit = None if arguments["limit"] is None else decimal(arguments, "limit")
        new |= {"c2g__CODACreditLimitEnabled__c": limit is not None, "c2g__CODACreditLimit__c": limit}
    if "terms_days" in arguments:
        days = None if arguments["terms_days"] is None else int(decimal(arguments, "terms_days"))
        new |= {"c2g__CODADaysOffset1__c": days, "SCMC__Payment_Terms__c": terms(org, days)}
    if "hold" in arguments:
        new["SCMC__Temporary_Hold__c"] = arguments["hold"] or None
    if "active" in arguments:
        new["SCMC__Active__c"] = bool(arguments["active"])
    if not new:
        raise ActError("change-credit: give at least one of status, limit, terms_days, hold, active")
    org.update("Account", account["Id"], new, system=True)
    return {"id": account["Id"], "changed": sorted(new)}


def find_account(org: Org, name: Any) -> Doc:
    for field in ("Magento_Customer_Id__c", "AccountNumber", "Name"):
        found = org.find("Account", field, str(name)) if name else []
        if found:
            return found[0]
    return named(org, "Account", "customer", name)


# --- items, stock, prices ------------------------------------------------------------------------------------------


def add_item(org: Org, sku: str, name: str, *, intangible: bool = False, kind: str = "Item") -> str:
    """An item and the product that stands for it in the ledger."""
    product = org.create(
        "Product2",
        {
            "Name": name,
            "ProductCode": sku,
            "StockKeepingUnit": sku,
            "IsActive": True,
            "c2g__CODASalesRevenueAccount__c": ledger_account(org, REVENUE),
        },
    )
    return org.create(
        ITEM,
        {
            "Name": sku,
            "SCMC__Item_Description__c": name,
            "SCMC__Item_Type__c": kind,
            "SCMC__Intangible__c": intangible,
            "SCMC__Product__c": product,
        },
    )


def change_item(org: Org, arguments: Doc) -> Doc:
    """`change-item {"sku", "name"?, "active"?, "weight"?}`; an unknown sku with a name is a new item."""
    sku = str(arguments.get("sku") or "")
    if not sku:
        raise ActError("sku: which item?")
    found = org.find(ITEM, "Name", sku)
    created = not found and bool(arguments.get("name"))
    item = org.get(ITEM, add_item(org, sku, str(arguments["name"]))) if created else named(org, ITEM, "sku", sku)
    if item is None:
        raise ActError(f"sku: {sku!r} is not known")
    new: Doc = {}
    if arguments.get("name"):
        new["SCMC__Item_Description__c"] = str(arguments["name"])
        org.update("Product2", item["SCMC__Product__c"], {"Name": str(arguments["name"])}, system=True)
    if "active" in arguments:
        new["SCMC__Active_Status__c"] = bool(arguments["active"])
    if "weight" in arguments:
        new["SCMC__Packaged_Weight__c"] = decimal(arguments, "weight")
    if not new:
        raise ActError("change-item: give at least one of name, active, weight")
    org.update(ITEM, item["Id"], new, system=True)
    return {"id": item["Id"], "created": created}


def change_stock(org: Org, arguments: Doc) -> Doc:
    """`change-stock {"sku", "quantity", "warehouse"?}`: what is counted on hand there; new stock fills backorders."""
    item = named(org, ITEM, "sku", arguments.get("sku"))
    quantity = decimal(arguments, "quantity")
    if quantity < 0:
        raise ActError("quantity: stock cannot be negative")
    if "warehouse" in arguments:
        warehouse = named(org, WAREHOUSE, "warehouse", arguments["warehouse"])
    else:
        warehouse = org.find(WAREHOUSE, "SCMC__Default__c", True)[0]
    found = scm_stock.positions(org, item["Id"], warehouse["Id"])
    if found:
        held = dec(found[0], "SCMC__Quantity_Allocated__c")
        if quantity < held:
            raise ActError(f"quantity: {plain(held)} of {item['Name']} are allocated to orders")
        org.update(POSITION, found[0]["Id"], {"SCMC__Quantity__c": quantity}, system=True)
    else:
        receive(org, item["Id"], warehouse["Id"], quantity)
    scm_fulfillment.fill_backorders(org)
    return {"sku": item["Name"], "warehouse": warehouse["Name"], "quantity": plain(quantity)}


def receive(org: Org, item_id: str, warehouse_id: str, quantity: Decimal) -> str:
    """A new stock position."""
    values: Doc = {
        "SCMC__Item_Master__c": item_id,
        "SCMC__Item_Warehouse__c": warehouse_id,
        "SCMC__Quantity__c": quantity,
    }
    bins = org.find("SCMC__Inventory_Location__c", "SCMC__Warehouse__c", warehouse_id)
    return org.create(POSITION, values | {"SCMC__Bin__c": bins[0]["Id"] if bins else None}, system=True)


def change_price(org: Org, arguments: Doc) -> Doc:
    """`change-price {"sku", "price", "currency"?: "EUR"}`: the standard price for one piece, net."""
    item = named(org, ITEM, "sku", arguments.get("sku"))
    currency = named(org, CURRENCY_MASTER, "currency", arguments.get("currency", "EUR"))
    price = decimal(arguments, "price")
    if price < 0:
        raise ActError("price: it cannot be negative")
    return {"id": set_price(org, item["Id"], currency, price), "sku": item["Name"], "price": plain(price)}


def set_price(org: Org, item_id: str, currency: Doc, price: Decimal) -> str:
    kind = named(org, PRICE_TYPE, "price_type", STANDARD_PRICE)["Id"]
    for row in org.find(PRICE, "SCMC__Item__c", item_id):
        if row["SCMC__Currency__c"] == currency["Id"] and row["SCMC__Price_Type__c"] == kind:
            org.update(PRICE, row["Id"], {"SCMC__Price__c": price}, system=True)
            return str(row["Id"])
    values = {
        "SCMC__Item__c": item_id,
        "SCMC__Price_Type__c": kind,
        "SCMC__Currency__c": currency["Id"],
        "SCMC__Price__c": price,
        "CurrencyIsoCode": currency["Name"],
    }
    return org.create(PRICE, values, system=True)
