"""The Magento stand-in alone, over real HTTP, with its demo data for each test."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.kernel.serve import running
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.magento.vendor import MagentoVendor
from tests.sandbox.magento.shop_client import ShopClient


@pytest.fixture(scope="package")
async def _shop() -> AsyncIterator[ShopClient]:
    world = World(Store(None))
    vendor = MagentoVendor(world)
    world.add(vendor)
    async with running(world) as urls, httpx2.AsyncClient(base_url=urls["magento"], trust_env=False) as http:
        yield ShopClient(world, vendor, http)
    world.store.close()


@pytest.fixture
async def shop(_shop: ShopClient) -> ShopClient:
    """The shop with nothing but its demo data, and a caller who is signed in."""
    async with _shop.world.unit():
        _shop.world.reset("demo")
        table = _shop.world.store.table("kernel.notify")
        for key in table:
            table.delete(key)
    await _shop.sign_in()
    return _shop
