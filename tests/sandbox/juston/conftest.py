"""JustOn and the org that it lives in, in this process on free ports; each test begins with an empty org."""

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
async def opened_desk() -> AsyncIterator[Desk]:
    world = World(Store(None))
    world.add(SalesforceVendor(world))
    world.add(JustOnVendor(world))
    site = Site(world)
    site.add_app("control", Control(world).app)
    for vendor in world.vendors.values():
        site.add_vendor(vendor)
    await site.start()
    async with (
        httpx2.AsyncClient(base_url=site.addresses["control"], trust_env=False) as control,
        open_desk(world, control) as opened,
    ):
        yield opened
    await site.stop()
    world.store.close()


@pytest.fixture
async def desk(opened_desk: Desk) -> Desk:
    await opened_desk.begin()
    return opened_desk
