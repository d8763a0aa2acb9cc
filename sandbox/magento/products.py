"""Products: one save routine for POST and PUT, values per store view, search, website assignment."""

from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.catalog import GLOBAL_ATTRIBUTES, effective, find_product, product_key, save_product
from sandbox.magento.criteria import search
from sandbox.magento.errors import MagentoError, internal_error, refused
from sandbox.magento.money import dec
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

SIZE_ATTRIBUTE_ID = 141  # the one attribute that configurables vary by here
NO_PRODUCT = "The product that was requested doesn't exist. Verify the product and try again."
COLUMNS = ("name", "price", "status", "visibility", "weight")
REPLACED = ("media_gallery_entries", "tier_prices", "options", "product_links")
FIXED_FIELDS = frozenset(
    "id entity_id sku attribute_set_id type_id created_at updated_at store_id website_id category_id".split()
)
USUAL_ATTRIBUTES = frozenset(
    "description short_description special_price special_from_date special_to_date cost meta_title meta_keyword "
    "meta_description url_key tax_class_id country_of_manufacture manufacturer color size price_type sku_type "
    "weight_type price_view shipment_type news_from_date news_to_date msrp gift_message_available".split()
)


def required_product(shop: Shop, sku: str) -> Doc:
    product = find_product(shop, sku)
    if product is None:
        raise MagentoError(404, NO_PRODUCT)
    return deepcopy(product)


def shown(shop: Shop, product: Doc, store_id: int, *, single: bool) -> Doc:
    """The product as a scope sees it. A list leaves out the stock item, which only the single read carries."""
    values = effective(product, store_id)
    extension: Doc = {"website_ids": product["website_ids"]}
    if product["category_links"]:
        extension["category_links"] = product["category_links"]
    if single:
        extension |= _details(shop, product)
    return {
        "id": product["id"],
        "sku": product["sku"],
        "name": values.get("name"),
        "attribute_set_id": product["attribute_set_id"],
        "price": values.get("price") if product["type_id"] != "configurable" else 0,
        "status": values.get("status"),
        "visibility": values.get("visibility"),
        "type_id": product["type_id"],
        "created_at": product["created_at"],
        "updated_at": product["updated_at"],
        "weight": values.get("weight"),
        "extension_attributes": extension,
        "product_links": product.get("product_links", []),
        "options": product.get("options", []),
        "media_gallery_entries": product.get("media_gallery_entries", []),
        "tier_prices": product.get("tier_prices", []),
        "custom_attributes": [
            {"attribute_code": code, "value": value}
            for code, value in values.items()
            if code not in COLUMNS and value not in (None, "")
        ],
    }


def _details(shop: Shop, product: Doc) -> Doc:
    result: Doc = {}
    if product["type_id"] not in inventory.COMPOSITE:
        result["stock_item"] = stock_item(shop, product)
    if product["type_id"] == "configurable":
        variants = shop.table("products").where("_configurable", product["sku"])
        result["configurable_product_links"] = [each["id"] for each in variants]
        values = [{"value_index": each["_variant"][1]} for each in variants if each.get("_variant")]
        attribute = next((each["_variant"][0] for each in variants if each.get("_variant")), None)
        if attribute is not None:
            option = {"id": product["id"], "attribute_id": str(attribute), "label": "Size", "position": 0}
            result["configurable_product_options"] = [option | {"values": values, "product_id": product["id"]}]
    if product["type_id"] == "bundle":
        result["bundle_product_options"] = [
            {
                "option_id": part["option_id"],
                "title": part["title"],
                "required": True,
                "type": "select",
                "position": part["option_id"],
                "sku": product["sku"],
                "product_links": [
                    {
                        "id": str(part["selection_id"]),
                        "sku": part["sku"],
                        "option_id": part["option_id"],
                        "qty": part["qty"],
                        "position": 1,
                        "is_default": True,
                        "price": 0,
                        "can_change_quantity": 0,
                    }
                ],
            }
            for part in product.get("_bundle", [])
        ]
    return result


