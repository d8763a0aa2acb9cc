"""What the shop's own people and buyers do when the control API asks: orders, registrations, edits, settings."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.kernel.world import ActError
from sandbox.magento import bulk
from sandbox.magento.catalog import find_product, save_product
from sandbox.magento.contract import plain
from sandbox.magento.errors import MagentoError
from sandbox.magento.events import publish
from sandbox.magento.invoices import create_invoice
from sandbox.magento.money import dec
from sandbox.magento.orders import NO_CANCEL, add_comment, cancel_order, read_order, save_order
from sandbox.magento.place import place
from sandbox.magento.pricing import Wish
from sandbox.magento.seed import customer_doc
from sandbox.magento.shop import DEFAULT_SETTINGS, STATUSES, VERSION_PROFILES, Shop

Arguments = dict[str, Any]


def act(shop: Shop, do: str, arguments: Arguments) -> dict[str, Any]:
    if do not in ACTS:
        raise ActError(f"do: magento cannot {do!r}", allowed=sorted(ACTS))
    function, known = ACTS[do]
    unknown = set(arguments) - known - {"do"}
    if unknown:
        raise ActError(f"{sorted(unknown)[0]}: {do} does not take it", allowed=sorted(known))
    try:
        return function(shop, arguments)
    except MagentoError as error:
        raise ActError(f"do: {do} was refused: {error.message}") from error


def _view(shop: Shop, arguments: Arguments) -> Doc:
    code = str(arguments.get("store", "de"))
    view = shop.view_by_code(code)
    if view is None or view["id"] == 0:
        codes = [each["code"] for each in shop.table("stores").values() if each["id"]]
        raise ActError(f"store: {code!r} is not a store view", allowed=codes)
    return view


def _customer(shop: Shop, arguments: Arguments) -> tuple[Doc | None, Doc | None]:
    """The buyer and the company that is bought for."""
    company = None
    if arguments.get("company") is not None:
        company = shop.get("companies", arguments["company"])
        if company is None:
            raise ActError(f"company: there is no company {arguments['company']}")
    wanted = arguments.get("customer", company["super_user_id"] if company else "guest")
    if wanted in ("guest", None):
        return None, company
    customer = shop.get("customers", wanted)
    if customer is None:
        raise ActError(f"customer: there is no customer {wanted}", allowed="a customer number or guest")
    return customer, company


def _address(view: Doc, customer: Doc | None, given: Doc | None) -> Doc:
    if given:
        return given
    if customer is not None and customer["addresses"]:
        return dict(customer["addresses"][0])
    return {
        "firstname": "Erika",
        "lastname": "Mustermann",
        "street": ["Gastweg 7"],
        "city": "Berlin" if view["_country"] == "DE" else "Capital",
        "postcode": "10115",
        "country_id": view["_country"],
        "telephone": "+49 30 5550300",
        "email": "gast@buyer.example",
    }


def read_wish(shop: Shop, arguments: Arguments) -> Wish:
    view = _view(shop, arguments)
    customer, company = _customer(shop, arguments)
    items = arguments.get("items") or []
    if not items:
        raise ActError("items: at least one {sku, qty} is needed")
    for item in items:
        if find_product(shop, str(item.get("sku", ""))) is None:
            raise ActError(f"items: there is no product {item.get('sku')!r}")
        if dec(item.get("qty", 1)) <= 0:
            raise ActError(f"items: qty of {item['sku']} must be more than 0")
    addresses = arguments.get("addresses") or {}
    state = arguments.get("state")
    if state is not None and state not in STATUSES:
        raise ActError(f"state: {state!r} is unknown", allowed=list(STATUSES))
    status = arguments.get("status")
    if status == "pending_payment" and state is None:
        state = "pending_payment"
    coupon = arguments.get("coupon")
    if coupon is not None and not ("code" in coupon and ("percent" in coupon) != ("amount" in coupon)):
        raise ActError("coupon: needs code and one of percent, amount")
    shipping_amount = arguments.get("shipping_amount")
    tax_percent = arguments.get("tax_percent")
    return Wish(
        store_id=view["id"],
        items=items,
        billing=_address(view, customer, addresses.get("billing")),
        shipping=addresses.get("shipping"),
        customer=customer,
        company=company,
        email=str(arguments.get("email") or ""),
        method=str(arguments.get("payment_method", "juston")),
        captured=bool(arguments.get("captured", True)),
        po_number=arguments.get("po_number"),
        coupon=coupon,
        gift_card=dec(arguments.get("gift_card")),
        store_credit=dec(arguments.get("store_credit")),
        reward=dec(arguments.get("reward")),
        fees=arguments.get("fees") or [],
        shipping_method=str(arguments.get("shipping_method", "flatrate_flatrate")),
        shipping_amount=None if shipping_amount is None else dec(shipping_amount),
        tax_percent=None if tax_percent is None else dec(tax_percent),
        state=state,
        status=status,
    )


def place_order(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    order = place(shop, read_wish(shop, arguments))
    if arguments.get("comment"):
        add_comment(shop, order, str(arguments["comment"]))
    if arguments.get("invoice"):
        invoice = create_invoice(shop, order, None)
        shop.put("invoices", invoice["entity_id"], invoice)
    save_order(shop, order)
    return {"entity_id": order["entity_id"], "increment_id": order["increment_id"]}


def find_order(shop: Shop, arguments: Arguments) -> Doc:
    """The order named by `entity_id` or `increment_id`."""
    if arguments.get("entity_id") is not None:
        found = shop.get("orders", arguments["entity_id"])
    else:
        found = next(iter(shop.table("orders").where("increment_id", str(arguments.get("increment_id")))), None)
    if found is None:
        raise ActError("increment_id: there is no such order")
    return deepcopy(found)


def edit_order(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    """An order is edited by placing its successor `<original>-1`, `-2`, ... and cancelling it, in this order."""
    old = find_order(shop, arguments)
    if old["state"] in NO_CANCEL or any(dec(item["qty_invoiced"]) > 0 for item in old["items"]):
        raise ActError(f"increment_id: order {old['increment_id']} cannot be edited in state {old['state']}")
    first = old.get("original_increment_id") or old["increment_id"]
    edit = int(old.get("edit_increment") or 0) + 1
    view = shop.view(old["store_id"])
    company = (old["extension_attributes"].get("company_order_attributes") or {}).get("company_id")
    wish_arguments: Arguments = {
        "store": view["code"],
        "customer": old.get("customer_id") or "guest",
        "company": company,
        "email": old["customer_email"],
        "payment_method": old["payment"]["method"],
        "addresses": {"billing": old["billing_address"]},
        "items": arguments.get("items")
        or [
            {
                "sku": _sku_of(shop, item),
                "qty": item["qty_ordered"],
            }
            for item in old["items"]
            if not item.get("parent_item_id")
        ],
    }
    new = place(shop, read_wish(shop, wish_arguments))
    new |= {
        "increment_id": f"{first}-{edit}",
        "original_increment_id": first,
        "edit_increment": edit,
        "relation_parent_id": str(old["entity_id"]),
        "relation_parent_real_id": old["increment_id"],
    }
    save_order(shop, new)
    old |= {"relation_child_id": str(new["entity_id"]), "relation_child_real_id": new["increment_id"]}
    cancel_order(shop, old)
    return {"entity_id": new["entity_id"], "increment_id": new["increment_id"]}


def _sku_of(shop: Shop, item: Doc) -> str:
    """The SKU to order a row by: a bundle's row carries those of its parts too."""
    bundles = shop.table("products").where("id", item["product_id"]) if item["product_type"] == "bundle" else []
    return str(bundles[0]["sku"] if bundles else item["sku"])


