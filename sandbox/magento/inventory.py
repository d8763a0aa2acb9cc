"""Multi-source inventory: sources, stocks, source items, reservations, salable quantity, deduction at shipment."""

from decimal import Decimal

from sandbox.kernel.store import Doc
from sandbox.magento.errors import MagentoError, refused
from sandbox.magento.money import ZERO, dec
from sandbox.magento.shop import Shop

COMPOSITE = frozenset({"configurable", "bundle", "grouped"})
NOT_AVAILABLE = "Not all of your products are available in the requested quantity."


def stock_of_website(shop: Shop, website_code: str) -> int:
    """The stock whose sales channels name the website, else the default stock 1."""
    for stock in shop.table("stocks").values():
        channels = stock.get("extension_attributes", {}).get("sales_channels", [])
        if any(each["type"] == "website" and each["code"] == website_code for each in channels):
            return int(stock["stock_id"])
    return 1


def stock_of_view(shop: Shop, store_id: int) -> int:
    return stock_of_website(shop, shop.website(shop.view(store_id)["website_id"])["code"])


def sources_of_stock(shop: Shop, stock_id: int) -> list[Doc]:
    """The enabled sources of a stock by priority."""
    links = sorted(shop.table("stock_links").where("stock_id", stock_id), key=lambda link: link["priority"])
    sources = [shop.get("sources", link["source_code"]) for link in links]
    return [source for source in sources if source is not None and source["enabled"]]


def source_item_key(source_code: str, sku: str) -> str:
    return f"{source_code}|{sku.casefold()}"


def source_item(shop: Shop, source_code: str, sku: str) -> Doc | None:
    return shop.get("source_items", source_item_key(source_code, sku))


def put_source_item(shop: Shop, source_code: str, sku: str, quantity: Decimal, status: int) -> None:
    doc = {"sku": sku, "source_code": source_code, "quantity": quantity, "status": status}
    shop.put("source_items", source_item_key(source_code, sku), doc)


def salable(shop: Shop, sku: str, stock_id: int) -> Decimal:
    """In-stock quantities of the stock's sources plus its reservations; zero when that is negative."""
    total = ZERO
    for source in sources_of_stock(shop, stock_id):
        item = source_item(shop, source["source_code"], sku)
        if item is not None and item["status"] == 1:
            total += dec(item["quantity"])
    total += dec((shop.get("reserved", f"{stock_id}|{sku.casefold()}") or {}).get("quantity"))
    return max(total, ZERO)


def reserve(shop: Shop, sku: str, stock_id: int, quantity: Decimal, event: str, order: Doc) -> None:
    """Append one reservation row (negative when goods are promised) and keep the sum beside it."""
    if not quantity:
        return
    number = shop.next_id("reservation")
    metadata = {
        "event_type": event,
        "object_type": "order",
        "object_id": str(order["entity_id"]),
        "object_increment_id": order["increment_id"],
    }
    doc = {"reservation_id": number, "stock_id": stock_id, "sku": sku, "quantity": quantity, "metadata": metadata}
    shop.put("reservations", number, doc)
    key = f"{stock_id}|{sku.casefold()}"
    kept = dec((shop.get("reserved", key) or {}).get("quantity"))
    shop.put("reserved", key, {"sku": sku, "stock_id": stock_id, "quantity": kept + quantity})


def is_stocked(item: Doc) -> bool:
    """Whether an order row itself is kept in stock; of a composite product only its parts are."""
    return item["product_type"] not in COMPOSITE


def promise(shop: Shop, order: Doc) -> None:
    """Reserve the goods of a placed order. Raises 400 when they are not all available."""
    stock_id = stock_of_view(shop, order["store_id"])
    wanted: dict[str, Decimal] = {}
    for item in order["items"]:
        if is_stocked(item):
            wanted[item["sku"]] = wanted.get(item["sku"], ZERO) + dec(item["qty_ordered"])
    if any(salable(shop, sku, stock_id) < quantity for sku, quantity in wanted.items()):
        raise refused(NOT_AVAILABLE)
    for sku, quantity in wanted.items():
        reserve(shop, sku, stock_id, -quantity, "order_placed", order)


def release(shop: Shop, order: Doc, item: Doc, quantity: Decimal, event: str) -> None:
    if is_stocked(item):
        reserve(shop, item["sku"], stock_of_view(shop, order["store_id"]), quantity, event, order)


def source_for_shipment(shop: Shop, order: Doc, source_code: str | None) -> str:
    """The source that sends: the given one, the only one of the stock, or `default`."""
    if source_code:
        if shop.get("sources", source_code) is None:
            raise MagentoError(400, "Could not save a shipment, see error log for details")
        return source_code
    sources = sources_of_stock(shop, stock_of_view(shop, order["store_id"]))
    return str(sources[0]["source_code"]) if len(sources) == 1 else "default"


def deduct(shop: Shop, order: Doc, rows: list[tuple[Doc, Decimal]], source_code: str, event: str) -> None:
    """Take goods from a source and undo their reservation. Raises the vendor's refusal before anything is taken."""
    failure = "Could not save a shipment, see error log for details" if event == "shipment_created" else NOT_AVAILABLE
    wanted: dict[str, Decimal] = {}
    for item, quantity in rows:
        if is_stocked(item):
            wanted[item["sku"]] = wanted.get(item["sku"], ZERO) + quantity
    for sku, quantity in wanted.items():
        kept = source_item(shop, source_code, sku)
        if kept is None or kept["status"] != 1 or dec(kept["quantity"]) < quantity:
            raise MagentoError(400, failure)
    stock_id = stock_of_view(shop, order["store_id"])
    for sku, quantity in wanted.items():
        kept = source_item(shop, source_code, sku) or {}
        left = dec(kept["quantity"]) - quantity
        put_source_item(shop, source_code, sku, left, kept["status"] if left > 0 else 0)
        reserve(shop, sku, stock_id, quantity, event, order)


def put_back(shop: Shop, order: Doc, item: Doc, quantity: Decimal, source_code: str) -> None:
    """Goods that were sent come back to the source they left."""
    if is_stocked(item):
        kept = source_item(shop, source_code, item["sku"])
        put_source_item(shop, source_code, item["sku"], dec((kept or {}).get("quantity")) + quantity, 1)