def stock_item(shop: Shop, product: Doc) -> Doc:
    """The legacy stock item: the default source only."""
    kept = inventory.source_item(shop, "default", product["sku"]) or {"quantity": "0", "status": 0}
    return {
        "item_id": product["id"],
        "product_id": product["id"],
        "stock_id": 1,
        "qty": kept["quantity"],
        "is_in_stock": kept["status"] == 1,
        "is_qty_decimal": False,
        "use_config_manage_stock": True,
        "manage_stock": True,
    }


@route("GET", "/V1/products/{sku}")
def get_product(shop: Shop, call: Call) -> Any:
    wanted = call.query.get("storeId", "")
    store_id = int(wanted) if isinstance(wanted, str) and wanted.isdigit() else call.store_id
    return shown(shop, required_product(shop, call.path["sku"]), store_id, single=True)


@route("GET", "/V1/products")
def find_products(shop: Shop, call: Call) -> Any:
    """Not restricted by the scope in the URL: that only decides whose values are shown."""

    def value_of(product: Doc, name: str) -> Any:
        if name in ("id", "entity_id"):
            return product["id"]
        if name == "website_id":
            return product["website_ids"]
        if name == "store_id":
            views = shop.table("stores").values()
            return [view["id"] for view in views if view["website_id"] in product["website_ids"]] + [0]
        if name == "category_id":
            return [link["category_id"] for link in product["category_links"]]
        return product[name] if name in FIXED_FIELDS else effective(product, call.store_id).get(name)

    table = shop.table("products").values()
    known = FIXED_FIELDS | set(COLUMNS) | USUAL_ATTRIBUTES
    known |= {code for product in table for code in product["values"]}
    found = search(shop, table, call.criteria(shop), known, value_of)
    return found | {"items": [shown(shop, product, call.store_id, single=False) for product in found["items"]]}


@route("POST", "/V1/products")
def post_product(shop: Shop, call: Call) -> Any:
    return write_product(shop, call, None)


@route("PUT", "/V1/products/{sku}")
def put_product(shop: Shop, call: Call) -> Any:
    return write_product(shop, call, call.path["sku"])


@route("DELETE", "/V1/products/{sku}")
def delete_product(shop: Shop, call: Call) -> Any:
    shop.table("products").delete(product_key(required_product(shop, call.path["sku"])["sku"]))
    return True


def write_product(shop: Shop, call: Call, url_sku: str | None) -> Doc:
    """Create or change: keys that are not sent keep their value. The SKU of the URL wins over that of the body."""
    given: Doc = call.args["product"]
    sku = (url_sku or given.get("sku") or "").strip()
    if not sku:
        raise refused('The "%1" attribute value is empty. Set the attribute and try again.', "SKU")
    if len(sku) > 64:
        raise refused("Invalid product data: %1", "SKU length should be 64 characters maximum.")
    product = deepcopy(find_product(shop, sku)) or _new_product(shop, call, sku, given)
    changes = {name: given[name] for name in COLUMNS if given.get(name) is not None}
    changes |= {entry["attribute_code"]: entry["value"] for entry in given.get("custom_attributes") or []}
    changes.pop("sku", None)
    _check(shop, product, changes, call.store_id)
    _write_values(shop, product, changes, call.store_id)
    product |= {name: given[name] for name in REPLACED if given.get(name) is not None}
    if given.get("attribute_set_id"):
        product["attribute_set_id"] = given["attribute_set_id"]
    _write_extension(shop, product, given.get("extension_attributes") or {})
    save_product(shop, product)
    return shown(shop, required_product(shop, sku), call.store_id, single=True)


def _new_product(shop: Shop, call: Call, sku: str, given: Doc) -> Doc:
    if not given.get("name"):
        raise refused('The "%1" attribute value is empty. Set the attribute and try again.', "Product Name")
    kind = given.get("type_id") or "simple"
    if kind in ("simple", "virtual", "downloadable") and given.get("price") is None:
        raise refused('The "%1" attribute value is empty. Set the attribute and try again.', "Price")
    if call.store_id:
        websites = [shop.view(call.store_id)["website_id"]]
    else:
        websites = [each["id"] for each in shop.table("websites").values() if each["id"]]
    url_key = "-".join(str(given["name"]).lower().split())
    return {
        "id": shop.next_id("product"),
        "sku": sku,
        "type_id": kind,
        "attribute_set_id": given.get("attribute_set_id") or 4,
        "created_at": shop.stamp(),
        "updated_at": shop.stamp(),
        "website_ids": websites,
        "category_links": [],
        "values": {"status": 1, "visibility": 4, "tax_class_id": "2", "url_key": f"{url_key}-{sku.lower()}"},
        "overrides": {},
    }


