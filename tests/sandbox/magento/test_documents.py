"""Invoices, shipments and refunds: what a double call does, how amounts split, how states follow."""

from decimal import Decimal
from typing import Any

from tests.sandbox.magento.shop_client import ShopClient, criteria


async def rows(shop: ShopClient, order_id: int) -> dict[str, int]:
    """SKU of each top row to its item id."""
    order = await shop.get(f"orders/{order_id}")
    return {item["sku"]: item["item_id"] for item in order["items"] if "parent_item_id" not in item}


async def documents(shop: ShopClient, kind: str, order_id: int) -> list[dict[str, Any]]:
    found = await shop.get(f"{kind}?{criteria(('order_id', 'eq', str(order_id)))}")
    items: list[dict[str, Any]] = found["items"]
    return items


async def test_second_full_invoice_is_refused_and_only_one_exists(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 2))
    first = await shop.post(
        f"order/{order_id}/invoice", {"comment": {"comment": "ERP-INV 1", "is_visible_on_front": 0}}
    )
    status, body = await shop.call("POST", f"order/{order_id}/invoice", {})
    assert isinstance(first, str)
    assert (status, body["message"]) == (
        400,
        "Invoice Document Validation Error(s):\nYou can't create an invoice without products.",
    )
    assert "parameters" not in body
    assert [each["comments"][0]["comment"] for each in await documents(shop, "invoices", order_id)] == ["ERP-INV 1"]


async def test_second_partial_invoice_succeeds_while_quantity_is_open(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 2))
    item = (await rows(shop, order_id))["HF-1001"]
    one = {"items": [{"order_item_id": item, "qty": 1}]}
    for _ in range(2):
        await shop.post(f"order/{order_id}/invoice", one)
    status, body = await shop.call("POST", f"order/{order_id}/invoice", one)
    assert status == 400
    assert 'uninvoiced quantity for product SKU "HF-1001"' in body["message"]
    assert len(await documents(shop, "invoices", order_id)) == 2


async def test_partial_invoices_of_an_odd_amount_add_up_to_the_order(shop: ShopClient) -> None:
    order_id = await shop.place(
        ("HF-1003", 7), ("HF-2000-M", 3), ("HF-3000", 2), store="us", coupon={"code": "P7", "percent": 7}, gift_card=30
    )
    items = await rows(shop, order_id)
    lamp = next(item for sku, item in items.items() if sku == "HF-1003")
    for _ in range(3):
        await shop.post(f"order/{order_id}/invoice", {"items": [{"order_item_id": lamp, "qty": 2}]})
    await shop.post(f"order/{order_id}/invoice", {})
    order = await shop.get(f"orders/{order_id}")
    invoices = await documents(shop, "invoices", order_id)
    for name in ("grand_total", "base_grand_total", "tax_amount", "base_tax_amount", "subtotal", "discount_amount"):
        assert sum(each[name] for each in invoices) == order[name], name
    assert order["total_paid"] == order["grand_total"]
    assert order["total_due"] == 0
    assert order["state"] == "processing"


async def test_order_completes_when_all_is_invoiced_and_sent_and_closes_when_all_is_given_back(
    shop: ShopClient,
) -> None:
    order_id = await shop.place(("HF-1001", 2), ("HF-2000-S", 1))
    await shop.post(f"order/{order_id}/ship", {})
    assert (await shop.get(f"orders/{order_id}"))["state"] == "processing"
    await shop.post(f"order/{order_id}/invoice", {})
    assert (await shop.get(f"orders/{order_id}"))["state"] == "complete"
    item = (await rows(shop, order_id))["HF-1001"]
    partial = {"items": [{"order_item_id": item, "qty": 1}], "arguments": {"shipping_amount": 0}}
    await shop.post(f"order/{order_id}/refund", partial)
    order = await shop.get(f"orders/{order_id}")
    assert (order["state"], order["total_refunded"]) == ("complete", Decimal("47.01"))  # 39.50 + 19 %
    await shop.post(f"order/{order_id}/refund", {})
    order = await shop.get(f"orders/{order_id}")
    assert (order["state"], order["total_refunded"]) == ("closed", order["grand_total"])
    status, body = await shop.call("POST", f"order/{order_id}/refund", {})
    assert status == 400
    assert "has a status of closed" in body["message"]


async def test_refund_of_goods_gives_shipping_back_unless_told_not_to(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 2))
    await shop.post(f"order/{order_id}/invoice", {})
    item = (await rows(shop, order_id))["HF-1001"]
    await shop.post(f"order/{order_id}/refund", {"items": [{"order_item_id": item, "qty": 1}]})
    await shop.post(
        f"order/{order_id}/refund",
        {"items": [{"order_item_id": item, "qty": 1}], "arguments": {"shipping_amount": 0}},
    )
    memos = await documents(shop, "creditmemos", order_id)
    assert [memo["shipping_amount"] for memo in memos] == [Decimal("4.9"), 0]


