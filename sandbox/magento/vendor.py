"""The Adobe Commerce stand-in as the sandbox knows it."""

import json
import re
from typing import Any

from starlette.requests import Request

from sandbox.kernel.world import Vendor, World
from sandbox.magento import (
    acts,
    bulk,
    carts,
    categories,
    companies,
    creditmemos,
    customers,
    inventory_api,
    invoices,
    orders,
    prices,
    products,
    shipments,
    stores,
    transactions,
)
from sandbox.magento.auth import Nonces, resource_of
from sandbox.magento.books import books
from sandbox.magento.contract import json_text
from sandbox.magento.errors import DEADLOCK, UNAUTHORIZED, MagentoError
from sandbox.magento.events import ensure_key_pair, public_key
from sandbox.magento.races import Races
from sandbox.magento.routing import read_target
from sandbox.magento.seed import seed
from sandbox.magento.serving import serve
from sandbox.magento.shop import Shop

# Importing a module registers its routes.
ROUTE_MODULES = (
    stores,
    orders,
    invoices,
    shipments,
    creditmemos,
    transactions,
    products,
    prices,
    categories,
    customers,
    companies,
    carts,
    inventory_api,
)


class MagentoVendor(Vendor):
    """`name` "magento": REST under /rest, acts place-order and the like, events to the registered receiver."""

    name = "magento"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.shop = Shop(world)
        self._nonces = Nonces()
        self._races = Races(self.shop)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.shop.snapshot = self._races.take(request.url.path)
        try:
            response = await serve(self.shop, self._nonces, request)
        finally:
            self.shop.snapshot = None
        await response(scope, receive, send)

    def credentials(self) -> dict[str, Any]:
        ensure_key_pair(self.store)
        settings = self.shop.settings
        return {
            **settings["admin"],
            **settings["integration"],
            "webhook_public_key": public_key(self.store),
            "webhook_signature_header": "x-adobe-commerce-webhook-signature",
        }

    def seed(self, data_set: str) -> None:
        seed(self.shop, data_set)

    def books(self) -> dict[str, Any]:
        return books(self.shop)

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return acts.act(self.shop, do, arguments)

    def run_job(self, name: str, payload: dict[str, Any]) -> None:
        if name != "bulk":
            return super().run_job(name, payload)
        if self.shop.settings["consumers_running"]:
            bulk.run(self.shop, payload["bulk"])
        return None

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        """The ERP's document number in a comment, a foreign order number, or the order that the URL names."""
        self._races.arrived(path.split("?")[0])
        text = body.decode("utf-8", "replace")
        if found := re.search(r'"(?:comment|ext_order_id)"\s*:\s*("(?:[^"\\]|\\.)*")', text):
            return str(json.loads(found[1], strict=False))[:200]
        if found := re.search(r"/orders?/(\d+)", path):
            order = self.shop.get("orders", int(found[1]))
            return order["increment_id"] if order else None
        return None

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        headers = {"content-type": "application/json; charset=utf-8"}
        if kind == "lock":
            return 400, headers, json_text(MagentoError(400, DEADLOCK).body()).encode()
        if kind == "limit":
            headers["retry-after"] = str(options.get("retry_after", 2))
            return 429, headers, json_text({"message": "Too Many Requests", "trace": None}).encode()
        acts.revoke_all(self.shop)
        target = read_target(self.shop, path.split("?")[0])
        template = "/" + "/".join(target.segments) if target else path
        resource = resource_of(re.sub(r"/\d+", "/{id}", template))
        return 401, headers, json_text(MagentoError(401, UNAUTHORIZED, {"resources": resource}).body()).encode()
