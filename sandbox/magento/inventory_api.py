"""The inventory calls: sources, stocks, links, source items (absolute, all or nothing), salable quantities."""

from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import candidates, search
from sandbox.magento.errors import MagentoError, no_such, refused
from sandbox.magento.money import dec
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

ITEM_COLUMNS = CONTRACT.scalar_fields("inventory-api-data-source-item")
SOURCE_COLUMNS = CONTRACT.scalar_fields("inventory-api-data-source")
STOCK_COLUMNS = CONTRACT.scalar_fields("inventory-api-data-stock")
LINK_COLUMNS = CONTRACT.scalar_fields("inventory-api-data-stock-source-link")
SYNC_LIMIT = 20
EMPTY = '"%field" can not be empty.'
FAILED = "Validation Failed"


def _validate(shop: Shop, rows: list[Doc], *, quantities: bool) -> None:
    """Refuse the whole batch for one bad row. An unknown SKU is not bad: its row is kept as an orphan."""
    if shop.settings["input_limits"] and len(rows) > SYNC_LIMIT:
        parameters = {"type": "Magento\\InventoryApi\\Api\\Data\\SourceItemInterface", "max": SYNC_LIMIT}
        raise MagentoError(400, 'Maximum items of type "%type" is %max', parameters)
    if not rows:
        raise refused("Input data is empty")
    errors = []
    for row in rows:
        errors += [
            {"message": EMPTY, "parameters": {"field": name}}
            for name in ("sku", "source_code")
            if not str(row.get(name) or "").strip()
        ]
        if quantities and row.get("quantity") is None:
            errors.append({"message": '"%field" should be numeric.', "parameters": {"field": "quantity"}})
        if quantities and row.get("status") not in (0, 1):
            message = '"%field" should be one of the known values.'
            errors.append({"message": message, "parameters": {"field": "status"}})
    if errors:
        raise MagentoError(400, FAILED if len(errors) > 1 else f"{FAILED}: {errors[0]['message']}", errors=errors)
    if any(shop.get("sources", row["source_code"]) is None for row in rows):
        raise refused("Could not save Source Item")


@route("POST", "/V1/inventory/source-items")
def set_items(shop: Shop, call: Call) -> Any:
    rows = call.args["source_items"]
    _validate(shop, rows, quantities=True)
    for row in rows:
        inventory.put_source_item(shop, row["source_code"], row["sku"].strip(), dec(row["quantity"]), row["status"])


@route("POST", "/V1/inventory/source-items-delete")
def delete_items(shop: Shop, call: Call) -> Any:
    rows = call.args["source_items"]
    _validate(shop, rows, quantities=False)
    for row in rows:
        shop.table("source_items").delete(inventory.source_item_key(row["source_code"], row["sku"].strip()))


@route("GET", "/V1/inventory/source-items")
def find_items(shop: Shop, call: Call) -> Any:
    criteria = call.criteria(shop)
    return search(shop, candidates(shop.table("source_items"), criteria), criteria, ITEM_COLUMNS)


def _source(shop: Shop, code: str) -> Doc:
    source = shop.get("sources", code)
    if source is None:
        raise MagentoError(404, 'Source with code "%value" does not exist.', {"value": code})
    return source


@route("GET", "/V1/inventory/sources")
def find_sources(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("sources").values(), call.criteria(shop), SOURCE_COLUMNS)


@route("GET", "/V1/inventory/sources/{sourceCode}")
def get_source(shop: Shop, call: Call) -> Any:
    return _source(shop, call.path["source_code"])


@route("POST", "/V1/inventory/sources")
def post_source(shop: Shop, call: Call) -> Any:
    given = call.args["source"]
    if shop.get("sources", given.get("source_code") or "") is not None:
        raise refused("Could not save Source")
    _save_source(shop, {"enabled": True, "use_default_carrier_config": True, "carrier_links": []}, given)


@route("PUT", "/V1/inventory/sources/{sourceCode}")
def put_source(shop: Shop, call: Call) -> Any:
    source = _source(shop, call.path["source_code"])
    _save_source(shop, source, call.args["source"] | {"source_code": source["source_code"]})


def _save_source(shop: Shop, old: Doc, given: Doc) -> None:
    names = ("source_code", "name", "country_id", "postcode")
    errors = [{"message": EMPTY, "parameters": {"field": name}} for name in names if not given.get(name)]
    if errors:
        raise MagentoError(400, FAILED, errors=errors)
    if given["source_code"] == "default" and given.get("enabled") is False:
        raise refused("Can not disable default source.")
    shop.put("sources", given["source_code"], old | given)


def _stock(shop: Shop, stock_id: Any) -> Doc:
    stock = shop.get("stocks", stock_id)
    if stock is None:
        raise MagentoError(404, 'Stock with id "%value" does not exist.', {"value": stock_id})
    return deepcopy(stock)


@route("GET", "/V1/inventory/stocks")
def find_stocks(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("stocks").values(), call.criteria(shop), STOCK_COLUMNS)


@route("GET", "/V1/inventory/stocks/{stockId}")
def get_stock(shop: Shop, call: Call) -> Any:
    return _stock(shop, call.path["stock_id"])


