"""The API's own description is true, complete, and readable in a closed network."""

import re
import tomllib
from pathlib import Path
from typing import Any

from api.examples import DECISION_EXAMPLES, ORDER_EXAMPLES
from api.parked import DecisionBody
from commerce.order import Order
from commerce.totals import mismatches
from tests.api.desk import Served


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values())) if value else own
    return set().union(*(references(item) for item in value)) if isinstance(value, list) and value else set()


def test_every_example_order_can_be_placed() -> None:
    for order in ORDER_EXAMPLES.values():
        assert mismatches(Order.model_validate(order)) == []
    for decision in DECISION_EXAMPLES.values():
        DecisionBody.model_validate(decision)


async def test_the_document_names_every_schema_that_it_uses(api: Served) -> None:
    document = (await api.get("/openapi.json", "")).json()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert document["info"]["version"] == project["version"]
    schemas = document["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in references(document)} <= set(schemas)
    assert {"Order", "DecisionBody", "CancelBody", "ErrorAnswer", "CheckoutAnswer", "OrderAnswer"} <= set(schemas)
    place = document["paths"]["/v1/checkouts"]["post"]
    assert place["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Order"}
    assert len(place["requestBody"]["content"]["application/json"]["examples"]) == 2
    assert {"200", "201", "202", "401", "403", "409", "422", "503"} <= set(place["responses"])
    for status in ("401", "409", "422", "503"):
        schema = place["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}


async def test_the_page_shows_every_address_and_loads_nothing_from_elsewhere(api: Served) -> None:
    document = (await api.get("/openapi.json", "")).json()
    page = await api.get("/docs", "")
    assert page.status_code == 200
    for path in document["paths"]:
        assert path.replace(":path}", "}") in page.text
    loaded = re.findall(r'<(?:script|img|iframe)|<link[^>]*href="([^"]+)"', page.text)
    assert set(loaded) == {"/static/holdfast.css", "data:,"}
    assert "default-src 'none'" in page.headers["content-security-policy"]
    style = await api.get("/static/holdfast.css", "")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
    assert "@import" not in style.text
    targets = set(re.findall(r'href="#([^"]+)"', page.text))
    assert targets <= set(re.findall(r'id="([^"]+)"', page.text)), "every link on the page leads somewhere"
