"""Carts that an integration fills for a customer, and the order that comes of them."""

from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento import inventory
from sandbox.magento.catalog import effective, find_product
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import search
from sandbox.magento.customers import required_customer
from sandbox.magento.errors import MagentoError, missing, no_such, refused
from sandbox.magento.money import dec
from sandbox.magento.orders import save_order
from sandbox.magento.place import place
from sandbox.magento.pricing import PENDING_METHODS, Money, Wish, price, rows_of
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

COLUMNS = CONTRACT.scalar_fields("quote-data-cart")
CARRIERS = {"flatrate": ("Flat Rate", "Fixed", "4.90"), "freeshipping": ("Free Shipping", "Free", "0")}


def _cart(shop: Shop, cart_id: Any) -> Doc:
    """An active cart; one that became an order is gone."""
    cart = shop.get("carts", cart_id)
    if cart is None or not cart["is_active"]:
        raise no_such("cartId", cart_id)
    return deepcopy(cart)


def _keep(shop: Shop, cart: Doc) -> None:
    shop.put("carts", cart["id"], cart | {"updated_at": shop.stamp()})


@route("POST", "/V1/customers/{customerId}/carts")
def create_cart(shop: Shop, call: Call) -> Any:
    """The customer's active cart, a new one when there is none."""
    customer = required_customer(shop, call.path["customer_id"])
    store_id = call.store_id or customer["store_id"]
    for cart in shop.table("carts").where("_customer_id", customer["id"]):
        if cart["is_active"]:
            return str(cart["id"])
    cart_id = shop.next_id("quote")
    fresh = {
        "id": cart_id,
        "created_at": shop.stamp(),
        "is_active": True,
        "store_id": store_id,
        "items": [],
        "_customer_id": customer["id"],
    }
    _keep(shop, fresh)
    return str(cart_id)


def _shown(shop: Shop, cart: Doc) -> Doc:
    view = shop.view(cart["store_id"])
    return cart | {
        "is_virtual": False,
        "items_count": len(cart["items"]),
        "items_qty": sum(dec(item["qty"]) for item in cart["items"]),
        "customer": shop.get("customers", cart["_customer_id"]),
        "customer_is_guest": False,
        "currency": {
            "global_currency_code": view["_base_currency"],
            "base_currency_code": view["_base_currency"],
            "store_currency_code": view["_base_currency"],
            "quote_currency_code": view["_currency"],
            "base_to_global_rate": 1,
            "base_to_quote_rate": view["_base_rate"],
        },
    }


@route("GET", "/V1/carts/{cartId}")
def get_cart(shop: Shop, call: Call) -> Any:
    cart = shop.get("carts", call.path["cart_id"])
    if cart is None:
        raise no_such("cartId", call.path["cart_id"])
    return _shown(shop, cart)


@route("GET", "/V1/carts/search")
def find_carts(shop: Shop, call: Call) -> Any:
    found = search(shop, shop.table("carts").values(), call.criteria(shop), COLUMNS)
    return found | {"items": [_shown(shop, cart) for cart in found["items"]]}


@route("GET", "/V1/carts/{cartId}/items")
def get_items(shop: Shop, call: Call) -> Any:
    return _cart(shop, call.path["cart_id"])["items"]


@route("POST", "/V1/carts/{quoteId}/items")
def add_item(shop: Shop, call: Call) -> Any:
    given = call.args["cart_item"]
    if not given.get("quote_id"):
        raise missing(["quoteId"])
    cart = _cart(shop, given["quote_id"])
    product = find_product(shop, given.get("sku") or "")
    if product is None:
        raise MagentoError(404, "The product that was requested doesn't exist. Verify the product and try again.")
    if dec(given.get("qty")) <= 0:
        raise refused("The quantity should be a positive number.")
    chosen = _variant(shop, product, given)
    stock_id = inventory.stock_of_view(shop, cart["store_id"])
    if chosen["type_id"] not in inventory.COMPOSITE and inventory.salable(shop, chosen["sku"], stock_id) < dec(
        given["qty"]
    ):
        raise refused("The requested qty is not available")
    item = {
        "item_id": shop.next_id("quote_item"),
        "sku": chosen["sku"],
        "qty": given["qty"],
        "name": effective(product, cart["store_id"]).get("name"),
        "price": Money(shop.view(cart["store_id"])).from_base(dec(chosen["values"].get("price")))[""],
        "product_type": product["type_id"],
        "quote_id": str(cart["id"]),
    }
    cart["items"].append(item)
    _keep(shop, cart)
    return item