def register_customer(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    view = _view(shop, arguments)
    for name in ("email", "firstname", "lastname"):
        if not arguments.get(name):
            raise ActError(f"{name}: is needed")
    same = shop.table("customers").where("email", arguments["email"])
    if any(each["website_id"] == view["website_id"] for each in same):
        raise ActError("email: a customer with the same email address already exists in an associated website")
    customer_id = shop.next_id("customer")
    address = {"street": ["Neuweg 1"], "city": "Berlin", "postcode": "10115"} | (arguments.get("address") or {})
    names = (arguments["firstname"], arguments["lastname"])
    customer = customer_doc(shop, customer_id, view["code"], names, arguments["email"], address)
    shop.put("customers", customer_id, customer)
    value = {"entity_id": customer_id, "email": customer["email"], "website_id": view["website_id"]}
    publish(shop, "observer.customer_save_commit_after", value, view["id"])
    return {"id": customer_id}


def edit_product(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    product = find_product(shop, str(arguments.get("sku", "")))
    if product is None:
        raise ActError(f"sku: there is no product {arguments.get('sku')!r}")
    values = arguments.get("values") or {}
    product = deepcopy(product)
    if arguments.get("store"):
        scope = str(_view(shop, arguments)["id"])
        product["overrides"][scope] = product["overrides"].get(scope, {}) | values
    else:
        product["values"] = product["values"] | values
    save_product(shop, product)
    return {"id": product["id"], "sku": product["sku"]}


def configure(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    changes = {name: value for name, value in arguments.items() if name != "do"}
    if changes.get("version_profile", VERSION_PROFILES[-1]) not in VERSION_PROFILES:
        raise ActError("version_profile: is unknown", allowed=list(VERSION_PROFILES))
    for name, value in changes.items():
        expected = type(DEFAULT_SETTINGS[name])
        if not isinstance(value, expected):
            raise ActError(f"{name}: must be of type {expected.__name__}")
    shop.configure(plain(changes))
    if changes.get("consumers_running"):
        bulk.resume(shop)
    return {name: shop.settings[name] for name in sorted(SWITCHES)}


def revoke_tokens(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    return {"revoked": revoke_all(shop)}


def revoke_all(shop: Shop) -> int:
    tokens = list(shop.table("tokens"))
    for token in tokens:
        shop.table("tokens").delete(token)
    return len(tokens)


def cancel(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    return {"canceled": cancel_order(shop, find_order(shop, arguments))}


def delete_shipment(shop: Shop, arguments: Arguments) -> dict[str, Any]:
    """The shop's own interface has no way to do this: an extension, or somebody in its database. Nothing tells when."""
    shipment = shop.get("shipments", arguments.get("entity_id"))
    if shipment is None:
        raise ActError(f"entity_id: there is no shipment {arguments.get('entity_id')}")
    order = read_order(shop, shipment["order_id"])
    shipped = {row["order_item_id"]: row["qty"] for row in shipment["items"]}
    for item in order["items"]:
        item["qty_shipped"] = dec(item["qty_shipped"]) - dec(shipped.get(item["item_id"]))
    for track in shipment["tracks"]:
        shop.table("track_index").delete(str(track["entity_id"]))
    shop.table("shipments").delete(str(shipment["entity_id"]))
    save_order(shop, order, touch=False)
    return {"increment_id": shipment["increment_id"]}


SWITCHES = frozenset(DEFAULT_SETTINGS) - {"admin", "integration"}
PLACE = frozenset(
    "store items customer company payment_method captured invoice coupon gift_card store_credit reward fees "
    "shipping_method shipping_amount tax_percent addresses email state status po_number comment".split()
)
ACTS: dict[str, tuple[Callable[[Shop, Arguments], dict[str, Any]], frozenset[str]]] = {
    "place-order": (place_order, PLACE),
    "edit-order": (edit_order, frozenset({"entity_id", "increment_id", "items"})),
    "cancel-order": (cancel, frozenset({"entity_id", "increment_id"})),
    "delete-shipment": (delete_shipment, frozenset({"entity_id"})),
    "register-customer": (register_customer, frozenset({"store", "email", "firstname", "lastname", "address"})),
    "edit-product": (edit_product, frozenset({"sku", "store", "values"})),
    "configure": (configure, SWITCHES),
    "revoke-tokens": (revoke_tokens, frozenset()),
}
