"""Which rows of a bundle the shop counts, and which it takes: as the vendor's own order model says."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.magento.shop_client import ShopClient

NO_PRODUCTS = "Shipment Document Validation Error(s):\nYou can't create a shipment without products."


async def rows(shop: ShopClient, order_id: int) -> dict[str, dict[str, Any]]:
    items = (await shop.get(f"orders/{order_id}"))["items"]
    return {"head" if item["product_type"] == "bundle" else item["sku"]: item for item in items}


def named(found: dict[str, dict[str, Any]], **quantities: int) -> dict[str, Any]:
    items = [{"order_item_id": found[n.replace("_", "-")]["item_id"], "qty": q} for n, q in quantities.items()]
    return {"items": items}


@pytest.mark.parametrize(
    ("sku", "asked"), [("HF-3000", {"HF_3000_A": 1, "HF_3000_B": 1}), ("HF-3100", {"head": 1})], ids=["parts", "head"]
)
async def test_a_row_that_only_stands_in_is_no_product_of_a_shipment(
    shop: ShopClient, sku: str, asked: dict[str, int]
) -> None:
    order_id = await shop.place((sku, 1))
    status, body = await shop.call("POST", f"order/{order_id}/ship", named(await rows(shop, order_id), **asked))
    assert (status, body["message"]) == (400, NO_PRODUCTS)


async def test_a_bundle_sent_in_parts_lists_its_own_row_once_in_each_shipment_and_completes(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-3100", 2))
    found = await rows(shop, order_id)
    for asked in ({"HF_3100_A": 2}, {"HF_3100_B": 1}, {"HF_3100_B": 1}):
        await shop.post(f"order/{order_id}/ship", named(found, **asked))
    listed = (
        await shop.get(
            f"shipments?searchCriteria[filter_groups][0][filters][0][field]=order_id"
            f"&searchCriteria[filter_groups][0][filters][0][value]={order_id}"
        )
    )["items"]
    heads = [row["qty"] for each in listed for row in each["items"] if row["order_item_id"] == found["head"]["item_id"]]
    assert heads == [1, 1, 1]
    await shop.post(f"order/{order_id}/invoice", {})
    assert (await shop.get(f"orders/{order_id}"))["state"] == "complete"


async def test_an_order_is_complete_when_each_part_was_invoiced_in_its_turn(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-3100", 1))
    found = await rows(shop, order_id)
    await shop.post(f"order/{order_id}/ship", {})
    await shop.post(f"order/{order_id}/invoice", named(found, HF_3100_A=1))
    assert (await shop.get(f"orders/{order_id}"))["state"] == "processing"
    await shop.post(f"order/{order_id}/invoice", named(found, HF_3100_B=1))
    assert (await shop.get(f"orders/{order_id}"))["state"] == "complete"


async def test_a_bundle_at_a_fixed_price_carries_it_and_its_parts_none(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-3200", 2))
    found = await rows(shop, order_id)
    assert {name: row["row_total"] for name, row in found.items()} == {
        "head": Decimal("58"),
        "HF-3200-A": 0,
        "HF-3200-B": 0,
    }
    await shop.post(f"order/{order_id}/ship", named(found, head=2))
    await shop.post(f"order/{order_id}/invoice", named(found, head=2))
    assert (await shop.get(f"orders/{order_id}"))["state"] == "complete"
