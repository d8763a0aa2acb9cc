"""A plain caller of the Magento stand-in: no code of the project's own client, so that a mistake cannot hide twice."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx2

from sandbox.kernel.world import World
from sandbox.magento.vendor import MagentoVendor


def criteria(*groups: tuple[str, str, str], **more: Any) -> str:
    """A search query: each (field, condition, value) is a group of its own; `sort="field:ASC"`, `size`, `page`."""
    parts = []
    for index, (field, condition, value) in enumerate(groups):
        base = f"searchCriteria[filter_groups][{index}][filters][0]"
        parts += [f"{base}[field]={field}", f"{base}[condition_type]={condition}", f"{base}[value]={quote(value)}"]
    if "sort" in more:
        name, direction = more["sort"].split(":")
        parts += [f"searchCriteria[sortOrders][0][field]={name}"]
        parts += [f"searchCriteria[sortOrders][0][direction]={direction}"] if direction else []
    if "size" in more:
        parts.append(f"searchCriteria[pageSize]={more['size']}")
    if "page" in more:
        parts.append(f"searchCriteria[currentPage]={more['page']}")
    return "&".join(parts or ["searchCriteria="])


class ShopClient:
    """Calls with an admin token; answers are (status, body) with amounts as Decimals."""

    def __init__(self, world: World, vendor: MagentoVendor, http: httpx2.AsyncClient) -> None:
        self.world = world
        self.vendor = vendor
        self.http = http
        self.token = ""

    async def sign_in(self) -> None:
        user = {"username": "holdfast", "password": "Sandbox-Pass-1"}
        reply = await self.http.post("/rest/V1/integration/admin/token", json=user)
        assert reply.status_code == 200, reply.text
        self.token = reply.json()

    async def call(self, method: str, path: str, body: Any = None, *, scope: str = "all/") -> tuple[int, Any]:
        content = None if body is None else json.dumps(body, default=str).encode()
        headers = {"authorization": f"Bearer {self.token}"} | ({"content-type": "application/json"} if content else {})
        reply = await self.http.request(method, f"/rest/{scope}V1/{path}", content=content, headers=headers)
        text = reply.text
        is_json = reply.headers.get("content-type", "").startswith("application/json")
        return reply.status_code, json.loads(text, parse_float=Decimal) if is_json else text

    async def get(self, path: str, *, scope: str = "all/") -> Any:
        status, body = await self.call("GET", path, scope=scope)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any = None, *, scope: str = "all/") -> Any:
        status, answer = await self.call("POST", path, {} if body is None else body, scope=scope)
        assert status == 200, answer
        return answer

    async def put(self, path: str, body: Any, *, scope: str = "all/") -> Any:
        status, answer = await self.call("PUT", path, body, scope=scope)
        assert status == 200, answer
        return answer

    async def act(self, do: str, **arguments: Any) -> dict[str, Any]:
        async with self.world.unit():
            return self.vendor.act(do, arguments)

    async def place(self, *items: tuple[str, int], **arguments: Any) -> int:
        """Place an order; its entity id."""
        rows = [{"sku": sku, "qty": quantity} for sku, quantity in items]
        placed = await self.act("place-order", items=rows, **arguments)
        return int(placed["entity_id"])

    def books(self) -> dict[str, Any]:
        return self.vendor.books()
