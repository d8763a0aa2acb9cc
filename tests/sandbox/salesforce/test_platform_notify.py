"""Notifications out of the org: signed over the raw body, and only of what was kept."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.sandbox.salesforce.conftest import Platform
from tests.sandbox.salesforce.erp_desk import Desk

SECRET = "s3cret"


@dataclass
class Hook:
    """An HTTP server that keeps what it was sent: headers and body."""

    came: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await self.came.put((headers, body))


@pytest.fixture
async def hook(platform: Platform) -> AsyncIterator[Hook]:
    hook = Hook()
    server = await asyncio.start_server(hook.take, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    table = platform.world.store.table("kernel.notify")
    async with platform.world.unit():
        table.put("salesforce", {"url": url, "secret": SECRET})
    yield hook
    async with platform.world.unit():
        table.delete("salesforce")
    server.close()


async def test_a_notification_is_signed_over_the_raw_body(platform: Platform, hook: Hook) -> None:
    async with platform.world.unit():
        platform.org.notify({"object": "Thing__c", "recordId": "a9A", "assignmentKey": "de:Ω", "event": "updated"})
    headers, body = await asyncio.wait_for(hook.came.get(), 5)
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-holdfast-signature"] == f"sha256={expected}"
    message = json.loads(body)
    assert set(message) == {"id", "at", "object", "recordId", "assignmentKey", "event"}
    assert message["assignmentKey"] == "de:Ω"


async def test_the_flow_tells_of_goods_once_for_each_order_and_transaction_at_an_address_of_its_own(
    platform: Platform, hook: Hook
) -> None:
    erp = await Desk.open(platform)
    url = (platform.world.notify_target("salesforce") or {})["url"]
    await erp.order("de:1", "de:501", ("HF-1001", "2", "39.50"), ("HF-1002", "1", "10"))
    await erp.act("approve", order="de:1")
    assert hook.came.empty(), "without an address nobody is told"
    async with platform.world.unit():
        target = {"url": "http://127.0.0.1:9/", "secret": SECRET, "topics": {"goods": url}}
        platform.world.store.table("kernel.notify").put("salesforce", target)
    told = []
    for do, more in (("ship", {}), ("promise", {"date": "2026-12-24"})):
        await erp.act(do, order="de:1", **more)
        told.append(json.loads((await asyncio.wait_for(hook.came.get(), 60))[1]))
    assert [(one["orderKey"], one["event"]) for one in told] == [("de:1", "updated")] * 2
    assert {one["object"] for one in told} <= {"SCMC__Sales_Order__c", "SCMC__Sales_Order_Line_Item__c"}
    assert hook.came.empty()


async def test_what_was_undone_notifies_nobody(platform: Platform, hook: Hook) -> None:
    async def undone() -> None:
        async with platform.world.unit():
            platform.org.notify({"event": "undone"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    async with platform.world.unit():
        platform.org.notify({"event": "kept"})
    _, body = await asyncio.wait_for(hook.came.get(), 5)
    assert json.loads(body)["event"] == "kept"
    assert hook.came.empty()