def _variant(shop: Shop, product: Doc, given: Doc) -> Doc:
    """The variant that the options of a configurable choose."""
    if product["type_id"] != "configurable":
        return product
    extension = (given.get("product_option") or {}).get("extension_attributes") or {}
    chosen = {int(each.get("option_value") or 0) for each in extension.get("configurable_item_options") or []}
    for each in shop.table("products").where("_configurable", product["sku"]):
        if each["_variant"][1] in chosen:
            return each
    raise refused("You need to choose options for your item.")


def _item(cart: Doc, item_id: Any) -> Doc:
    for item in cart["items"]:
        if item["item_id"] == int(item_id):
            return dict(item)
    raise MagentoError(404, "The %1 Cart doesn't contain the %2 item.", [cart["id"], int(item_id)])


@route("PUT", "/V1/carts/{cartId}/items/{itemId}")
def change_item(shop: Shop, call: Call) -> Any:
    cart = _cart(shop, call.path["cart_id"])
    changed = _item(cart, call.path["item_id"]) | {"qty": call.args["cart_item"].get("qty")}
    cart["items"] = [changed if item["item_id"] == changed["item_id"] else item for item in cart["items"]]
    _keep(shop, cart)
    return changed


@route("DELETE", "/V1/carts/{cartId}/items/{itemId}")
def remove_item(shop: Shop, call: Call) -> Any:
    cart = _cart(shop, call.path["cart_id"])
    gone = _item(cart, call.path["item_id"])
    cart["items"] = [item for item in cart["items"] if item["item_id"] != gone["item_id"]]
    _keep(shop, cart)
    return True


@route("POST", "/V1/carts/{cartId}/billing-address")
def set_billing(shop: Shop, call: Call) -> Any:
    cart = _cart(shop, call.path["cart_id"])
    number = shop.next_id("quote_address")
    _keep(shop, cart | {"billing_address": call.args["address"] | {"id": number}})
    return number


@route("GET", "/V1/carts/{cartId}/billing-address")
def get_billing(shop: Shop, call: Call) -> Any:
    return _cart(shop, call.path["cart_id"]).get("billing_address", {})


@route("GET", "/V1/carts/{cartId}/shipping-methods")
def shipping_methods(shop: Shop, call: Call) -> Any:
    cart = _cart(shop, call.path["cart_id"])
    if not cart.get("_shipping_address"):
        raise refused("The shipping address is missing. Set the address and try again.")
    money = Money(shop.view(cart["store_id"]))
    result = []
    for code, (carrier, title, amount) in CARRIERS.items():
        both = money.from_base(dec(amount))
        result.append(
            {
                "carrier_code": code,
                "method_code": code,
                "carrier_title": carrier,
                "method_title": title,
                "amount": both[""],
                "base_amount": both["base_"],
                "available": True,
                "price_excl_tax": both[""],
                "price_incl_tax": both[""],
            }
        )
    return result


@route("POST", "/V1/carts/{cartId}/shipping-information")
def set_shipping(shop: Shop, call: Call) -> Any:
    cart, given = _cart(shop, call.path["cart_id"]), call.args["address_information"]
    if not cart["items"]:
        raise refused("The shipping method can't be set for an empty cart. Add an item to cart and try again.")
    carrier, method = given.get("shipping_carrier_code"), given.get("shipping_method_code")
    if carrier not in CARRIERS or method != carrier:
        raise MagentoError(404, "Carrier with such method not found: %1, %2", [carrier, method])
    cart["_shipping_address"] = given.get("shipping_address")
    cart["_shipping_method"] = f"{carrier}_{method}"
    if given.get("billing_address"):
        cart["billing_address"] = given["billing_address"]
    _keep(shop, cart)
    return {"payment_methods": _methods(), "totals": _totals(shop, cart)}


