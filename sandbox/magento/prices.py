"""Price calls over many products: they answer 200 with the rows that were refused and apply the others."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.catalog import effective, find_product, save_product
from sandbox.magento.errors import MagentoError
from sandbox.magento.money import dec
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

INVALID = "Invalid attribute %fieldName = %fieldValue."
NO_STORE = "Requested store is not found. Row ID: SKU = %SKU, Store ID: %storeId."
NO_WEBSITE = (
    "Invalid attribute Website ID = %websiteId. Row ID: SKU = %SKU, Website ID: %websiteId, "
    "Customer Group: %customerGroup, Quantity: %qty."
)
OVERLAP = "Future Update already exists in this time range. Set a different range and try again."
DUPLICATE_TIER = (
    "We found a duplicate website, tier price, customer group and quantity: Customer Group = %customerGroup, "
    "Website ID = %websiteId, Quantity = %qty. Row ID: SKU = %SKU."
)
ALL_GROUPS = "all groups"
ALL_GROUPS_ID = 32000
Rejected = list[Doc]
RowCheck = Callable[[Shop, Doc], Doc | None]


def _rejected(message: str, *parameters: Any) -> Doc:
    return {"message": message, "parameters": [str(each) for each in parameters]}


def _each(shop: Shop, rows: list[Doc], check: RowCheck, apply: Callable[[Doc, Doc], None]) -> Rejected:
    """Apply the rows that pass; `apply(product, row)` changes a copy of the product, which is then saved."""
    rejected: Rejected = []
    for row in rows:
        problem = check(shop, row)
        if problem is not None:
            rejected.append(problem)
            continue
        product = deepcopy(find_product(shop, row["sku"])) or {}
        apply(product, row)
        save_product(shop, product)
    return rejected


def _check_row(shop: Shop, row: Doc, name: str, kinds: frozenset[str]) -> Doc | None:
    product = find_product(shop, row.get("sku") or "")
    if product is None or product["type_id"] not in kinds or _dynamic_bundle(product):
        return _rejected(INVALID, "SKU", row.get("sku"))
    if row.get(name) is None or dec(row[name]) < 0:
        return _rejected(INVALID, name.capitalize(), row.get(name))
    if shop.get("stores", row.get("store_id", 0)) is None:
        return _rejected(NO_STORE, row["sku"], row.get("store_id"))
    return None


def _dynamic_bundle(product: Doc) -> bool:
    return product["type_id"] == "bundle" and str(product["values"].get("price_type", "0")) == "0"


PRICED = frozenset({"simple", "virtual", "downloadable", "bundle"})


def _products(shop: Shop, call: Call) -> list[Doc]:
    skus = call.args["skus"]
    products = [(sku, find_product(shop, sku)) for sku in skus]
    unknown = [sku for sku, product in products if product is None]
    if unknown:
        raise MagentoError(404, "Requested products don't exist: %sku", {"sku": ", ".join(unknown)})
    return [product for _, product in products if product is not None]


@route("POST", "/V1/products/base-prices")
def set_base(shop: Shop, call: Call) -> Any:
    """Prices have one value for all stores here (price scope global), whatever store the row names."""

    def apply(product: Doc, row: Doc) -> None:
        product["values"]["price"] = row["price"]

    return _each(shop, call.args["prices"], lambda shop, row: _check_row(shop, row, "price", PRICED), apply)


@route("POST", "/V1/products/base-prices-information")
def read_base(shop: Shop, call: Call) -> Any:
    return [
        {"sku": product["sku"], "store_id": 0, "price": product["values"]["price"]}
        for product in _products(shop, call)
        if product["values"].get("price") is not None
    ]


@route("POST", "/V1/products/cost")
def set_cost(shop: Shop, call: Call) -> Any:
    def apply(product: Doc, row: Doc) -> None:
        product["values"]["cost"] = row["cost"]

    return _each(shop, call.args["prices"], lambda shop, row: _check_row(shop, row, "cost", PRICED), apply)


@route("POST", "/V1/products/cost-information")
def read_cost(shop: Shop, call: Call) -> Any:
    return [
        {"sku": product["sku"], "store_id": 0, "cost": product["values"]["cost"]}
        for product in _products(shop, call)
        if product["values"].get("cost") is not None
    ]


@route("POST", "/V1/products/cost-delete")
def delete_cost(shop: Shop, call: Call) -> Any:
    for product in _products(shop, call):
        changed = deepcopy(product)
        changed["values"].pop("cost", None)
        save_product(shop, changed)
    return True


@route("POST", "/V1/products/special-price")
def set_special(shop: Shop, call: Call) -> Any:
    """A special price is a scheduled update: its window may not overlap another one of the product and store."""

    def check(shop: Shop, row: Doc) -> Doc | None:
        problem = _check_row(shop, row, "price", PRICED)
        if problem is not None:
            return problem
        start, end = row.get("price_from") or "", row.get("price_to") or "9999"
        if end <= start:
            return _rejected(INVALID, "Price To", row.get("price_to"))
        for kept in (find_product(shop, row["sku"]) or {}).get("_special", []):
            same_window = (kept.get("price_from") or "", kept.get("price_to") or "9999") == (start, end)
            overlaps = (kept.get("price_from") or "") < end and start < (kept.get("price_to") or "9999")
            if kept["store_id"] == row.get("store_id", 0) and overlaps and not same_window:
                return _rejected(OVERLAP)
        return None

    def apply(product: Doc, row: Doc) -> None:
        kept = [each for each in product.get("_special", []) if not _same_special(each, row)]
        product["_special"] = [*kept, {"store_id": 0, **row}]

    return _each(shop, call.args["prices"], check, apply)


def _same_special(kept: Doc, row: Doc) -> bool:
    names = ("price_from", "price_to")
    return kept["store_id"] == row.get("store_id", 0) and all(kept.get(name) == row.get(name) for name in names)


@route("POST", "/V1/products/special-price-information")
def read_special(shop: Shop, call: Call) -> Any:
    return [row | {"sku": product["sku"]} for product in _products(shop, call) for row in product.get("_special", [])]


@route("POST", "/V1/products/special-price-delete")
def delete_special(shop: Shop, call: Call) -> Any:
    def check(shop: Shop, row: Doc) -> Doc | None:
        kept = (find_product(shop, row.get("sku") or "") or {}).get("_special", [])
        found = any(_same_special(each, row) and dec(each["price"]) == dec(row.get("price")) for each in kept)
        return None if found else _rejected(INVALID, "SKU", row.get("sku"))

    def apply(product: Doc, row: Doc) -> None:
        product["_special"] = [each for each in product["_special"] if not _same_special(each, row)]

    return _each(shop, call.args["prices"], check, apply)


def _tier_key(row: Doc) -> tuple[str, int, str]:
    return str(row.get("customer_group", "")).lower(), int(row.get("website_id") or 0), f"{dec(row.get('quantity')):f}"


def _check_tier(shop: Shop, row: Doc) -> Doc | None:
    product = find_product(shop, row.get("sku") or "")
    if product is None or product["type_id"] == "configurable":
        return _rejected(INVALID, "SKU", row.get("sku"))
    if row.get("price_type") not in ("fixed", "discount"):
        return _rejected(INVALID, "Price Type", row.get("price_type"))
    if row["price_type"] == "fixed" and product["type_id"] == "bundle":
        return _rejected(INVALID, "Price Type", row["price_type"])
    price = row.get("price")
    if price is None or dec(price) < 0 or (row["price_type"] == "discount" and dec(price) > 100):
        return _rejected(INVALID, "Price", price)
    if row.get("website_id") not in (None, 0):
        group, website, quantity = row.get("customer_group"), row["website_id"], row.get("quantity")
        return _rejected(NO_WEBSITE, website, row["sku"], group, quantity)
    if dec(row.get("quantity")) < 1:
        return _rejected(INVALID, "Quantity", row.get("quantity"))
    if _group_id(shop, row.get("customer_group") or "") is None:
        return _rejected(INVALID, "Customer Group", row.get("customer_group"))
    return None


def _group_id(shop: Shop, code: str) -> int | None:
    if code.lower() == ALL_GROUPS:
        return ALL_GROUPS_ID
    found = (each["id"] for each in shop.table("groups").values() if each["code"].lower() == code.lower())
    return next(found, None)


def _apply_tier(shop: Shop, product: Doc, rows: list[Doc]) -> None:
    product["_tiers"] = rows
    product["tier_prices"] = [
        {
            "customer_group_id": _group_id(shop, row["customer_group"]),
            "qty": row["quantity"],
            "value": row["price"]
            if row["price_type"] == "fixed"
            else dec(effective(product, 0).get("price")) * (100 - dec(row["price"])) / 100,
        }
        for row in rows
    ]


def _set_tiers(shop: Shop, call: Call, *, replace: bool) -> Rejected:
    rejected: Rejected = []
    accepted: dict[str, list[Doc]] = {}
    seen: set[tuple[str, tuple[str, int, str]]] = set()
    for row in call.args["prices"]:
        problem = _check_tier(shop, row)
        key = (str(row.get("sku", "")).casefold(), _tier_key(row))
        if problem is None and key in seen:
            group, website, quantity = row["customer_group"], row.get("website_id", 0), row["quantity"]
            problem = _rejected(DUPLICATE_TIER, group, website, quantity, row["sku"])
        if problem is not None:
            rejected.append(problem)
            continue
        seen.add(key)
        accepted.setdefault(row["sku"], []).append({"website_id": 0, **row})
    for sku, rows in accepted.items():
        product = deepcopy(find_product(shop, sku)) or {}
        keys = {_tier_key(row) for row in rows}
        kept = [] if replace else [row for row in product.get("_tiers", []) if _tier_key(row) not in keys]
        _apply_tier(shop, product, kept + rows)
        save_product(shop, product)
    return rejected


@route("POST", "/V1/products/tier-prices")
def add_tiers(shop: Shop, call: Call) -> Any:
    return _set_tiers(shop, call, replace=False)


@route("PUT", "/V1/products/tier-prices")
def replace_tiers(shop: Shop, call: Call) -> Any:
    """Replaces all tiers of each SKU that is mentioned."""
    return _set_tiers(shop, call, replace=True)


@route("POST", "/V1/products/tier-prices-information")
def read_tiers(shop: Shop, call: Call) -> Any:
    return [row | {"sku": product["sku"]} for product in _products(shop, call) for row in product.get("_tiers", [])]


@route("POST", "/V1/products/tier-prices-delete")
def delete_tiers(shop: Shop, call: Call) -> Any:
    def check(shop: Shop, row: Doc) -> Doc | None:
        kept = (find_product(shop, row.get("sku") or "") or {}).get("_tiers", [])
        found = any(_tier_key(each) == _tier_key(row) for each in kept)
        return None if found else _rejected(INVALID, "SKU", row.get("sku"))

    def apply(product: Doc, row: Doc) -> None:
        _apply_tier(shop, product, [each for each in product["_tiers"] if _tier_key(each) != _tier_key(row)])

    return _each(shop, call.args["prices"], check, apply)
