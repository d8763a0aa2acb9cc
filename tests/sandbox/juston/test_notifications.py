"""The org's flow tells a webhook what changed (docs/salesforce-org.md), and nothing is lost over a restart."""

import hashlib
import hmac
import json
import socket
from asyncio import Event, create_task, timeout
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.juston.vendor import JustOnVendor
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.salesforce.vendor import SalesforceVendor
from tests.sandbox.juston.desk import Desk

KEY = "de:000000123"
SECRET = "hush"


class Hook:
    """A merchant's webhook that keeps what it gets and checks the signature."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self._came = Event()
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(signature, request.headers["x-holdfast-signature"]):
            self.got.append(json.loads(body))
            self._came.set()
        return Response(status_code=204)

    async def have(self, *wanted: tuple[str, str]) -> None:
        async with timeout(5):
            while not set(wanted) <= {(row["object"], row["event"]) for row in self.got}:
                self._came.clear()
                await self._came.wait()


@pytest.fixture
async def hook(desk: Desk) -> AsyncIterator[Hook]:
    taker = Hook()
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(taker.app, lifespan="off", log_config=None, access_log=False))
    task = create_task(server._serve([sock]))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
    reply = await desk.control.put("/systems/salesforce/notify", json={"url": url, "secret": SECRET})
    assert reply.status_code == 200, reply.text
    yield taker
    server.should_exit = True
    await task


async def test_entry_payment_and_invoice_changes_are_told_with_the_assignment_key(desk: Desk, hook: Hook) -> None:
    link = await desk.link(KEY, "10")
    await hook.have(("JPAY1__Entry__c", "created"))
    await desk.act("juston", "pay", key=KEY)
    await hook.have(("JPAY1__Payment__c", "created"), ("JPAY1__Payment__c", "updated"), ("JPAY1__Entry__c", "updated"))
    await desk.order(KEY, [{"price": "10"}], Entry_Key__c=KEY)
    await desk.act("salesforce", "run-invoices")
    await hook.have(("ONB2__Invoice__c", "updated"))

    assert {row["assignmentKey"] for row in hook.got} == {KEY}
    assert all(set(row) == {"id", "object", "recordId", "assignmentKey", "event", "at"} for row in hook.got)
    entries = {row["recordId"] for row in hook.got if row["object"] == "JPAY1__Entry__c"}
    assert entries == {link["entryId"]}


async def test_an_entry_is_told_of_only_when_it_can_be_read(desk: Desk, hook: Hook) -> None:
    await desk.act("juston", "configure", entry_delay_ms=100)
    await desk.link(KEY, "10")
    assert hook.got == []
    await hook.have(("JPAY1__Entry__c", "created"))
    assert (await desk.entry())["JPAY1__Status__c"] == "Open"


def _world(path: Path) -> World:
    world = World(Store(path))
    world.add(SalesforceVendor(world))
    world.add(JustOnVendor(world))
    return world


async def test_a_promised_entry_survives_a_restart(tmp_path: Path) -> None:
    world = _world(tmp_path / "sandbox.db")
    vendor = world.vendor("juston")
    assert isinstance(vendor, JustOnVendor)
    async with world.unit():
        world.reset("demo")
    async with world.unit():
        vendor.act("configure", {"entry_delay_ms": 60_000})
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "client": None,
        "server": ("juston.test", 80),
    }
    path = "/public/payment-provider/v1/tenant/nordlicht/entry-link"
    token = vendor.credentials()["token"].encode()
    scope |= {
        "path": path,
        "raw_path": path.encode(),
        "scheme": "http",
        "headers": [(b"authorization", b"Bearer " + token)],
    }
    body = {"amount": 10, "currency": "EUR", "title": "x", "assignmentKey": KEY}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async with world.unit():
        await vendor.asgi(scope, receive, send)
    promised = json.loads(sent[1]["body"])
    world.store.close()

    again = _world(tmp_path / "sandbox.db")
    async with again.unit():
        again.vendor("juston").run_job("reveal", {"entry": promised["entryId"]})
        [entry] = again.vendor("juston").books()["entries"]
    assert (entry["id"], entry["key"], entry["total_minor"]) == (promised["entryId"], KEY, 1000)
    again.store.close()
