"""The seed world as this shop has it: websites and views, products, customers, companies, sources and stock."""

from sandbox import seed_data
from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.catalog import product_key
from sandbox.magento.money import dec
from sandbox.magento.products import SIZE_ATTRIBUTE_ID
from sandbox.magento.shop import Shop

TIMEZONES = {
    "DE": "Europe/Berlin",
    "US": "America/New_York",
    "JP": "Asia/Tokyo",
    "KW": "Asia/Kuwait",
    "CH": "Europe/Zurich",
}
SEED_QUANTITY = 1000
STOCK_ID = 2
GROUPS = ((0, "NOT LOGGED IN"), (1, "General"), (2, "Wholesale"), (3, "Retailer"))


def seed(shop: Shop, data_set: str) -> None:
    _stores(shop)
    _stock(shop)
    for group_id, code in GROUPS:
        shop.put(
            "groups", group_id, {"id": group_id, "code": code, "tax_class_id": 3, "tax_class_name": "Retail Customer"}
        )
    shop.store.number("magento.group", 4)
    _categories(shop)
    if data_set == "empty":
        return
    _products(shop)
    _customers(shop)
    _companies(shop)


def _stores(shop: Shop) -> None:
    shop.put("websites", 0, {"id": 0, "code": "admin", "name": "Admin", "default_group_id": 0})
    group = {
        "id": 0,
        "website_id": 0,
        "root_category_id": 0,
        "default_store_id": 0,
        "name": "Default",
        "code": "default",
    }
    shop.put("store_groups", 0, group)
    shop.put(
        "stores",
        0,
        {"id": 0, "code": "admin", "name": "Admin", "website_id": 0, "store_group_id": 0, "is_active": 1}
        | {"_currency": "EUR", "_base_currency": "EUR", "_base_rate": "1", "_tax_percent": "0", "_country": "DE"},
    )
    for store in seed_data.STORES:
        shop.put(
            "websites",
            store.website_id,
            {"id": store.website_id, "code": store.code, "name": store.name, "default_group_id": store.website_id},
        )
        shop.put(
            "store_groups",
            store.website_id,
            {
                "id": store.website_id,
                "website_id": store.website_id,
                "root_category_id": 2,
                "default_store_id": store.store_id,
                "name": store.name,
                "code": f"{store.code}_group",
            },
        )
        view: Doc = {
            "id": store.store_id,
            "code": store.code,
            "name": store.name,
            "website_id": store.website_id,
            "store_group_id": store.website_id,
            "is_active": 1,
            "_website_name": store.name,
            "_group_name": store.name,
            "_currency": store.currency,
            "_base_currency": store.base_currency,
            "_base_rate": store.base_rate,
            "_tax_percent": store.tax_percent,
            "_country": store.country,
            "_locale": store.locale,
            "_timezone": TIMEZONES.get(store.country, "UTC"),
        }
        shop.put("stores", store.store_id, view)


def _stock(shop: Shop) -> None:
    for code, name, country, postcode in (
        ("default", "Default Source", "DE", "00000"),
        ("wh_hamburg", "Lager Hamburg", "DE", "20095"),
    ):
        shop.put(
            "sources",
            code,
            {
                "source_code": code,
                "name": name,
                "enabled": True,
                "country_id": country,
                "postcode": postcode,
                "use_default_carrier_config": True,
                "carrier_links": [],
            },
        )
    shop.put("stocks", 1, {"stock_id": 1, "name": "Default Stock", "extension_attributes": {"sales_channels": []}})
    channels = [{"type": "website", "code": store.code} for store in seed_data.STORES]
    stock = {"stock_id": STOCK_ID, "name": "Web Stock", "extension_attributes": {"sales_channels": channels}}
    shop.put("stocks", STOCK_ID, stock)
    shop.store.number("magento.stock", 3)
    for stock_id, source, priority in ((1, "default", 1), (STOCK_ID, "default", 1), (STOCK_ID, "wh_hamburg", 2)):
        link = {"stock_id": stock_id, "source_code": source, "priority": priority}
        shop.put("stock_links", f"{stock_id}|{source}", link)


def _categories(shop: Shop) -> None:
    for category_id, parent, name, path in (
        (1, 0, "Root Catalog", "1"),
        (2, 1, "Default Category", "1/2"),
        (3, 2, "Sortiment", "1/2/3"),
    ):
        shop.put(
            "categories",
            category_id,
            {
                "id": category_id,
                "parent_id": parent,
                "name": name,
                "is_active": True,
                "position": 1,
                "level": path.count("/"),
                "path": path,
                "include_in_menu": True,
                "created_at": shop.stamp(),
                "updated_at": shop.stamp(),
                "custom_attributes": [],
                "_products": {},
            },
        )
    shop.store.number("magento.category", 4)


