"""A Salesforce org of its own (`platform`), with two small objects besides the packages, spoken to over real HTTP."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from sandbox.kernel.serve import running
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Doc, Field, SObject
from sandbox.salesforce.vendor import SalesforceVendor

DATA = "/services/data/v68.0"


def define_things(org: Org) -> None:
    """`Thing__c` with every kind of field, and its detail `Part__c`."""
    org.define(
        SObject(
            "Thing__c",
            "Thing",
            "a9A",
            (
                Field("Name", auto_number="TH-{0:04d}"),
                Field("Key__c", length=20, external_id=True, unique=True),
                Field("Loose_Key__c", length=20, external_id=True),
                Field("Account__c", "reference", reference_to=("Account",), child_relationship="Things__r"),
                Field("Amount__c", "currency", precision=9, scale=2),
                Field("Color__c", "picklist", picklist=("Red", "Green"), default="Red"),
                Field("Tags__c", "multipicklist", picklist=("A", "B", "C")),
                Field("Day__c", "date"),
                Field("At__c", "datetime"),
                Field("Done__c", "boolean"),
                Field("Note__c", "textarea", length=2000),
                Field("Must__c", length=10, required=True, default="yes"),
                Field("System__c", length=10, read_only=True),
                Field("Total__c", "currency", precision=18, scale=2, formula=_total),
            ),
        )
    )
    org.define(
        SObject(
            "Part__c",
            "Part",
            "a9B",
            (
                Field(
                    "Thing__c",
                    "reference",
                    reference_to=("Thing__c",),
                    master_detail=True,
                    required=True,
                    child_relationship="Parts__r",
                ),
                Field("Key__c", length=20, external_id=True, unique=True),
                Field("Net__c", "currency", precision=18, scale=2),
            ),
        )
    )
    org.before_save("Thing__c", _no_thirteen)
    org.action("Demo_Echo", lambda _org, inputs: [{"echo": entry} for entry in inputs])


def _total(org: Org, row: Doc) -> Decimal:
    return sum((part["Net__c"] or Decimal(0) for part in org.find("Part__c", "Thing__c", row["Id"])), Decimal(0))


def _no_thirteen(org: Org, new: Doc, old: Doc | None) -> None:
    if new.get("Amount__c") == 13:
        raise SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Amount must not be 13", ("Amount__c",))


def exact(reply: httpx2.Response) -> Any:
    """The JSON of a reply, numbers as the vendor wrote them."""
    return json.loads(reply.content, parse_float=Decimal)


@dataclass
class Platform:
    world: World
    vendor: SalesforceVendor
    url: str
    http: httpx2.AsyncClient

    @property
    def org(self) -> Org:
        return self.vendor.org

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """A data call; `path` begins after the version."""
        return await self.http.request(method, f"{DATA}{path}", **more)

    async def created(self, kind: str, **fields: Any) -> str:
        reply = await self.call("POST", f"/sobjects/{kind}", json=fields)
        assert reply.status_code == 201, reply.text
        record_id: str = reply.json()["id"]
        return record_id

    async def query(self, soql: str, **more: Any) -> Any:
        reply = await self.call("GET", "/query", params={"q": soql}, **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def log_in(self) -> None:
        known = self.vendor.credentials()
        form = {name: known[name] for name in ("client_id", "client_secret")}
        reply = await self.http.post(known["token_url"], data=form | {"grant_type": "client_credentials"})
        assert reply.status_code == 200, reply.text
        self.http.headers["authorization"] = f"Bearer {reply.json()['access_token']}"


@pytest.fixture(scope="session")
async def _platform() -> AsyncIterator[Platform]:
    world = World(Store(None))
    vendor = SalesforceVendor(world)
    define_things(vendor.org)
    world.add(vendor)
    async with (
        running(world) as addresses,
        httpx2.AsyncClient(base_url=addresses["salesforce"], trust_env=False) as http,
    ):
        yield Platform(world, vendor, addresses["salesforce"], http)
    world.store.close()


@pytest.fixture
async def platform(_platform: Platform) -> Platform:
    """The org without anyone's data, and a client that is logged in."""
    async with _platform.world.lock:
        _platform.world.reset("empty")
    await _platform.log_in()
    return _platform
