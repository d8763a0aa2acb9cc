"""Customers, their addresses and groups. A PUT is not a patch: addresses, when sent, are the whole list."""

from copy import deepcopy
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import search
from sandbox.magento.errors import MULTIPLE, REQUIRED_FIELD, MagentoError, no_such, refused
from sandbox.magento.events import publish
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

SAME_EMAIL = "A customer with the same email address already exists in an associated website."
COLUMNS = {**CONTRACT.scalar_fields("customer-data-customer"), "entity_id": "int"}
GROUP_COLUMNS = CONTRACT.scalar_fields("customer-data-group")
ADDRESS_REQUIRED = ("firstname", "lastname", "street", "city", "country_id", "telephone")


def required_customer(shop: Shop, customer_id: Any) -> Doc:
    customer = shop.get("customers", customer_id)
    if customer is None:
        raise no_such("customerId", customer_id)
    return deepcopy(customer)


@route("GET", "/V1/customers/{customerId}")
def get_customer(shop: Shop, call: Call) -> Any:
    return required_customer(shop, call.path["customer_id"])


@route("GET", "/V1/customers/search")
def find_customers(shop: Shop, call: Call) -> Any:
    """The list leaves out what belongs to a company; the single read has it."""

    def value_of(customer: Doc, name: str) -> Any:
        return customer.get("id" if name == "entity_id" else name)

    found = search(shop, shop.table("customers").values(), call.criteria(shop), COLUMNS, value_of)
    items = [each | {"extension_attributes": _listed(each["extension_attributes"])} for each in found["items"]]
    return found | {"items": items}


def _listed(extension: Doc) -> Doc:
    return {name: value for name, value in extension.items() if name != "company_attributes"}


@route("POST", "/V1/customers")
def post_customer(shop: Shop, call: Call) -> Any:
    given = call.args["customer"]
    if given.get("id"):
        raise no_such("customerId", given["id"]) if shop.get("customers", given["id"]) is None else refused(SAME_EMAIL)
    view = shop.view(given.get("store_id") or call.store_id or 1)
    website = given.get("website_id") or view["website_id"]
    if shop.get("websites", website) is None:
        raise no_such("website_id", website)
    if not given.get("store_id"):
        view = next(each for each in shop.table("stores").values() if each["website_id"] == website)
    fresh = {
        "id": shop.next_id("customer"),
        "group_id": 1,
        "created_at": shop.stamp(),
        "created_in": view["name"],
        "store_id": view["id"],
        "disable_auto_group_change": 0,
        "addresses": [],
        "extension_attributes": {"is_subscribed": False},
    }
    allowed = dict(given.get("extension_attributes") or {})
    allowed.pop("company_attributes", None)  # cannot be set on create
    return _save(shop, fresh, given | {"website_id": website, "extension_attributes": allowed})


@route("PUT", "/V1/customers/{customerId}")
def put_customer(shop: Shop, call: Call) -> Any:
    customer_id = int(call.path["customer_id"])
    return _save(shop, required_customer(shop, customer_id), call.args["customer"] | {"id": customer_id})


def _save(shop: Shop, old: Doc, given: Doc) -> Doc:
    _require(given)
    for other in shop.table("customers").values():
        same = other["email"].casefold() == given["email"].casefold()
        if other["id"] != old["id"] and same and other["website_id"] == given["website_id"]:
            raise refused(SAME_EMAIL)
    if given.get("group_id") is not None and shop.get("groups", given["group_id"]) is None:
        raise no_such("id", given["group_id"])
    skipped = ("addresses", "extension_attributes", "created_at", "id")
    customer = old | {name: value for name, value in given.items() if name not in skipped and value is not None}
    if given.get("addresses") is not None:
        customer["addresses"] = [_address(shop, customer, each) for each in given["addresses"]]
        for name in ("default_billing", "default_shipping"):
            chosen = next((each["id"] for each in customer["addresses"] if each.get(name)), None)
            customer[name] = None if chosen is None else str(chosen)
    extension = {**old["extension_attributes"], **(given.get("extension_attributes") or {})}
    if extension.get("company_attributes"):
        extension["company_attributes"]["customer_id"] = old["id"]
    customer |= {"extension_attributes": extension, "updated_at": shop.stamp()}
    shop.put("customers", customer["id"], customer)
    value = {"entity_id": customer["id"], "email": customer["email"], "website_id": customer["website_id"]}
    publish(shop, "observer.customer_save_commit_after", value, customer["store_id"])
    return shop.get("customers", customer["id"]) or customer


