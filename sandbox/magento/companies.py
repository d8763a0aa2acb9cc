"""Companies and their credit. A PUT replaces: the required set must be there."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import search
from sandbox.magento.errors import missing, no_such, refused
from sandbox.magento.money import dec
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

COLUMNS = {**CONTRACT.scalar_fields("company-data-company"), "entity_id": "int"}
CREDIT_COLUMNS = CONTRACT.scalar_fields("company-credit-data-credit-data")
HISTORY_COLUMNS = CONTRACT.scalar_fields("company-credit-data-history-data")
REQUIRED = tuple(
    "company_name company_email street city country_id postcode telephone customer_group_id super_user_id".split()
)
PENDING = 0
ALLOCATED, UPDATED, PURCHASED, REIMBURSED, REFUNDED, REVERTED = 1, 2, 3, 4, 5, 6
INCREASES = frozenset({ALLOCATED, UPDATED, REIMBURSED, REFUNDED, REVERTED})
DECREASES = frozenset({UPDATED, PURCHASED, REIMBURSED})


def _company(shop: Shop, company_id: Any) -> Doc:
    company = shop.get("companies", company_id)
    if company is None:
        raise no_such("id", company_id)
    return deepcopy(company)


@route("GET", "/V1/company/{companyId}")
def get_company(shop: Shop, call: Call) -> Any:
    return _company(shop, call.path["company_id"])


@route("GET", "/V1/company")
def find_companies(shop: Shop, call: Call) -> Any:
    def value_of(company: Doc, name: str) -> Any:
        return company.get("id" if name == "entity_id" else name)

    return search(shop, shop.table("companies").values(), call.criteria(shop), COLUMNS, value_of)


@route("POST", "/V1/company")
def post_company(shop: Shop, call: Call) -> Any:
    given = call.args["company"]
    _check(shop, given, None)
    company = _save(shop, shop.next_id("company"), given)
    credit_id = shop.next_id("credit")
    credit = {"id": credit_id, "company_id": company["id"], "credit_limit": 0, "balance": 0, "exceed_limit": False}
    shop.put("credits", credit_id, credit | {"currency_code": "EUR", "available_limit": 0})
    return company


@route("PUT", "/V1/company/{companyId}")
def put_company(shop: Shop, call: Call) -> Any:
    old = _company(shop, int(call.path["company_id"]))
    _check(shop, call.args["company"], old["id"])
    return _save(shop, old["id"], {"status": old["status"], **call.args["company"]})


def _check(shop: Shop, given: Doc, own_id: int | None) -> None:
    absent = [name for name in REQUIRED if given.get(name) in (None, "", [])]
    if absent:
        raise missing(absent)
    if shop.get("customers", given["super_user_id"]) is None:
        raise no_such("customerId", given["super_user_id"])
    for other in shop.table("companies").values():
        if other["id"] == own_id:
            continue
        if other["company_email"].casefold() == given["company_email"].casefold():
            raise refused("Company with this email address already exists in the system.")
        if other["super_user_id"] == given["super_user_id"]:
            raise refused("The company admin already administers another company.")
    if given.get("status") == 2 and not given.get("reject_reason"):
        raise missing(["reject_reason"])


def _save(shop: Shop, company_id: int, given: Doc) -> Doc:
    company = {"status": PENDING, "sales_representative_id": 1, **given, "id": company_id}
    company["extension_attributes"] = {
        "applicable_payment_method": 0,
        "available_payment_methods": "",
        "use_config_settings": 1,
        "is_purchase_order_enabled": False,
        **(given.get("extension_attributes") or {}),
    }
    shop.put("companies", company_id, company)
    customer = deepcopy(shop.get("customers", company["super_user_id"])) or {}
    attributes = {"customer_id": customer["id"], "company_id": company_id, "status": 1}
    customer["extension_attributes"]["company_attributes"] = attributes
    shop.put("customers", customer["id"], customer | {"group_id": company["customer_group_id"]})
    return shop.get("companies", company_id) or company


@route("DELETE", "/V1/company/{companyId}")
def delete_company(shop: Shop, call: Call) -> Any:
    company = _company(shop, call.path["company_id"])
    for customer in shop.table("customers").values():
        attributes = customer["extension_attributes"].get("company_attributes") or {}
        if attributes.get("company_id") == company["id"]:
            extension = customer["extension_attributes"] | {"company_attributes": attributes | {"status": 0}}
            shop.put("customers", customer["id"], customer | {"extension_attributes": extension})
    shop.table("companies").delete(str(company["id"]))
    return True


def _credit(shop: Shop, credit_id: Any) -> Doc:
    credit = shop.get("credits", credit_id)
    if credit is None:
        raise no_such("id", credit_id)
    return credit


@route("GET", "/V1/companyCredits/{creditId}")
def get_credit(shop: Shop, call: Call) -> Any:
    return _credit(shop, call.path["credit_id"])


@route("GET", "/V1/companyCredits/company/{companyId}")
def get_company_credit(shop: Shop, call: Call) -> Any:
    found = shop.table("credits").where("company_id", call.path["company_id"])
    if not found:
        raise no_such("company_id", call.path["company_id"])
    return found[0]


@route("GET", "/V1/companyCredits")
def find_credits(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("credits").values(), call.criteria(shop), CREDIT_COLUMNS)


@route("GET", "/V1/companyCredits/history")
def find_history(shop: Shop, call: Call) -> Any:
    return search(shop, shop.table("credit_history").values(), call.criteria(shop), HISTORY_COLUMNS)


@route("PUT", "/V1/companyCredits/history/{historyId}")
def put_history(shop: Shop, call: Call) -> Any:
    entry = shop.get("credit_history", call.path["history_id"])
    if entry is None:
        raise no_such("historyId", call.path["history_id"])
    names = ("purchase_order", "comment")
    shop.put("credit_history", entry["id"], entry | {name: call.args[name] for name in names if name in call.args})
    return True


@route("PUT", "/V1/companyCredits/{id}")
def put_credit(shop: Shop, call: Call) -> Any:
    credit, given = _credit(shop, int(call.path["id"])), call.args["credit_limit"]
    if dec(given.get("credit_limit")) < 0:
        raise refused('Invalid value of "%value" provided for the %fieldName field.', given["credit_limit"])
    names = ("credit_limit", "currency_code", "exceed_limit")
    changed = credit | {name: given[name] for name in names if given.get(name) is not None}
    kind = UPDATED if dec(credit["credit_limit"]) else ALLOCATED
    return _book(shop, changed, kind, Decimal(0), given.get("credit_comment"), {})


def _book(shop: Shop, credit: Doc, kind: int, amount: Decimal, comment: str | None, options: Doc) -> Doc:
    """Keep the credit with its balance moved by `amount` (negative when more is owed) and write its history."""
    balance = dec(credit["balance"]) + amount
    credit = credit | {"balance": balance, "available_limit": dec(credit["credit_limit"]) + balance}
    shop.put("credits", credit["id"], credit)
    number = shop.next_id("credit_history")
    entry = {
        "id": number,
        "company_credit_id": credit["id"],
        "user_id": 1,
        "user_type": 1,
        "currency_credit": credit["currency_code"],
        "currency_operation": credit["currency_code"],
        "rate": 1,
        "amount": amount,
        "balance": balance,
        "credit_limit": credit["credit_limit"],
        "available_limit": credit["available_limit"],
        "type": kind,
        "datetime": shop.stamp(),
        "purchase_order": options.get("purchase_order"),
        "custom_reference_number": options.get("custom_reference_number"),
        "comment": comment or "",
    }
    shop.put("credit_history", number, entry)
    return shop.get("credits", credit["id"]) or credit


def _operate(shop: Shop, call: Call, allowed: frozenset[int], sign: int) -> bool:
    credit, args = _credit(shop, call.path["credit_id"]), call.args
    if args["operation_type"] not in allowed:
        raise refused("Invalid operation type: %1", args["operation_type"])
    if args["value"] <= 0 or args["currency"] != credit["currency_code"]:
        raise refused('Invalid value of "%1" provided.', args["currency"])
    _book(shop, credit, args["operation_type"], sign * args["value"], args.get("comment"), args.get("options") or {})
    return True


@route("POST", "/V1/companyCredits/{creditId}/increaseBalance")
def increase(shop: Shop, call: Call) -> Any:
    return _operate(shop, call, INCREASES, 1)


@route("POST", "/V1/companyCredits/{creditId}/decreaseBalance")
def decrease(shop: Shop, call: Call) -> Any:
    return _operate(shop, call, DECREASES, -1)


def charge(shop: Shop, company_id: int, amount: Decimal, order: Doc) -> None:
    """An order that is paid on account uses up credit. Raises 400 when the company has not enough of it."""
    credit = next(iter(shop.table("credits").where("company_id", company_id)), None)
    if credit is None or (dec(credit["available_limit"]) < amount and not credit["exceed_limit"]):
        raise refused("Payment On Account cannot be used for this order because your order amount exceeds your credit.")
    _book(shop, credit, PURCHASED, -amount, f"Order #{order['increment_id']}", {})