@route("POST", "/V1/inventory/stocks")
def post_stock(shop: Shop, call: Call) -> Any:
    return _save_stock(shop, shop.next_id("stock"), call.args["stock"])


@route("PUT", "/V1/inventory/stocks/{stockId}")
def put_stock(shop: Shop, call: Call) -> Any:
    return _save_stock(shop, _stock(shop, call.path["stock_id"])["stock_id"], call.args["stock"])


def _save_stock(shop: Shop, stock_id: int, given: Doc) -> int:
    """The sales channels are replaced: those that are not named go to the default stock."""
    if not given.get("name"):
        raise MagentoError(400, FAILED, errors=[{"message": EMPTY, "parameters": {"field": "name"}}])
    channels = (given.get("extension_attributes") or {}).get("sales_channels") or []
    for other in shop.table("stocks").values():
        kept = [each for each in other["extension_attributes"]["sales_channels"] if each not in channels]
        shop.put("stocks", other["stock_id"], other | {"extension_attributes": {"sales_channels": kept}})
    stock = {"stock_id": stock_id, "name": given["name"], "extension_attributes": {"sales_channels": channels}}
    shop.put("stocks", stock_id, stock)
    return stock_id


@route("DELETE", "/V1/inventory/stocks/{stockId}")
def delete_stock(shop: Shop, call: Call) -> Any:
    stock = _stock(shop, call.path["stock_id"])
    if stock["stock_id"] == 1:
        raise refused("Default Stock could not be deleted.")
    shop.table("stocks").delete(str(stock["stock_id"]))


@route("GET", "/V1/inventory/stock-source-links")
def find_links(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("stock_links").values(), call.criteria(shop), LINK_COLUMNS)


@route("POST", "/V1/inventory/stock-source-links")
def set_links(shop: Shop, call: Call) -> Any:
    for link in call.args["links"]:
        _source(shop, link.get("source_code") or "")
        stock = _stock(shop, link.get("stock_id"))
        if stock["stock_id"] == 1 and link["source_code"] != "default":
            raise refused("Can not save link related to Default Source or Default Stock")
        shop.put("stock_links", f"{stock['stock_id']}|{link['source_code']}", {"priority": 1, **link})


@route("POST", "/V1/inventory/stock-source-links-delete")
def delete_links(shop: Shop, call: Call) -> Any:
    for link in call.args["links"]:
        shop.table("stock_links").delete(f"{link.get('stock_id')}|{link.get('source_code')}")


@route("GET", "/V1/inventory/get-product-salable-quantity/{sku}/{stockId}")
def salable_quantity(shop: Shop, call: Call) -> Any:
    _stock(shop, call.path["stock_id"])
    return inventory.salable(shop, call.path["sku"], call.path["stock_id"])


@route("GET", "/V1/inventory/is-product-salable/{sku}/{stockId}")
def is_salable(shop: Shop, call: Call) -> Any:
    return inventory.salable(shop, call.path["sku"], call.path["stock_id"]) > 0


@route("GET", "/V1/inventory/are-products-salable")
def are_salable(shop: Shop, call: Call) -> Any:
    skus, stock_id = call.query.get("skus"), int(call.query.get("stockId") or 0)
    _stock(shop, stock_id)
    return [
        {"sku": sku, "stock_id": stock_id, "salable": inventory.salable(shop, sku, stock_id) > 0}
        for sku in (skus.values() if isinstance(skus, dict) else [])
    ]


@route("GET", "/V1/inventory/is-product-salable-for-requested-qty/{sku}/{stockId}/{requestedQty}")
def is_salable_for(shop: Shop, call: Call) -> Any:
    enough = inventory.salable(shop, call.path["sku"], call.path["stock_id"]) >= call.path["requested_qty"]
    error = {
        "code": "is_salable_with_reservations-not_enough_qty",
        "message": "The requested qty is not available",
    }
    return {"salable": enough, "errors": [] if enough else [error]}


@route("GET", "/V1/inventory/stock-resolver/{type}/{code}")
def resolve_stock(shop: Shop, call: Call) -> Any:
    if call.path["type"] != "website" or not shop.table("websites").where("code", call.path["code"]):
        raise no_such("code", call.path["code"])
    return _stock(shop, inventory.stock_of_website(shop, call.path["code"]))


@route("GET", "/V1/inventory/export-stock-salable-qty/{salesChannelType}/{salesChannelCode}")
def export(shop: Shop, call: Call) -> Any:
    code = call.path["sales_channel_code"]
    if call.path["sales_channel_type"] != "website" or not shop.table("websites").where("code", code):
        raise no_such("code", code)
    stock_id = inventory.stock_of_website(shop, code)
    skus = [product for product in shop.table("products").values() if product["type_id"] not in inventory.COMPOSITE]
    found = search(shop, skus, call.criteria(shop), {"sku", "entity_id", "type_id"})
    items = []
    for product in found["items"]:
        quantity = inventory.salable(shop, product["sku"], stock_id)
        items.append({"sku": product["sku"], "qty": quantity, "is_salable": quantity > 0})
    return found | {"items": items}