def _check(shop: Shop, product: Doc, changes: Doc, store_id: int) -> None:
    if changes.get("price") is not None and dec(changes["price"]) < 0:
        raise refused('The value of attribute "%1" must be greater than or equal to 0.', "price")
    if changes.get("status") not in (None, 1, 2):
        raise internal_error()
    url_key = changes.get("url_key")
    if url_key and any(
        other["id"] != product["id"] and effective(other, store_id).get("url_key") == url_key
        for other in shop.table("products").values()
    ):
        raise refused("URL key for specified store already exists.")


def _write_values(shop: Shop, product: Doc, changes: Doc, store_id: int) -> None:
    """A store view's write is an override; a null takes the override back, an empty text clears the value.

    The oldest profile also copies every inherited value into the view, which freezes it there.
    """
    scope = str(store_id)
    overrides: Doc = dict(product["overrides"].get(scope, {}))
    if store_id and shop.settings["version_profile"] == "2.3":
        overrides = {
            name: each for name, each in product["values"].items() if name not in GLOBAL_ATTRIBUTES
        } | overrides
    for name, value in changes.items():
        if store_id and name not in GLOBAL_ATTRIBUTES:
            if value is None:
                overrides.pop(name, None)
            else:
                overrides[name] = value
        elif value is None or value == "":
            product["values"].pop(name, None)
        else:
            product["values"][name] = value
    if store_id and overrides:
        product["overrides"][scope] = overrides
    elif store_id:
        product["overrides"].pop(scope, None)


def _write_extension(shop: Shop, product: Doc, given: Doc) -> None:
    if given.get("website_ids") is not None:
        product["website_ids"] = given["website_ids"]
    if given.get("category_links") is not None:  # merged, so that leaving one out does not remove it
        links = {str(link["category_id"]): link for link in product["category_links"] + given["category_links"]}
        product["category_links"] = [
            {"position": link.get("position", 0), "category_id": key} for key, link in links.items()
        ]
    stock = given.get("stock_item")
    if stock and stock.get("qty") is not None:
        inventory.put_source_item(
            shop, "default", product["sku"], dec(stock["qty"]), int(stock.get("is_in_stock", True))
        )
    for child_id in given.get("configurable_product_links") or []:
        child = next(iter(shop.table("products").where("id", child_id)), None)
        if child is None:
            raise refused('Product with id "%1" does not contain required attribute.', child_id)
        save_product(
            shop, child | {"_configurable": product["sku"], "_variant": child.get("_variant", [141, child_id])}
        )
    if given.get("bundle_product_options") is not None:
        product["_bundle"] = [
            {
                "option_id": number,
                "selection_id": number,
                "title": option.get("title", ""),
                "sku": link["sku"],
                "qty": link.get("qty", 1),
            }
            for number, (option, link) in enumerate(
                ((option, link) for option in given["bundle_product_options"] for link in option["product_links"]), 1
            )
        ]


def _link_website(shop: Shop, call: Call) -> Any:
    product, website = required_product(shop, call.path["sku"]), call.args["product_website_link"]["website_id"]
    if shop.get("websites", website) is None:
        raise refused('Could not assign product "%1" to websites "%2"', product["id"], website)
    if website not in product["website_ids"]:
        product["website_ids"].append(website)
        save_product(shop, product)
    return True


route("POST", "/V1/products/{sku}/websites")(_link_website)
route("PUT", "/V1/products/{sku}/websites")(_link_website)


@route("DELETE", "/V1/products/{sku}/websites/{websiteId}")
def unlink_website(shop: Shop, call: Call) -> Any:
    product = required_product(shop, call.path["sku"])
    product["website_ids"] = [each for each in product["website_ids"] if each != call.path["website_id"]]
    save_product(shop, product)
    return True


@route("GET", "/V1/stockItems/{productSku}")
def get_stock_item(shop: Shop, call: Call) -> Any:
    return stock_item(shop, required_product(shop, call.path["product_sku"]))
