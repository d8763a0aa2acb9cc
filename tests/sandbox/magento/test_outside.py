"""What leaves the request: bulk operations that complete later, signed events, books, and what a restart keeps."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.kernel.serve import Site, running
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.magento.vendor import MagentoVendor
from tests.sandbox.magento.shop_client import ShopClient


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - the condition is on the other side of an HTTP call
            await asyncio.sleep(0.05)


async def bulk(shop: ShopClient, path: str, body: Any, method: str = "PUT") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {shop.token}"}
    reply = await shop.http.request(method, f"/rest/all/async/{path}", json=body, headers=headers)
    return reply.status_code, reply.json()


async def test_bulk_is_accepted_and_completes_each_element_for_itself(shop: ShopClient) -> None:
    rows = [
        {"product": {"sku": "HF-1001", "price": 10}},
        {"product": {"sku": "NEW-1"}},
        {"nothing": 1},
    ]
    status, answer = await bulk(shop, "bulk/V1/products/bySku", rows)
    assert (status, answer["errors"]) == (202, True)
    assert [each["status"] for each in answer["request_items"]] == ["accepted", "accepted", "rejected"]
    path = f"bulk/{answer['bulk_uuid']}"

    async def done() -> bool:
        return bool(await shop.get(f"{path}/operation-status/4") == 0)

    await until(done)
    found = await shop.get(f"{path}/detailed-status")
    assert [each["status"] for each in found["operations_list"]] == [1, 3, 5]
    assert json.loads(found["operations_list"][0]["result_serialized_data"])["price"] == 10
    assert (await shop.get("products/HF-1001"))["price"] == 10


async def test_async_waits_while_the_consumers_stand_still(shop: ShopClient) -> None:
    await shop.act("configure", consumers_running=False)
    body = {"product": {"sku": "HF-1001", "price": 11}}
    status, answer = await bulk(shop, "V1/products", body, "POST")
    assert status == 202
    path = f"bulk/{answer['bulk_uuid']}/operation-status/4"
    assert await shop.get(path) == 1
    await shop.act("configure", consumers_running=True)

    async def done() -> bool:
        return bool(await shop.get(path) == 0)

    await until(done)
    assert (await shop.get("products/HF-1001"))["price"] == 11


async def test_every_save_of_an_order_is_announced_with_a_signature_that_verifies(shop: ShopClient) -> None:
    came: list[tuple[bytes, str]] = []

    async def take(request: Request) -> Response:
        came.append((await request.body(), request.headers["x-adobe-commerce-webhook-signature"]))
        return Response(status_code=200)

    world = World(Store(None))
    site = Site(world)
    site.add_app("receiver", Starlette(routes=[Route("/hook", take, methods=["POST"])]))
    await site.start()
    async with shop.world.unit():
        target = {"url": site.addresses["receiver"] + "/hook", "secret": "s"}
        shop.world.store.table("kernel.notify").put("magento", target)
        key_text = shop.vendor.credentials()["webhook_public_key"]
    order_id = await shop.place(("HF-1001", 1))
    history = {"comment": "x", "is_customer_notified": 0, "is_visible_on_front": 0}
    await shop.post(f"orders/{order_id}/comments", {"statusHistory": history})
    await shop.post(f"order/{order_id}/invoice", {})

    async def all_came() -> bool:
        return len(came) >= 3

    await until(all_came)
    await site.stop()
    world.store.close()
    key = serialization.load_pem_public_key(key_text.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    states = set()
    for body, signature in came:
        key.verify(base64.b64decode(signature), base64.b64encode(body), padding.PKCS1v15(), hashes.SHA256())
        envelope = json.loads(body)
        assert envelope["type"] == "com.adobe.commerce.observer.sales_order_save_commit_after"
        assert envelope["data"]["value"]["increment_id"] == "000000001"
        assert envelope["data"]["_metadata"]["storeId"] == "1"
        states.add(envelope["data"]["value"]["state"])
    assert states == {"new", "processing"}
    assert len({json.loads(body)["id"] for body, _ in came}) == len(came)


async def test_books_show_each_document_with_its_keys(shop: ShopClient) -> None:
    order_id = await shop.place(("HF-1004", 2), store="jp", customer=13)
    comment = {"comment": {"comment": "ERP invoice SIN000123", "is_visible_on_front": 0}}
    await shop.post(f"order/{order_id}/invoice", comment)
    books = shop.books()
    order, invoice = books["orders"][0], books["invoices"][0]
    assert (order["key"], order["customer"], order["currency"]) == ("jp:3000000001", "13", "JPY")
    assert order["total_minor"] == invoice["total_minor"] == (await shop.get(f"orders/{order_id}"))["grand_total"]
    assert (invoice["key"], invoice["refs"]["order_key"]) == ("SIN000123", "jp:3000000001")
    assert invoice["lines"] == order["lines"] == [{"sku": "HF-1004", "quantity": "2", "total_minor": 7800}]


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    first = World(Store(tmp_path / "shop.db"))
    vendor = MagentoVendor(first)
    first.add(vendor)
    async with running(first) as urls, httpx2.AsyncClient(base_url=urls["magento"], trust_env=False) as http:
        async with first.unit():
            first.reset("demo")
            key = vendor.credentials()["webhook_public_key"]
        shop = ShopClient(first, vendor, http)
        await shop.sign_in()
        order_id = await shop.place(("HF-1001", 1))
        await shop.post(f"order/{order_id}/invoice", {})
        before = vendor.books()
        # Opened beside the running one: what a kill would leave behind.
        second = World(Store(tmp_path / "shop.db"))
    revived = MagentoVendor(second)
    second.add(revived)
    async with second.unit():
        assert revived.books() == before
        assert revived.credentials()["webhook_public_key"] == key
        placed = revived.act("place-order", {"items": [{"sku": "HF-1001", "qty": 1}]})
    assert placed["increment_id"] == "000000002"
    first.store.close()
    second.store.close()
