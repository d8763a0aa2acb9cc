"""The client against a shop: pages, sign-in that ends, limits, and answers that are none."""

import asyncio
from typing import Any

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from activities.http import retry_after
from activities.magento.client import Filter, MagentoClient, address
from activities.magento.settings import MagentoSettings
from commerce.failures import Family, SystemFailure
from tests.activities.magento.conftest import Shop, settings_for
from tests.sandbox_process import Sandbox

ANY_GET = {"method": "GET"}
SORT = (("entity_id", "ASC"),)


async def all_ids(client: MagentoClient) -> list[int]:
    rows = client.keyset("orders", [], tried="list orders", fields="entity_id")
    return [int(row["entity_id"]) async for row in rows]


async def test_all_rows_come_once_whatever_the_page_size(shop: Shop, sandbox: Sandbox) -> None:
    placed = [await shop.place() for _ in range(5)]
    small = MagentoClient(settings_for(sandbox, page_size=2), system="shop")
    ids = await all_ids(small)
    await small.close()
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)
    assert {int(order.shop_id) for order in placed} <= set(ids)


async def test_an_insert_between_two_pages_moves_no_row(shop: Shop, sandbox: Sandbox) -> None:
    placed = [await shop.place() for _ in range(4)]
    small = MagentoClient(settings_for(sandbox, page_size=2), system="shop")
    seen: list[int] = []
    async for row in small.keyset("orders", [], tried="list orders", fields="entity_id"):
        seen.append(int(row["entity_id"]))
        if len(seen) == 3:
            await shop.place()
    await small.close()
    assert len(seen) == len(set(seen))
    assert {int(order.shop_id) for order in placed} <= set(seen)


