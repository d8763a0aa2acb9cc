"""Wire conventions: scope, bodies, searching, paging, trimming, and that answers fit the vendor's own schema."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.magento.shop_client import ShopClient, criteria

SCHEMA = Path(__file__).parents[4] / "shared/contracts/magento/adobe-commerce-2.4.9-admin.swagger.json"


async def ids(shop: ShopClient, query: str) -> list[int]:
    return [each["entity_id"] for each in (await shop.get(f"orders?{query}"))["items"]]


async def test_a_misspelt_store_code_is_a_route_that_does_not_exist(shop: ShopClient) -> None:
    mismatch = (404, {"message": "Request does not match any route."})
    assert await shop.call("GET", "store/storeViews", scope="dee/") == mismatch
    assert await shop.call("GET", "no/such/call") == mismatch
    assert await shop.call("PATCH", "store/storeViews") == mismatch
    assert (await shop.call("GET", "store/storeViews", scope="de/"))[0] == 200
    assert (await shop.call("GET", "store/storeViews", scope=""))[0] == 200


async def test_an_unknown_nested_key_is_an_internal_error_with_a_report_id(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    history = {"comment": "x", "is_customer_notified": 0, "is_visible_on_front": 0, "colour": "red"}
    status, body = await shop.call("POST", f"orders/{order_id}/comments", {"statusHistory": history})
    assert status == 500
    assert "Report ID: webapi-" in body["message"]
    product = {"sku": "HF-1001", "extension_attributes": {"colour": 1}}
    assert (await shop.call("POST", "products", {"product": product}))[0] == 500


async def test_a_missing_argument_is_named_uninterpolated(shop: ShopClient) -> None:
    message = '"%fieldName" is required. Enter and try again.'
    status, body = await shop.call("POST", "orders/1/comments", {"statusHistory": None})
    assert (status, body) == (400, {"message": message, "parameters": {"fieldName": "statusHistory"}})
    status, body = await shop.call("POST", "companyCredits/1/increaseBalance", {})
    assert body["message"] == "One or more input exceptions have occurred."
    assert [each["parameters"]["fieldName"] for each in body["errors"]] == ["value", "currency", "operationType"]


async def test_top_level_keys_may_be_snake_case(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    history = {"comment": "snake", "is_customer_notified": 0, "is_visible_on_front": 0}
    assert await shop.post(f"orders/{order_id}/comments", {"status_history": history}) is True


async def test_bad_bodies_are_refused(shop: ShopClient) -> None:
    headers = {"authorization": f"Bearer {shop.token}"}
    json_type = {"content-type": "application/json"}
    reply = await shop.http.post("/rest/V1/products", content=b"{broken", headers=headers | json_type)
    assert (reply.status_code, reply.json()) == (400, {"message": "Decoding error."})
    reply = await shop.http.post("/rest/V1/products", content=b"a=b", headers=headers)
    assert reply.status_code == 400
    status, _ = await shop.call("POST", "order/1/invoice", {"items": [{"order_item_id": "seven", "qty": 1}]})
    assert status == 400


async def test_filters_in_a_group_are_or_and_groups_are_and(shop: ShopClient) -> None:
    for store in ("de", "us", "de", "jp"):
        await shop.place(("HF-1001", 1), store=store)
    either = (
        "searchCriteria[filter_groups][0][filters][0][field]=store_id"
        "&searchCriteria[filter_groups][0][filters][0][value]=1"
        "&searchCriteria[filter_groups][0][filters][1][field]=store_id"
        "&searchCriteria[filter_groups][0][filters][1][value]=2"
        "&searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC"
    )
    assert await ids(shop, either) == [1, 2, 3]
    both = (
        either
        + "&searchCriteria[filter_groups][1][filters][0][field]=entity_id"
        + "&searchCriteria[filter_groups][1][filters][0][value]=1"
        + "&searchCriteria[filter_groups][1][filters][0][condition_type]=gt"
    )
    assert await ids(shop, both) == [2, 3]


@pytest.mark.parametrize(
    ("field", "condition", "value", "expected"),
    [
        ("entity_id", "neq", "2", [1, 3]),
        ("entity_id", "in", "1,3", [1, 3]),
        ("entity_id", "nin", "1,3", [2]),
        ("entity_id", "gteq", "2", [2, 3]),
        ("entity_id", "lteq", "2", [1, 2]),
        ("entity_id", "from", "3", [3]),
        ("entity_id", "to", "1", [1]),
        ("increment_id", "like", "2%", [2]),
        ("increment_id", "nlike", "2%", [1, 3]),
        ("increment_id", "eq", "000000002", [3]),
        ("coupon_code", "null", "", [1, 2]),
        ("coupon_code", "notnull", "", [3]),
        ("order_currency_code", "finset", "usd", [2]),
        ("created_at", "gt", "2020-01-01 00:00:00", [1, 2, 3]),
    ],
)
async def test_condition(shop: ShopClient, field: str, condition: str, value: str, expected: list[int]) -> None:
    await shop.place(("HF-1001", 1))
    await shop.place(("HF-1001", 1), store="us")
    await shop.place(("HF-1001", 1), coupon={"code": "C", "amount": 1})
    assert await ids(shop, criteria((field, condition, value), sort="entity_id:ASC")) == expected


async def test_default_direction_is_descending_and_an_unknown_column_breaks_the_request(shop: ShopClient) -> None:
    await shop.place(("HF-1001", 1))
    await shop.place(("HF-1001", 1))
    assert await ids(shop, criteria(sort="entity_id:")) == [2, 1]
    assert (await shop.call("GET", f"orders?{criteria(('colour', 'eq', '1'))}"))[0] == 500
    assert (await shop.call("GET", "orders"))[0] == 400


async def test_a_page_past_the_end_is_empty_and_was_the_last_page_before_2_4(shop: ShopClient) -> None:
    for _ in range(3):
        await shop.place(("HF-1001", 1))
    query = criteria(sort="entity_id:ASC", size=2, page=3)
    page = await shop.get(f"orders?{query}")
    assert (page["items"], page["total_count"]) == ([], 3)
    await shop.act("configure", version_profile="2.3")
    assert await ids(shop, query) == [3]
    assert await ids(shop, criteria(sort="entity_id:ASC", size=2, page=0)) == [1, 2]


async def test_input_limits_bound_the_page_when_switched_on(shop: ShopClient) -> None:
    for _ in range(21):
        await shop.place(("HF-1001", 1))
    assert len(await ids(shop, "searchCriteria=")) == 21
    await shop.act("configure", input_limits=True)
    assert len(await ids(shop, "searchCriteria=")) == 20
    status, body = await shop.call("GET", f"orders?{criteria(size=301)}")
    assert (status, body["message"], body["parameters"]) == (
        400,
        "Maximum SearchCriteria pageSize is %max",
        {"max": 300},
    )


async def test_fields_trim_nested_keys_and_a_malformed_filter_leaves_nothing(shop: ShopClient) -> None:
    await shop.place(("HF-1001", 2))
    assert await shop.get("orders/1?fields=increment_id,items[sku,qty_ordered]") == {
        "increment_id": "000000001",
        "items": [{"sku": "HF-1001", "qty_ordered": 2}],
    }
    assert await shop.get("orders/1?fields=items[sku") == []


def problems(schema: dict[str, Any], spec: dict[str, Any], value: Any, path: str) -> list[str]:
    """Where a value does not fit a Swagger schema; ids may be strings of digits, as the vendor writes them."""
    if "$ref" in spec:
        spec = schema["definitions"][spec["$ref"].split("/")[-1]]
    kind = spec.get("type")
    if kind == "array":
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [line for each in value for line in problems(schema, spec.get("items", {}), each, f"{path}[]")]
    if kind == "object" and "properties" in spec:
        if value == []:
            return []
        unknown = [f"{path}.{name}: unknown" for name in value if name not in spec["properties"]]
        return unknown + [
            line
            for name, each in value.items()
            if name in spec["properties"]
            for line in problems(schema, spec["properties"][name], each, f"{path}.{name}")
        ]
    fits = {
        "integer": isinstance(value, int) or (isinstance(value, str) and value.isdigit()),
        "number": isinstance(value, int | Decimal),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
    }
    return [] if fits.get(str(kind), True) else [f"{path}: {value!r} is no {kind}"]


async def test_answers_fit_the_vendors_schema(shop: ShopClient) -> None:
    if not SCHEMA.exists():
        pytest.skip("the vendor's schema is not at hand")
    schema = json.loads(SCHEMA.read_text())
    order_id = await shop.place(
        ("HF-1001", 2),
        ("HF-2000-M", 1),
        ("HF-3000", 1),
        store="us",
        company=503,
        payment_method="adyen_cc",
        coupon={"code": "C", "percent": 5},
        gift_card=3,
        fees=[{"code": "duty", "amount": 2}],
    )
    await shop.post(f"order/{order_id}/invoice", {"comment": {"comment": "I", "is_visible_on_front": 0}})
    tracks = [{"track_number": "T", "title": "DHL", "carrier_code": "dhl"}]
    await shop.post(f"order/{order_id}/ship", {"tracks": tracks})
    await shop.post(f"order/{order_id}/refund", {})
    cart = await shop.post("customers/11/carts")
    await shop.post(f"carts/{cart}/items", {"cartItem": {"sku": "HF-1001", "qty": 1, "quote_id": cart}})
    every = "?searchCriteria="
    paths = {
        "/V1/orders/{id}": f"orders/{order_id}",
        "/V1/orders": f"orders{every}",
        "/V1/orders/items": f"orders/items{every}",
        "/V1/orders/{id}/comments": f"orders/{order_id}/comments",
        "/V1/invoices": f"invoices{every}",
        "/V1/shipments": f"shipments{every}",
        "/V1/creditmemos": f"creditmemos{every}",
        "/V1/transactions": f"transactions{every}",
        "/V1/products": f"products{every}",
        "/V1/products/{sku}": "products/HF-3000",
        "/V1/categories": "categories",
        "/V1/categories/list": f"categories/list{every}",
        "/V1/customers/search": f"customers/search{every}",
        "/V1/customers/{customerId}": "customers/11",
        "/V1/customerGroups/search": f"customerGroups/search{every}",
        "/V1/company/": f"company{every}",
        "/V1/companyCredits/": f"companyCredits{every}",
        "/V1/store/storeConfigs": "store/storeConfigs",
        "/V1/store/storeViews": "store/storeViews",
        "/V1/store/storeGroups": "store/storeGroups",
        "/V1/store/websites": "store/websites",
        "/V1/inventory/sources": f"inventory/sources{every}",
        "/V1/inventory/stocks": f"inventory/stocks{every}",
        "/V1/inventory/stock-source-links": f"inventory/stock-source-links{every}",
        "/V1/inventory/source-items": f"inventory/source-items{every}",
        "/V1/carts/{cartId}": f"carts/{cart}",
        "/V1/carts/{cartId}/totals": f"carts/{cart}/totals",
    }
    found: list[str] = []
    for template, path in paths.items():
        spec = schema["paths"][template]["get"]["responses"]["200"]["schema"]
        found += problems(schema, spec, await shop.get(path), template)
    assert found == []
