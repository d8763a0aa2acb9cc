"""Products: one document per SKU with default values and what single store views override."""

from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.shop import Shop

# Attributes without a store scope, and those whose scope is the website: a store view's write goes to the default.
GLOBAL_ATTRIBUTES = frozenset(
    {"sku", "weight", "price", "cost", "price_type", "sku_type", "weight_type", "shipment_type"}
)


def product_key(sku: str) -> str:
    """SKUs are compared without regard to case and surrounding blanks."""
    return sku.strip().casefold()


def find_product(shop: Shop, sku: str) -> Doc | None:
    return shop.get("products", product_key(sku))


def effective(product: Doc, store_id: int) -> dict[str, Any]:
    """The attribute values that a store view sees: its own over the default ones."""
    overrides: dict[str, Any] = product["overrides"].get(str(store_id), {})
    return {**product["values"], **overrides}


def save_product(shop: Shop, product: Doc) -> None:
    shop.put("products", product_key(product["sku"]), product | {"updated_at": shop.stamp()})
