"""Payment transactions of orders, to be read."""

from typing import Any

from sandbox.magento.contract import CONTRACT
from sandbox.magento.criteria import candidates, search
from sandbox.magento.errors import not_found
from sandbox.magento.routing import Call, route
from sandbox.magento.shop import Shop

COLUMNS = CONTRACT.scalar_fields("sales-data-transaction")


@route("GET", "/V1/transactions")
def find(shop: Shop, call: Call) -> Any:
    criteria = call.criteria(shop)
    return search(shop, candidates(shop.table("transactions"), criteria), criteria, COLUMNS)


@route("GET", "/V1/transactions/{id}")
def get(shop: Shop, call: Call) -> Any:
    transaction = shop.get("transactions", call.path["id"])
    if transaction is None:
        raise not_found()
    return transaction