async def test_a_page_limit_of_the_shop_is_obeyed(fresh: Sandbox, shop: Shop) -> None:
    fresh.act("magento", "configure", input_limits=True)
    for _ in range(2):
        await shop.place()
    eager = MagentoClient(settings_for(fresh, page_size=300), system="shop")
    limit = {"kind": "status", "status": 400, "match": ANY_GET, "times": 1}
    limit["body"] = {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": 1}}
    shop.faults(limit)
    assert len(await all_ids(eager)) == 2
    await eager.close()


async def test_more_than_ten_filters_are_signed_as_the_shop_reads_them(shop: Shop) -> None:
    order = await shop.place()
    groups = [[Filter("entity_id", order.shop_id)] for _ in range(12)]
    found = await shop.client.search("orders", groups, tried="search", sort=SORT, fields="entity_id")
    assert [str(row["entity_id"]) for row in found.items] == [order.shop_id]


async def test_odd_characters_in_a_filter_are_signed_and_found_as_data(shop: Shop) -> None:
    odd = [[Filter("increment_id", "a b+c=d&e%20f/ü~茶[1]")]]
    found = await shop.client.search("orders", odd, tried="search", sort=SORT)
    assert found.items == []


@pytest.mark.parametrize("auth", ["oauth1", "admin"])
async def test_an_ended_sign_in_is_renewed_once_and_the_call_goes_on(shop: Shop, sandbox: Sandbox, auth: str) -> None:
    order = await shop.place()
    client = MagentoClient(settings_for(sandbox, auth=auth), system="shop")
    await client.probe()
    shop.faults({"kind": "expire-auth", "match": {"path": "/orders/"}, "times": 1})
    entity = await client.get("orders/{id}", tried="read an order", id=order.shop_id)
    await client.close()
    assert entity["increment_id"] == order.number


async def test_a_write_survives_an_ended_sign_in_and_happens_once(shop: Shop, sandbox: Sandbox) -> None:
    order = await shop.place()
    client = MagentoClient(settings_for(sandbox, auth="admin"), system="shop")
    await client.probe()
    shop.faults({"kind": "expire-auth", "match": {"path": "/invoice"}, "times": 1})
    await client.post("order/{id}/invoice", {"capture": False}, tried="invoice", id=order.shop_id)
    await client.close()
    assert len(shop.invoices(order)) == 1


async def test_a_lasting_refusal_parks_and_names_the_resource(shop: Shop, sandbox: Sandbox) -> None:
    client = MagentoClient(settings_for(sandbox, auth="bearer"), system="shop")  # off by default in the shop
    with pytest.raises(SystemFailure) as caught:
        await client.probe()
    await client.close()
    assert caught.value.family is Family.NEEDS_PERSON
    assert "Magento_Sales" in caught.value.came_back


async def test_a_wrong_password_is_tried_once_not_until_the_user_is_locked(fresh: Sandbox) -> None:
    client = MagentoClient(settings_for(fresh, auth="admin", password="wrong-password"), system="shop")
    for _ in range(3):
        with pytest.raises(SystemFailure) as caught:
            await client.probe()
        assert caught.value.family is Family.NEEDS_PERSON
        assert "wrong-password" not in str(caught.value)
    await client.close()
    asked = [row for row in fresh.requests("magento") if "token" in row["path"]]
    assert len(asked) == 1


async def test_many_calls_at_once_sign_in_once(fresh: Sandbox) -> None:
    client = MagentoClient(settings_for(fresh, auth="admin"), system="shop")
    await asyncio.gather(*(client.probe() for _ in range(6)))
    await client.close()
    assert len([row for row in fresh.requests("magento") if "token" in row["path"]]) == 1


@pytest.mark.parametrize(
    ("fault", "family"),
    [
        ({"kind": "limit"}, Family.TRANSIENT),
        ({"kind": "garble"}, Family.TRANSIENT),
        ({"kind": "html", "status": 502}, Family.TRANSIENT),
        ({"kind": "html", "status": 200}, Family.TRANSIENT),
        ({"kind": "html", "status": 403}, Family.NEEDS_PERSON),
        ({"kind": "html", "status": 404}, Family.NEEDS_PERSON),
        ({"kind": "status", "status": 500, "body": {"message": "Internal Error"}}, Family.TRANSIENT),
        ({"kind": "status", "status": 200, "body": "[1, 2]"}, Family.TRANSIENT),
        ({"kind": "status", "status": 200, "body": {"items": "none"}}, Family.TRANSIENT),
        ({"kind": "lose-reply"}, Family.TRANSIENT),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else str(value),
)
async def test_a_read_that_fails_has_changed_nothing(shop: Shop, fault: dict[str, Any], family: Family) -> None:
    shop.faults(fault | {"match": {"path": "/orders"}, "times": 1})
    with pytest.raises(SystemFailure) as caught:
        await shop.client.search("orders", [], tried="list orders", sort=SORT)
    assert caught.value.family is family
    assert caught.value.system == "shop"


async def test_an_html_404_is_not_taken_for_an_order_that_is_gone(shop: Shop) -> None:
    order = await shop.place()
    shop.faults({"kind": "html", "status": 404, "match": ANY_GET, "times": 1})
    with pytest.raises(SystemFailure):
        await shop.client.find("orders/{id}", tried="read an order", id=order.shop_id)
    assert await shop.client.find("orders/{id}", tried="read an order", id="999999") is None


async def test_the_wait_hint_of_a_limit_reaches_the_caller(shop: Shop) -> None:
    shop.faults({"kind": "limit", "retry_after": 7, "match": ANY_GET, "times": 1})
    with pytest.raises(SystemFailure) as caught:
        await shop.client.probe()
    assert caught.value.retry_after is not None


async def test_a_shop_that_is_off_has_taken_nothing_even_of_a_write() -> None:
    settings = MagentoSettings.model_validate({"url": "http://127.0.0.1:9", "auth": "bearer", "access_token": "t"})
    client = MagentoClient(settings, system="shop")
    with pytest.raises(SystemFailure) as caught:
        await client.post("order/{id}/invoice", {}, tried="invoice", id="1")
    await client.close()
    assert caught.value.family is Family.TRANSIENT


async def test_every_call_carries_the_trace_and_our_name(shop: Shop) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"items": [], "total_count": 0})

    client = MagentoClient(shop.client.settings, system="shop", transport=httpx2.MockTransport(answer))
    parent = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(parent)):
        await client.probe()
    await client.close()
    assert f"{0xABC:032x}" in seen[0].headers["traceparent"]
    assert seen[0].headers["user-agent"] == "holdfast"
    assert seen[0].url.raw_path.startswith(b"/rest/all/V1/orders?searchCriteria%5B")


def test_ids_in_an_address_cannot_leave_their_place() -> None:
    url = address("https://shop.example", "all", "products/{sku}", {"sku": "a/b c?#%"}, [("fields", "a[b]")])
    assert url.raw_path == b"/rest/all/V1/products/a%2Fb%20c%3F%23%25?fields=a%5Bb%5D"


@pytest.mark.parametrize(
    ("header", "seconds"), [("5", 5), ("", None), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)]
)
def test_a_wait_hint_is_seconds_or_a_date(header: str, seconds: int | None) -> None:
    assert retry_after(httpx2.Response(429, headers={"retry-after": header})) == seconds


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"auth": "oauth1"}, "consumer_key, consumer_secret, access_token, access_token_secret"),
        ({"auth": "admin", "username": "u"}, "password"),
        ({"auth": "bearer"}, "access_token"),
        ({"auth": "bearer", "access_token": "t", "announce_text": "pay!"}, "{link}"),
        ({"auth": "bearer", "access_token": "t", "webhook_public_key": "nonsense"}, "PEM"),
    ],
)
def test_half_a_configuration_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named.replace("{", r"\{").replace("}", r"\}")):
        MagentoSettings(url="https://shop.example", **given)