def _methods() -> list[Doc]:
    return [{"code": code, "title": title} for code, title in PENDING_METHODS.items() if code != "free"]


@route("GET", "/V1/carts/{cartId}/payment-methods")
def payment_methods(shop: Shop, call: Call) -> Any:
    _cart(shop, call.path["cart_id"])
    return _methods()


@route("PUT", "/V1/carts/{cartId}/selected-payment-method")
def set_method(shop: Shop, call: Call) -> Any:
    cart, given = _cart(shop, call.path["cart_id"]), call.args["method"]
    if given.get("method") not in PENDING_METHODS:
        raise refused("The requested Payment Method is not available.")
    _keep(shop, cart | {"_payment": given})
    return str(cart["id"])


@route("GET", "/V1/carts/{cartId}/selected-payment-method")
def get_method(shop: Shop, call: Call) -> Any:
    return _cart(shop, call.path["cart_id"]).get("_payment")


def _wish(shop: Shop, cart: Doc) -> Wish:
    customer = required_customer(shop, cart["_customer_id"])
    address: Doc = cart.get("billing_address") or cart.get("_shipping_address") or next(iter(customer["addresses"]), {})
    company_id = (customer["extension_attributes"].get("company_attributes") or {}).get("company_id")
    carrier, title, amount = CARRIERS[cart.get("_shipping_method", "flatrate_flatrate").split("_")[0]]
    payment = cart.get("_payment") or {}
    return Wish(
        store_id=cart["store_id"],
        items=cart["items"] and [{"sku": item["sku"], "qty": item["qty"]} for item in cart["items"]],
        billing=address,
        shipping=cart.get("_shipping_address"),
        customer=customer,
        company=shop.get("companies", company_id) if company_id else None,
        method=payment.get("method", "checkmo"),
        po_number=payment.get("po_number"),
        shipping_method=cart.get("_shipping_method", "flatrate_flatrate"),
        shipping_title=f"{carrier} - {title}",
        shipping_amount=Money(shop.view(cart["store_id"])).from_base(dec(amount))[""],
        quote_id=cart["id"],
    )


def _totals(shop: Shop, cart: Doc) -> Doc:
    wish, view = _wish(shop, cart), shop.view(cart["store_id"])
    money = Money(view)
    rows = rows_of(shop, wish, money)
    totals = price(wish, rows, money)
    result: Doc = {"base_currency_code": view["_base_currency"], "quote_currency_code": view["_currency"]}
    for side, sums in totals.items():
        result |= {
            f"{side}grand_total": sums["grand"],
            f"{side}subtotal": sums["subtotal"],
            f"{side}discount_amount": -sums["discount"],
            f"{side}shipping_amount": sums["shipping"],
            f"{side}shipping_tax_amount": sums["shipping_tax"],
            f"{side}tax_amount": sums["tax"],
        }
    result["items_qty"] = int(sum(dec(item["qty"]) for item in cart["items"]))
    return result


@route("GET", "/V1/carts/{cartId}/totals")
def get_totals(shop: Shop, call: Call) -> Any:
    return _totals(shop, _cart(shop, call.path["cart_id"]))


@route("PUT", "/V1/carts/{cartId}/order")
def place_cart(shop: Shop, call: Call) -> Any:
    cart = _cart(shop, call.path["cart_id"])
    if call.args.get("payment_method"):
        cart["_payment"] = call.args["payment_method"]
    if not cart["items"]:
        raise refused("Cart does not contain item.")
    if not cart.get("_payment"):
        raise refused("Enter a valid payment method and try again.")
    if not cart.get("_shipping_address"):
        raise refused("Some addresses can't be used due to the configurations for specific countries.")
    order = place(shop, _wish(shop, cart))
    save_order(shop, order)
    _keep(shop, cart | {"is_active": False, "orig_order_id": order["entity_id"], "converted_at": shop.stamp()})
    return str(order["entity_id"])