async def test_shipping_of_a_refund_is_asked_in_base_currency(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1), store="us", shipping_amount="5.55")
    await shop.post(f"order/{order_id}/invoice", {})
    order = await shop.get(f"orders/{order_id}")
    arguments = {"shipping_amount": order["base_shipping_amount"]}
    await shop.post(f"order/{order_id}/refund", {"arguments": arguments})
    memo = (await documents(shop, "creditmemos", order_id))[0]
    assert (memo["shipping_amount"], memo["grand_total"]) == (Decimal("5.55"), order["grand_total"])


async def test_virtual_order_completes_on_its_invoice_and_cannot_be_sent(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-4001", 1))
    status, body = await shop.call("POST", f"order/{order_id}/ship", {})
    assert (status, body["message"].splitlines()[1]) == (400, "The order does not allow a shipment to be created.")
    await shop.post(f"order/{order_id}/invoice", {})
    assert (await shop.get(f"orders/{order_id}"))["state"] == "complete"


async def test_shipment_takes_goods_from_the_named_source_and_carries_tracks(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 5))
    item = (await rows(shop, order_id))["HF-1001"]
    shipment = await shop.post(
        f"order/{order_id}/ship",
        {
            "items": [{"order_item_id": item, "qty": 2}],
            "tracks": [{"carrier_code": "dhl", "title": "DHL", "track_number": "JD01"}],
            "arguments": {"extension_attributes": {"source_code": "wh_hamburg"}},
            "appendComment": True,
            "comment": {"comment": "ERP-DLV 80044120", "is_visible_on_front": 0},
        },
    )
    kept = await shop.get(f"shipment/{shipment}")
    assert (kept["tracks"][0]["track_number"], kept["extension_attributes"]["source_code"]) == ("JD01", "wh_hamburg")
    found = await shop.get(f"inventory/source-items?{criteria(('sku', 'eq', 'HF-1001'))}")
    assert {each["source_code"]: each["quantity"] for each in found["items"]} == {"default": 1000, "wh_hamburg": 998}
    # 3 of 5 are still promised: 1998 on hand less 3
    assert await shop.get("inventory/get-product-salable-quantity/HF-1001/2") == 1995
    track = await shop.post(
        "shipment/track",
        {
            "entity": {
                "order_id": order_id,
                "parent_id": int(shipment),
                "track_number": "JD02",
                "title": "DHL",
                "carrier_code": "dhl",
            }
        },
    )
    assert track["track_number"] == "JD02"


async def test_a_stock_snapshot_before_an_unposted_shipment_makes_the_shipment_fail(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 5))
    row = {"sku": "HF-1001", "source_code": "default", "quantity": 3, "status": 1}
    assert await shop.post("inventory/source-items", {"sourceItems": [row]}) == []
    status, body = await shop.call("POST", f"order/{order_id}/ship", {})
    assert (status, body["message"]) == (400, "Could not save a shipment, see error log for details")
    assert await documents(shop, "shipments", order_id) == []


async def test_a_refund_returns_unsent_goods_to_salable_stock_only_when_asked(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 4))
    await shop.post(f"order/{order_id}/invoice", {})
    item = (await rows(shop, order_id))["HF-1001"]
    body: dict[str, Any] = {"items": [{"order_item_id": item, "qty": 1}], "arguments": {"shipping_amount": 0}}
    await shop.post(f"order/{order_id}/refund", body)
    assert await shop.get("inventory/get-product-salable-quantity/HF-1001/2") == 1996
    body["arguments"]["extension_attributes"] = {"return_to_stock_items": [item]}
    await shop.post(f"order/{order_id}/refund", body)
    assert await shop.get("inventory/get-product-salable-quantity/HF-1001/2") == 1997


async def test_an_online_refund_without_a_captured_payment_is_refused(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    invoice = await shop.post(f"order/{order_id}/invoice", {})
    status, body = await shop.call("POST", f"invoice/{invoice}/refund", {"isOnline": True})
    assert (status, body["message"]) == (400, "Could not save a Creditmemo, see error log for details")


async def test_a_foreign_row_is_named_and_nothing_is_kept(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    wrong = {"items": [{"order_item_id": 99999, "qty": 1}]}
    status, body = await shop.call("POST", f"order/{order_id}/invoice", wrong)
    assert status == 400
    assert "not part of the original order" in body["message"]
    assert (await shop.get(f"orders/{order_id}"))["state"] == "new"


async def test_without_the_order_lock_overlapping_invoices_lose_a_counter(shop: ShopClient) -> None:
    import asyncio

    order_id = await shop.place(("HF-1001", 1))
    await shop.act("configure", order_lock=False)
    shop.world.set_faults("magento", [{"kind": "slow", "seconds": 0.1, "match": {"path": "/invoice$"}}])
    answers = await asyncio.gather(*(shop.call("POST", f"order/{order_id}/invoice", {}) for _ in range(2)))
    assert [status for status, _ in answers] == [200, 200]
    order = await shop.get(f"orders/{order_id}")
    assert order["items"][0]["qty_invoiced"] == 1
    assert len(await documents(shop, "invoices", order_id)) == 2
