"""Orders: the entity that is placed, its totals, stamps, comments, holds and cancellation, and the edit chain."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.magento.shop_client import ShopClient, criteria

BASKETS: list[dict[str, Any]] = [
    {"store": "de", "items": [{"sku": "HF-1001", "qty": 2}, {"sku": "HF-2000-L", "qty": 3}]},
    {"store": "us", "items": [{"sku": "HF-1007", "qty": 7}], "coupon": {"code": "TEN", "percent": 10}},
    {"store": "jp", "items": [{"sku": "HF-1004", "qty": 3}, {"sku": "HF-3000", "qty": 1}], "gift_card": 500},
    {"store": "kw", "items": [{"sku": "HF-1005", "qty": 1}], "store_credit": "1.125", "reward": "0.5"},
    {"store": "ch", "items": [{"sku": "HF-1002", "qty": 1}], "coupon": {"code": "FIX", "amount": 20}},
    {"store": "ch", "items": [{"sku": "HF-1002", "qty": 1}], "fees": [{"code": "duty", "label": "Zoll", "amount": 9}]},
    {"store": "us", "items": [{"sku": "HF-1006", "qty": 1}], "gift_card": 1000},
]


@pytest.mark.parametrize("basket", BASKETS, ids=lambda basket: f"{basket['store']}-{len(basket)}")
async def test_totals_add_up_exactly_in_both_currencies(shop: ShopClient, basket: dict[str, Any]) -> None:
    placed = await shop.act("place-order", **basket)
    order = await shop.get(f"orders/{placed['entity_id']}")
    extension = order["extension_attributes"]
    for side in ("", "base_"):
        rows = order["items"]
        assert sum(item[f"{side}row_total"] for item in rows) == order[f"{side}subtotal"]
        assert sum(item[f"{side}discount_amount"] for item in rows) == -order[f"{side}discount_amount"]
        tax = sum(item[f"{side}tax_amount"] for item in rows) + order[f"{side}shipping_tax_amount"]
        assert tax == order[f"{side}tax_amount"]
        assert sum(each[f"{side}amount"] for each in extension.get("applied_taxes", [])) == tax
        credits = sum(
            Decimal(extension.get(f"{side}{name}", 0))
            for name in ("gift_cards_amount", "customer_balance_amount", "reward_currency_amount")
        )
        fees = sum(Decimal(fee[f"{side}custom_fee_amount"]) for fee in extension.get("custom_fees", []))
        total = order[f"{side}subtotal"] + order[f"{side}discount_amount"] + tax + order[f"{side}shipping_amount"]
        assert total + fees - credits == order[f"{side}grand_total"]
    if basket.get("gift_card") == 1000:
        assert (order["grand_total"], order["base_grand_total"], order["payment"]["method"]) == (0, 0, "free")


async def test_amounts_have_no_more_decimals_than_their_currency(shop: ShopClient) -> None:
    for store, places in (("jp", 0), ("kw", 3)):
        order = await shop.get(f"orders/{await shop.place(('HF-1007', 3), store=store)}")
        for name in ("grand_total", "subtotal", "tax_amount", "shipping_amount"):
            assert len(f"{Decimal(order[name]):f}".partition(".")[2]) <= places, (store, name)


async def test_increment_ids_count_per_store_view(shop: ShopClient) -> None:
    numbers = []
    for store in ("de", "us", "de", "us"):
        order = await shop.get(f"orders/{await shop.place(('HF-1001', 1), store=store)}")
        numbers.append(order["increment_id"])
    assert numbers == ["000000001", "2000000001", "000000002", "2000000002"]


async def test_configurable_is_two_rows_and_bundle_is_parent_and_parts(shop: ShopClient) -> None:
    order = await shop.get(f"orders/{await shop.place(('HF-2000-M', 2), ('HF-3000', 1))}")
    seen = [(item["product_type"], item["sku"], item["row_total"], "parent_item_id" in item) for item in order["items"]]
    assert seen == [
        ("configurable", "HF-2000-M", Decimal("39.8"), False),
        ("simple", "HF-2000-M", 0, True),
        ("bundle", "HF-3000-HF-3000-A-HF-3000-B", 0, False),
        ("simple", "HF-3000-A", 20, True),
        ("simple", "HF-3000-B", 15, True),
    ]
    assignment = order["extension_attributes"]["shipping_assignments"][0]
    assert [item["item_id"] for item in assignment["items"]] == [item["item_id"] for item in order["items"]]
    assert assignment["shipping"]["method"] == "flatrate_flatrate"


async def test_gateway_order_is_paid_when_it_arrives(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1), payment_method="adyen_cc")
    order = await shop.get(f"orders/{order_id}")
    assert order["state"] == "processing"
    assert order["payment"]["amount_paid"] == order["total_paid"] == order["grand_total"]
    assert order["payment"]["last_trans_id"]
    assert [each["total_minor"] for each in shop.books()["payments"]] == [int(order["grand_total"] * 100)]
    await shop.post(f"order/{order_id}/invoice", {})
    assert (await shop.get(f"orders/{order_id}"))["total_paid"] == order["grand_total"]


async def test_company_order_names_the_company(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1), company=501, payment_method="purchaseorder", po_number="PO-9")
    order = await shop.get(f"orders/{order_id}")
    assert order["extension_attributes"]["company_order_attributes"]["company_name"] == "Müller & Söhne GmbH"
    assert (order["payment"]["po_number"], order["state"], order["status"]) == ("PO-9", "new", "pending")


async def test_cancel_answers_false_the_second_time_and_releases_stock_once(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 3))
    assert await shop.get("inventory/get-product-salable-quantity/HF-1001/2") == 1997
    assert await shop.post(f"orders/{order_id}/cancel") is True
    assert await shop.post(f"orders/{order_id}/cancel") is False
    assert await shop.get("inventory/get-product-salable-quantity/HF-1001/2") == 2000
    assert (await shop.get(f"orders/{order_id}"))["state"] == "canceled"


async def test_cancel_of_a_partly_invoiced_order_cancels_only_the_open_quantity(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 3))
    item = (await shop.get(f"orders/{order_id}"))["items"][0]["item_id"]
    await shop.post(f"order/{order_id}/invoice", {"items": [{"order_item_id": item, "qty": 1}]})
    assert await shop.post(f"orders/{order_id}/cancel") is True
    order = await shop.get(f"orders/{order_id}")
    assert (order["items"][0]["qty_invoiced"], order["items"][0]["qty_canceled"]) == (1, 2)
    assert order["state"] == "processing"


async def test_hold_remembers_and_refuses_documents(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    assert await shop.post(f"orders/{order_id}/hold") is True
    status, body = await shop.call("POST", f"orders/{order_id}/hold", {})
    assert (status, body["message"]) == (400, "A hold action is not available.")
    status, body = await shop.call("POST", f"order/{order_id}/invoice", {})
    assert body["message"].endswith("An invoice cannot be created when an order has a status of holded.")
    assert await shop.post(f"orders/{order_id}/unhold") is True
    assert await shop.get(f"orders/{order_id}/statuses") == "pending"


async def test_comment_status_must_belong_to_the_state(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 1))
    history = {"comment": "ERP SO-1", "is_customer_notified": 0, "is_visible_on_front": 0, "parent_id": order_id}
    assert await shop.post(f"orders/{order_id}/comments", {"statusHistory": history}) is True
    status, _ = await shop.call(
        "POST", f"orders/{order_id}/comments", {"statusHistory": history | {"status": "closed"}}
    )
    assert status == 400
    order = await shop.get(f"orders/{order_id}")
    assert [entry["comment"] for entry in order["status_histories"]] == ["ERP SO-1"]
    await shop.act("configure", order_statuses={"exported": "new"})
    await shop.post(f"orders/{order_id}/comments", {"statusHistory": history | {"status": "exported"}})
    assert await shop.get(f"orders/{order_id}/statuses") == "exported"


async def test_stamp_keeps_the_order_and_a_missing_increment_id_renumbers_it(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 2))
    before = await shop.get(f"orders/{order_id}")
    stamp = {"entity_id": order_id, "increment_id": before["increment_id"], "ext_order_id": "SO-1"}
    after = await shop.post("orders", {"entity": stamp})
    assert (after["ext_order_id"], after["increment_id"]) == ("SO-1", before["increment_id"])
    assert (after["grand_total"], len(after["items"])) == (before["grand_total"], 1)
    renumbered = await shop.post("orders", {"entity": {"entity_id": order_id, "ext_order_id": "SO-1"}})
    assert renumbered["increment_id"] != before["increment_id"]


async def test_edited_order_is_cancelled_and_replaced(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 2))
    new = await shop.act("edit-order", entity_id=order_id, items=[{"sku": "HF-1001", "qty": 1}])
    old = await shop.get(f"orders/{order_id}")
    assert new["increment_id"] == f"{old['increment_id']}-1"
    assert (old["state"], old["relation_child_real_id"]) == ("canceled", new["increment_id"])
    assert (await shop.get(f"orders/{new['entity_id']}"))["original_increment_id"] == old["increment_id"]


async def test_cancelling_an_order_that_went_out_in_part_cancels_the_rest_of_each_row_and_ends_complete(
    shop: ShopClient,
) -> None:
    order_id = await shop.place(("HF-1001", 3))
    row = (await shop.get(f"orders/{order_id}"))["items"][0]["item_id"]
    await shop.post(f"order/{order_id}/ship", {"items": [{"order_item_id": row, "qty": 1}]})
    await shop.post(f"order/{order_id}/invoice", {"items": [{"order_item_id": row, "qty": 1}]})
    assert await shop.post(f"orders/{order_id}/cancel", {}) is True
    order = await shop.get(f"orders/{order_id}")
    assert (order["state"], float(order["items"][0]["qty_canceled"])) == ("complete", 2)
    assert float(order["total_canceled"]) > 0
    assert await shop.post(f"orders/{order_id}/cancel", {}) is False


async def test_goods_that_were_sent_and_not_invoiced_are_not_cancelled_with_the_rest(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1001", 3))
    row = (await shop.get(f"orders/{order_id}"))["items"][0]["item_id"]
    await shop.post(f"order/{order_id}/ship", {"items": [{"order_item_id": row, "qty": 1}]})
    assert await shop.post(f"orders/{order_id}/cancel", {}) is True
    order = await shop.get(f"orders/{order_id}")
    assert (order["state"], float(order["items"][0]["qty_canceled"])) == ("canceled", 2)


async def test_an_increment_id_in_the_url_hits_the_order_of_that_number(shop: ShopClient) -> None:
    await shop.place(("HF-1001", 1), store="us")
    order_id = await shop.place(("HF-1001", 1), store="us")
    wrong = await shop.get("orders/000000002")
    assert (wrong["entity_id"], wrong["increment_id"]) == (order_id, "2000000002")
    found = await shop.get(
        f"orders?{criteria(('increment_id', 'eq', '2000000001'))}&fields=items[entity_id],total_count"
    )
    assert found == {"items": [{"entity_id": order_id - 1}], "total_count": 1}
