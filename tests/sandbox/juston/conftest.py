"""JustOn and the org that it lives in, in this process on free ports; each test begins with the demo data."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.control import Control
from sandbox.juston.vendor import JustOnVendor
from sandbox.kernel.serve import Site
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.salesforce.vendor import SalesforceVendor
from tests.sandbox.juston.desk import Desk, open_desk


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[tuple[World, httpx2.AsyncClient]]:
    world = World(Store(None))
    world.add(SalesforceVendor(world))
    world.add(JustOnVendor(world))
    site = Site(world)
    site.add_app("control", Control(world).app)
    for vendor in world.vendors.values():
        site.add_vendor(vendor)
    await site.start()
    async with httpx2.AsyncClient(base_url=site.addresses["control"], trust_env=False) as control:
        yield world, control
    await site.stop()
    world.store.close()


@pytest.fixture
async def desk(running: tuple[World, httpx2.AsyncClient]) -> AsyncIterator[Desk]:
    world, control = running
    for name in world.vendors:
        await control.delete(f"/systems/{name}/notify")
    await control.put("/clock", json={"auto": False, "speed": 60})
    assert (await control.post("/reset", json={"seed": "demo"})).status_code == 200
    async with open_desk(world, control) as opened:
        yield opened
