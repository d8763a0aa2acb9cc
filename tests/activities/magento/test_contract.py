"""Every request that the storefront makes, against the vendor's own schema: path, method, query and body keys."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import pytest

from activities.magento.activities import MagentoActivities
from activities.magento.client import MagentoClient
from activities.magento.feed import MagentoOrders
from tests.activities.juston.desk import Notes
from tests.activities.magento.conftest import Shop, settings_for
from tests.sandbox_process import Sandbox

SCHEMA = Path(__file__).parents[4] / "shared/contracts/magento/adobe-commerce-2.4.9-admin.swagger.json"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Contract:
    """The vendor's schema, asked about single requests."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def problems(self, request: httpx2.Request) -> list[str]:
        address = urlsplit(str(request.url))
        path = re.sub(r"^/rest/[^/]+", "", address.path)
        operation = self._operation(request.method.lower(), path)
        if operation is None:
            return [f"{request.method} {path} is no operation"]
        found = []
        known = {self._plain(p["name"]) for p in operation.get("parameters", []) if p["in"] == "query"} | {"fields"}
        for name, value in parse_qsl(address.query, keep_blank_values=True, strict_parsing=True):
            if self._plain(name) not in known:
                found.append(f"query {name} is not known")
            if self._plain(name).endswith("[conditionType]") and value not in CONDITIONS:
                found.append(f"condition {value} is not known")
        body = next((p["schema"] for p in operation.get("parameters", []) if p["in"] == "body"), None)
        content = json.loads(request.content) if request.content else None
        if content and body is None:
            found.append("a body that the operation does not take")
        elif body is not None:
            found += self._differences(content or {}, body, "body")
        return found

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, operations in self._schema["paths"].items():
            pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template.rstrip("/")))
            if method in operations and re.fullmatch(pattern, unquote(path)):
                found: dict[str, Any] = operations[method]
                return found
        return None

    @staticmethod
    def _plain(name: str) -> str:
        return re.sub(r"\[\d+\]", "[]", name)

    def _differences(self, value: Any, schema: dict[str, Any], at: str) -> list[str]:
        while "$ref" in schema:
            schema = self._schema["definitions"][schema["$ref"].rsplit("/", 1)[1]]
        kind = str(schema.get("type", "object"))
        if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return [f"{at} is {type(value).__name__}, not {kind}"]
        if isinstance(value, list):
            return [d for i, row in enumerate(value) for d in self._differences(row, schema["items"], f"{at}[{i}]")]
        if not isinstance(value, dict):
            return []
        known = schema.get("properties", {})
        unknown = [f"{at}.{name} is not known" for name in value if name not in known]
        inner = (self._differences(row, known[name], f"{at}.{name}") for name, row in value.items() if name in known)
        return unknown + [d for differences in inner for d in differences]


CONDITIONS = set("eq neq gt gteq lt lteq moreq from to in nin like nlike finset nfinset null notnull".split())


class Recording(httpx2.AsyncHTTPTransport):
    """The network, remembering what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        return await super().handle_async_request(request)


@pytest.fixture(scope="module")
def contract() -> Contract:
    if not SCHEMA.exists():
        pytest.skip("the vendor's schema is not at hand")
    return Contract(json.loads(SCHEMA.read_text(encoding="utf-8")))


async def test_every_request_is_one_the_vendor_documents(shop: Shop, sandbox: Sandbox, contract: Contract) -> None:
    network = Recording()
    client = MagentoClient(settings_for(sandbox, auth="admin", page_size=1), system="shop", transport=network)
    does = MagentoActivities(client, system="shop", memory=Notes())
    first, second = await shop.place(), await shop.place()
    await client.probe()
    await does.announce_payment(first.announce())
    await does.ensure_invoice(first.invoice())
    await does.write_references(first.references())
    await does.cancel_order(second.cancel())
    feed = MagentoOrders(client, system="shop")
    page = await feed.read((await feed.read(None)).cursor)
    await feed.fetch(page.changes[0].order_key.split(":")[1].lstrip("0"))
    await client.close()
    assert {request.method for request in network.sent} == {"GET", "POST"}
    assert [(str(r.url), problem) for r in network.sent for problem in contract.problems(r)] == []


def test_the_check_itself_notices_what_is_wrong(contract: Contract) -> None:
    wrong = [
        httpx2.Request("DELETE", "https://shop.example/rest/all/V1/orders/1"),
        httpx2.Request("GET", "https://shop.example/rest/all/V1/orders?page=2"),
        httpx2.Request("POST", "https://shop.example/rest/all/V1/order/1/invoice", json={"captured": False}),
        httpx2.Request("POST", "https://shop.example/rest/all/V1/order/1/invoice", json={"capture": "no"}),
        httpx2.Request("POST", "https://shop.example/rest/all/V1/orders", json={"entity": {"total": 1}}),
    ]
    assert [len(contract.problems(request)) for request in wrong] == [1, 1, 1, 1, 1]
