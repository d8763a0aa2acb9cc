"""Products and their scopes, price calls with rejected rows, stock as an absolute batch."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.magento.shop_client import ShopClient, criteria


async def name_in(shop: ShopClient, scope: str) -> str:
    return str((await shop.get("products/HF-1001", scope=scope))["name"])


async def test_a_store_views_write_overrides_there_and_null_takes_it_back(shop: ShopClient) -> None:
    await shop.put("products/HF-1001", {"product": {"name": "Reading lamp"}}, scope="us/")
    await shop.put("products/HF-1001", {"product": {"name": "Leselampe 2"}}, scope="all/")
    assert [await name_in(shop, scope) for scope in ("all/", "de/", "us/")] == [
        "Leselampe 2",
        "Leselampe 2",
        "Reading lamp",
    ]
    attributes = [{"attribute_code": "name", "value": None}]
    await shop.put("products/HF-1001", {"product": {"custom_attributes": attributes}}, scope="us/")
    assert await name_in(shop, "us/") == "Leselampe 2"


@pytest.mark.parametrize(("profile", "expected"), [("2.4.9", "new"), ("2.3", "old")])
async def test_a_store_scoped_put_leaves_siblings_inheriting_except_in_old_releases(
    shop: ShopClient, profile: str, expected: str
) -> None:
    await shop.act("configure", version_profile=profile)
    text = {"attribute_code": "description", "value": "old"}
    await shop.put("products/HF-1001", {"product": {"custom_attributes": [text]}})
    await shop.put("products/HF-1001", {"product": {"name": "Reading lamp"}}, scope="us/")
    await shop.put("products/HF-1001", {"product": {"custom_attributes": [text | {"value": "new"}]}})
    product = await shop.get("products/HF-1001", scope="us/")
    assert next(each["value"] for each in product["custom_attributes"] if each["attribute_code"] == "description") == (
        expected
    )


async def test_post_creates_once_then_updates_and_keeps_what_is_not_sent(shop: ShopClient) -> None:
    body: dict[str, Any] = {
        "product": {
            "sku": "PUMP-220",
            "name": "Pump 220V",
            "attribute_set_id": 4,
            "type_id": "simple",
            "price": 149.0,
            "status": 1,
            "visibility": 4,
            "weight": 3.2,
            "extension_attributes": {
                "website_ids": [1],
                "category_links": [{"category_id": "3", "position": 0}],
            },
            "custom_attributes": [
                {"attribute_code": "tax_class_id", "value": "2"},
                {"attribute_code": "url_key", "value": "pump-220"},
            ],
        },
        "saveOptions": True,
    }
    first = await shop.post("products", body)
    again = await shop.post("products", {"product": {"sku": "pump-220", "price": 99}})
    assert (again["id"], again["name"], again["price"], again["extension_attributes"]["website_ids"]) == (
        first["id"],
        "Pump 220V",
        99,
        [1],
    )
    clash = {
        "product": {
            "sku": "OTHER",
            "name": "x",
            "price": 1,
            "custom_attributes": [{"attribute_code": "url_key", "value": "pump-220"}],
        }
    }
    assert (await shop.call("POST", "products", clash))[0] == 400
    assert (await shop.call("GET", "products/OTHER"))[0] == 404
    missing_value = {"product": {"sku": "PUMP-220", "custom_attributes": [{"attribute_code": "color"}]}}
    status, answer = await shop.call("POST", "products", missing_value)
    assert (status, answer["message"]) == (400, 'Value is not set for attribute code "color"')


async def test_a_new_product_without_websites_joins_those_of_its_scope(shop: ShopClient) -> None:
    product = {"name": "N", "price": 1}
    everywhere = await shop.post("products", {"product": product | {"sku": "A"}})
    one = await shop.post("products", {"product": product | {"sku": "B"}}, scope="us/")
    assert everywhere["extension_attributes"]["website_ids"] == [1, 2, 3, 4, 5]
    assert one["extension_attributes"]["website_ids"] == [2]
    found = await shop.get(f"products?{criteria(('website_id', 'eq', '1'), ('sku', 'in', 'A,B'))}")
    assert [each["sku"] for each in found["items"]] == ["A"]


async def test_price_rows_are_refused_one_by_one(shop: ShopClient) -> None:
    rows = [
        {"sku": "HF-1001", "store_id": 0, "price": 41.25},
        {"sku": "NOPE", "store_id": 0, "price": 1},
        {"sku": "HF-2000", "store_id": 0, "price": 1},
    ]
    rejected = await shop.post("products/base-prices", {"prices": rows})
    message = "Invalid attribute %fieldName = %fieldValue."
    assert [(each["message"], each["parameters"]) for each in rejected] == [
        (message, ["SKU", "NOPE"]),
        (message, ["SKU", "HF-2000"]),
    ]
    read = await shop.post("products/base-prices-information", {"skus": ["HF-1001"]})
    assert [each["price"] for each in read] == [Decimal("41.25")]


async def test_put_of_tier_prices_replaces_and_post_adds(shop: ShopClient) -> None:
    def row(quantity: int, **changes: Any) -> dict[str, Any]:
        return {
            "sku": "HF-1001",
            "website_id": 0,
            "customer_group": "ALL GROUPS",
            "quantity": quantity,
            "price": 30,
            "price_type": "fixed",
        } | changes

    async def tiers() -> list[int]:
        read = await shop.post("products/tier-prices-information", {"skus": ["HF-1001"]})
        return [int(each["quantity"]) for each in read]

    assert await shop.post("products/tier-prices", {"prices": [row(5), row(10)]}) == []
    assert await shop.post("products/tier-prices", {"prices": [row(20)]}) == []
    assert await tiers() == [5, 10, 20]
    assert await shop.put("products/tier-prices", {"prices": [row(7)]}) == []
    assert await tiers() == [7]
    bad = [row(3), row(3), row(4, price_type="discount", price=101), row(5, customer_group="nobody")]
    assert len(await shop.post("products/tier-prices", {"prices": bad})) == 3


async def test_special_prices_of_one_product_may_not_overlap(shop: ShopClient) -> None:
    def row(start: str, end: str) -> dict[str, Any]:
        return {"sku": "HF-1001", "store_id": 0, "price": 20, "price_from": start, "price_to": end}

    first = row("2030-01-01 00:00:00", "2030-01-31 00:00:00")
    assert await shop.post("products/special-price", {"prices": [first]}) == []
    overlap = row("2030-01-15 00:00:00", "2030-02-15 00:00:00")
    assert "time range" in (await shop.post("products/special-price", {"prices": [overlap]}))[0]["message"]


async def test_source_items_are_absolute_all_or_nothing_and_keep_orphans(shop: ShopClient) -> None:
    good = {"sku": "ORPHAN-1", "source_code": "default", "quantity": 4, "status": 1}
    bad = {"sku": "HF-1001", "source_code": "nowhere", "quantity": 4, "status": 1}
    status, body = await shop.call("POST", "inventory/source-items", {"sourceItems": [good, bad]})
    assert (status, body["message"]) == (400, "Could not save Source Item")
    orphan = f"inventory/source-items?{criteria(('sku', 'eq', 'ORPHAN-1'))}"
    assert (await shop.get(orphan))["total_count"] == 0
    for quantity in (4, 9):
        assert await shop.post("inventory/source-items", {"sourceItems": [good | {"quantity": quantity}]}) == []
    assert [each["quantity"] for each in (await shop.get(orphan))["items"]] == [9]
    status, body = await shop.call("POST", "inventory/source-items", {"sourceItems": [good | {"sku": ""}]})
    assert (status, body["errors"][0]["parameters"]) == (400, {"field": "sku"})


async def test_out_of_stock_status_makes_goods_unsalable_whatever_the_quantity(shop: ShopClient) -> None:
    rows = [{"sku": "HF-1001", "source_code": code, "quantity": 50, "status": 0} for code in ("default", "wh_hamburg")]
    await shop.post("inventory/source-items", {"sourceItems": rows})
    assert await shop.get("inventory/is-product-salable/HF-1001/2") is False
    assert (await shop.get("inventory/stock-resolver/website/de"))["stock_id"] == 2


async def test_category_links_can_be_removed_only_by_their_own_call(shop: ShopClient) -> None:
    made = await shop.post("categories", {"category": {"parent_id": 2, "name": "Pumpen", "is_active": True}})
    link = {"productLink": {"sku": "HF-1001", "position": 1, "category_id": str(made["id"])}}
    assert await shop.put(f"categories/{made['id']}/products", link) is True
    await shop.put("products/HF-1001", {"product": {"extension_attributes": {"category_links": []}}})
    assert [each["sku"] for each in await shop.get(f"categories/{made['id']}/products")] == ["HF-1001"]
    assert (await shop.call("DELETE", f"categories/{made['id']}/products/HF-1001"))[1] is True
    assert await shop.get(f"categories/{made['id']}/products") == []