def _require(given: Doc) -> None:
    names = [name for name in ("email", "firstname", "lastname", "website_id") if not given.get(name)]
    names += [name for each in given.get("addresses") or [] for name in ADDRESS_REQUIRED if not each.get(name)]
    if len(names) == 1:
        raise MagentoError(400, REQUIRED_FIELD, {"fieldName": names[0]})
    if names:
        errors = [{"message": REQUIRED_FIELD, "parameters": {"fieldName": name}} for name in names]
        raise MagentoError(400, MULTIPLE, errors=errors)
    if "@" not in given["email"]:
        raise refused('"%1" is not a valid email address.', given["email"])


def _address(shop: Shop, customer: Doc, given: Doc) -> Doc:
    known = {each["id"] for each in customer["addresses"]}
    if given.get("id") and given["id"] not in known:
        raise no_such("addressId", given["id"])
    return {"customer_id": customer["id"], **given, "id": given.get("id") or shop.next_id("address")}


@route("DELETE", "/V1/customers/{customerId}")
def delete_customer(shop: Shop, call: Call) -> Any:
    customer = required_customer(shop, call.path["customer_id"])
    shop.table("customers").delete(str(customer["id"]))
    return True


@route("POST", "/V1/customers/isEmailAvailable")
def is_email_available(shop: Shop, call: Call) -> Any:
    website = call.args.get("website_id") or shop.view(call.store_id or 1)["website_id"]
    email = call.args["customer_email"].casefold()
    customers = shop.table("customers").values()
    return not any(each["email"].casefold() == email and each["website_id"] == website for each in customers)


def _default_address(kind: str) -> Any:
    def get(shop: Shop, call: Call) -> Any:
        customer = required_customer(shop, call.path["customer_id"])
        return next((each for each in customer["addresses"] if str(each["id"]) == customer.get(kind)), None)

    return get


route("GET", "/V1/customers/{customerId}/billingAddress")(_default_address("default_billing"))
route("GET", "/V1/customers/{customerId}/shippingAddress")(_default_address("default_shipping"))


def _owner(shop: Shop, address_id: int) -> tuple[Doc, Doc]:
    for customer in shop.table("customers").values():
        for address in customer["addresses"]:
            if address["id"] == address_id:
                return deepcopy(customer), address
    raise no_such("addressId", address_id)


@route("GET", "/V1/customers/addresses/{addressId}")
def get_address(shop: Shop, call: Call) -> Any:
    return _owner(shop, call.path["address_id"])[1]


@route("DELETE", "/V1/addresses/{addressId}")
def delete_address(shop: Shop, call: Call) -> Any:
    customer, address = _owner(shop, call.path["address_id"])
    customer["addresses"] = [each for each in customer["addresses"] if each["id"] != address["id"]]
    shop.put("customers", customer["id"], customer | {"updated_at": shop.stamp()})
    return True


def _group(shop: Shop, group_id: Any) -> Doc:
    group = shop.get("groups", group_id)
    if group is None:
        raise no_such("id", group_id)
    return group


@route("GET", "/V1/customerGroups/{id}")
def get_group(shop: Shop, call: Call) -> Any:
    return _group(shop, call.path["id"])


@route("GET", "/V1/customerGroups/default/{storeId}")
def default_group(shop: Shop, call: Call) -> Any:
    return _group(shop, 1)


@route("GET", "/V1/customerGroups/search")
def find_groups(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("groups").values(), call.criteria(shop), GROUP_COLUMNS)


@route("POST", "/V1/customerGroups")
def post_group(shop: Shop, call: Call) -> Any:
    return _save_group(shop, shop.next_id("group"), call.args["group"])


@route("PUT", "/V1/customerGroups/{id}")
def put_group(shop: Shop, call: Call) -> Any:
    group = _group(shop, call.path["id"])
    return _save_group(shop, group["id"], group | call.args["group"])


def _save_group(shop: Shop, group_id: int, given: Doc) -> Doc:
    if not given.get("code"):
        raise MagentoError(400, REQUIRED_FIELD, {"fieldName": "code"})
    others = [each for each in shop.table("groups").values() if each["id"] != group_id]
    if any(each["code"].casefold() == given["code"].casefold() for each in others):
        raise refused("Customer Group already exists.")
    group = {"tax_class_id": 3, "tax_class_name": "Retail Customer", **given, "id": group_id}
    shop.put("groups", group_id, group)
    return group


@route("DELETE", "/V1/customerGroups/{id}")
def delete_group(shop: Shop, call: Call) -> Any:
    group = _group(shop, call.path["id"])
    if group["id"] in (0, 1):
        raise refused("Cannot delete group.")
    shop.table("groups").delete(str(group["id"]))
    return True