def _products(shop: Shop) -> None:
    websites = [store.website_id for store in seed_data.STORES]
    kinds = {article.sku: article.kind for article in seed_data.ARTICLES}
    option = 9
    for article in seed_data.ARTICLES:
        product_id = shop.next_id("product")
        of_configurable = article.parent is not None and kinds[article.parent] == "configurable"
        product: Doc = {
            "id": product_id,
            "sku": article.sku,
            "type_id": article.kind,
            "attribute_set_id": 4,
            "created_at": shop.stamp(),
            "updated_at": shop.stamp(),
            "website_ids": websites,
            "category_links": [{"position": 0, "category_id": "3"}],
            "values": {
                "name": article.name,
                "status": 1,
                "visibility": 1 if of_configurable else 4,
                "weight": "0.5",
                "tax_class_id": "2",
                "url_key": article.sku.lower(),
            },
            "overrides": {},
        }
        if article.kind != "configurable":
            product["values"]["price"] = article.net_eur
        if article.kind in ("virtual", "configurable"):
            product["values"].pop("weight")
        if of_configurable:
            product["_configurable"] = article.parent
            product["_variant"] = [SIZE_ATTRIBUTE_ID, option]
            product["values"]["size"] = str(option)
            option += 1
        if article.kind == "bundle":
            fixed = str(int(article.fixed_price))
            product["values"] |= {"price_type": fixed, "sku_type": fixed, "weight_type": fixed, "price_view": "0"}
            product["values"]["shipment_type"] = str(int(article.separately))
            parts = [part for part in seed_data.ARTICLES if part.parent == article.sku]
            product["_bundle"] = [
                {"option_id": number, "selection_id": number, "title": part.name, "sku": part.sku, "qty": "1"}
                for number, part in enumerate(parts, 1)
            ]
        shop.put("products", product_key(article.sku), product)
        if article.kind not in inventory.COMPOSITE:
            for source in ("default", "wh_hamburg"):
                inventory.put_source_item(shop, source, article.sku, dec(SEED_QUANTITY), 1)


def customer_doc(
    shop: Shop, customer_id: int, store_code: str, names: tuple[str, str], email: str, address: Doc, group_id: int = 1
) -> Doc:
    """A customer with one address that is its default for billing and shipping."""
    view = shop.view_by_code(store_code)
    if view is None:
        raise KeyError(f"no store view {store_code}")
    address_id = shop.next_id("address")
    address = {
        "id": address_id,
        "customer_id": customer_id,
        "firstname": names[0],
        "lastname": names[1],
        "country_id": view["_country"],
        "telephone": "+49 40 5550100",
        "default_shipping": True,
        "default_billing": True,
        **address,
    }
    return {
        "id": customer_id,
        "group_id": group_id,
        "default_billing": str(address_id),
        "default_shipping": str(address_id),
        "created_at": shop.stamp(),
        "updated_at": shop.stamp(),
        "created_in": view["name"],
        "email": email,
        "firstname": names[0],
        "lastname": names[1],
        "store_id": view["id"],
        "website_id": view["website_id"],
        "addresses": [address],
        "disable_auto_group_change": 0,
        "extension_attributes": {"is_subscribed": False},
    }


def _customers(shop: Shop) -> None:
    for each in seed_data.CONSUMERS:
        address = {"street": [each.street], "city": each.city, "postcode": each.postcode}
        names = (each.first_name, each.last_name)
        customer_id = int(each.number)
        shop.put("customers", customer_id, customer_doc(shop, customer_id, each.store, names, each.email, address))
    shop.store.number("magento.customer", 100)


def _companies(shop: Shop) -> None:
    for each in seed_data.COMPANIES:
        view = shop.view_by_code(each.store)
        if view is None:
            raise KeyError(f"no store view {each.store}")
        customer_id = shop.next_id("customer")
        address = {"street": [each.street], "city": each.city, "postcode": each.postcode, "company": each.name}
        if each.vat_id:
            address["vat_id"] = each.vat_id
        customer = customer_doc(shop, customer_id, each.store, ("Einkauf", each.name), each.email, address, 2)
        attributes = {"customer_id": customer_id, "company_id": int(each.number), "status": 1, "job_title": "Buyer"}
        customer["extension_attributes"]["company_attributes"] = attributes
        shop.put("customers", customer_id, customer)
        company: Doc = {
            "id": int(each.number),
            "status": 1,
            "company_name": each.name,
            "legal_name": each.name,
            "company_email": each.email,
            "street": [each.street],
            "city": each.city,
            "country_id": view["_country"],
            "postcode": each.postcode,
            "telephone": "+49 40 5550200",
            "customer_group_id": 2,
            "sales_representative_id": 1,
            "super_user_id": customer_id,
            "vat_tax_id": each.vat_id or None,
            "extension_attributes": {
                "applicable_payment_method": 0,
                "available_payment_methods": "juston,purchaseorder,companycredit",
                "use_config_settings": 1,
                "is_purchase_order_enabled": False,
            },
        }
        shop.put("companies", each.number, company)
        credit_id = shop.next_id("credit")
        credit = {
            "id": credit_id,
            "company_id": int(each.number),
            "credit_limit": 100000 if each.terms_days else 0,
            "balance": 0,
            "currency_code": view["_base_currency"],
            "exceed_limit": False,
            "available_limit": 100000 if each.terms_days else 0,
        }
        shop.put("credits", credit_id, credit)
    shop.store.number("magento.company", 600)
