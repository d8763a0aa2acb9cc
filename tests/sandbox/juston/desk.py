"""A merchant's view of JustOn over HTTP: hosted service, Salesforce records, payment page, control API."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2

from sandbox.kernel.world import World

API = "/services/data/v68.0"
RECORDS = f"{API}/sobjects"


class Desk:
    def __init__(self, world: World, control: httpx2.AsyncClient, hosted: httpx2.AsyncClient, org: httpx2.AsyncClient):
        self.world = world
        self.control = control
        self.hosted = hosted
        self.org = org

    async def begin(self) -> None:
        """An empty org, a fresh log-in; nothing of JustOn is delayed unless a test asks for it."""
        for name in self.world.vendors:
            await self.control.delete(f"/systems/{name}/notify")
        await self.control.put("/clock", json={"auto": False, "speed": 60})
        assert (await self.control.post("/reset", json={"seed": "empty"})).status_code == 200
        known = (await self.control.get("/systems")).json()["salesforce"]["credentials"]
        form = {"grant_type": "client_credentials"} | {name: known[name] for name in ("client_id", "client_secret")}
        token = (await self.org.post("/services/oauth2/token", data=form)).json()["access_token"]
        self.org.headers["authorization"] = f"Bearer {token}"
        await self.act("juston", "configure", entry_delay_ms=0, payment_delay_ms=0, refund_delay_ms=0)

    async def link(self, key: str = "de:000000123", amount: str = "129.90", **more: Any) -> dict[str, Any]:
        """A payment link for an entry; asserts that the service took it."""
        reply = await self.ask_link(key, amount, **more)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    async def ask_link(self, key: str, amount: str, **more: Any) -> httpx2.Response:
        values = {"currency": "EUR", "title": "Web order 000000123", "assignmentKey": key} | more
        body = json.dumps(values)[:-1] + f', "amount": {amount}}}'
        return await self.hosted.post("entry-link", content=body, headers={"content-type": "application/json"})

    async def act(self, vendor: str, do: str, **arguments: Any) -> dict[str, Any]:
        reply = await self.try_act(vendor, do, **arguments)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    async def try_act(self, vendor: str, do: str, **arguments: Any) -> httpx2.Response:
        return await self.control.post(f"/systems/{vendor}/act", json={"do": do} | arguments)

    async def books(self) -> dict[str, Any]:
        result: dict[str, Any] = (await self.control.get("/systems/juston/books")).json()
        return result

    async def rows(self, soql: str) -> list[dict[str, Any]]:
        reply = await self.org.get(f"{API}/query", params={"q": soql})
        assert reply.status_code == 200, reply.text
        records: list[dict[str, Any]] = exact(reply)["records"]
        return records

    async def entry(self, key: str = "de:000000123") -> dict[str, Any]:
        fields = "Id, Name, JPAY1__Status__c, JPAY1__OpenAmount__c, JPAY1__AssignedAmount__c, JPAY1__Invoice__c"
        rows = await self.rows(f"SELECT {fields} FROM JPAY1__Entry__c WHERE JPAY1__AssignmentKey__c = '{key}'")
        assert len(rows) == 1, rows
        return rows[0]

    async def until(self, soql: str, seconds: float = 5) -> dict[str, Any]:
        """The first row that a query finds, once it finds one."""
        end = time.monotonic() + seconds
        while not (rows := await self.rows(soql)):
            assert time.monotonic() < end, f"no row for {soql}"
            await asyncio.sleep(0.02)
        return rows[0]

    async def create(self, name: str, values: dict[str, Any]) -> str:
        reply = await self.org.post(f"{RECORDS}/{name}", json=values)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    async def patch(self, name: str, record_id: str, values: dict[str, Any]) -> httpx2.Response:
        return await self.org.patch(f"{RECORDS}/{name}/{record_id}", json=values)

    async def order(
        self, key: str, lines: list[dict[str, Any]], account: str | None = "of this key", **head: Any
    ) -> str:
        """A web order with its lines; a line is `{"price", "quantity"?, "rate"?, "type"?}` with decimal texts."""
        values = {"Magento_Order_Id__c": key, "ON_ServiceDate__c": "2026-11-01"} | head
        if account == "of this key":
            values["ON_Account__c"] = await self.create("Account", {"Name": f"Buyer of {key}"})
        order = await self.create("Web_Order__c", values)
        for number, line in enumerate(lines, 1):
            await self.create(
                "Web_Order_Line__c",
                {
                    "Web_Order__c": order,
                    "Line_Key__c": f"{key}:{number}",
                    "ON_Title__c": f"Article {number}",
                    "ON_Quantity__c": line.get("quantity", "1"),
                    "ON_UnitPrice__c": line.get("price"),
                    "ON_TaxRate__c": line.get("rate", "0"),
                    "ON_LineType__c": line.get("type", "Product"),
                    "ON_Sort__c": number,
                },
            )
        return order

    async def invoice(self, key: str) -> dict[str, Any]:
        """The one invoice in the books with that order key."""
        found = [row for row in (await self.books())["invoices"] if row["key"] == key]
        assert len(found) == 1, found
        document: dict[str, Any] = found[0]
        return document

    async def action(self, name: str, **given: Any) -> dict[str, Any]:
        reply = await self.org.post(f"{API}/actions/custom/apex/{name}", json={"inputs": [given]})
        assert reply.status_code == 200, reply.text
        output: dict[str, Any] = reply.json()[0]["outputValues"]
        return output


def exact(reply: httpx2.Response) -> Any:
    """The body with numbers as Decimal."""
    return json.loads(reply.text, parse_float=Decimal)


@asynccontextmanager
async def open_desk(world: World, control: httpx2.AsyncClient) -> AsyncIterator[Desk]:
    """The clients of both systems, opened once for all tests: each would load the certificates anew."""
    systems = (await control.get("/systems")).json()
    juston = systems["juston"]
    async with (
        httpx2.AsyncClient(trust_env=False, base_url=systems["salesforce"]["url"]) as org,
        httpx2.AsyncClient(
            trust_env=False,
            base_url=f"{juston['url']}/public/payment-provider/v1/tenant/{juston['credentials']['tenant']}/",
            headers={"authorization": f"Bearer {juston['credentials']['token']}"},
        ) as hosted,
    ):
        yield Desk(world, control, hosted, org)
