"""The whole sandbox without traces (`fresh`), and one with a tiny vendor in this process for the kernel's tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from sandbox.control import Control
from sandbox.kernel.serve import Site
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from tests.sandbox.tiny import Receiver, Tiny
from tests.sandbox_process import Sandbox


@dataclass
class TinySandbox:
    """A sandbox in this process: `url(name)` of a vendor, `control` as an HTTP client of the control API."""

    world: World
    addresses: dict[str, str]
    control: httpx2.AsyncClient

    def url(self, name: str) -> str:
        return self.addresses[name]

    async def faults(self, name: str, *rules: dict[str, Any]) -> None:
        reply = await self.control.put(f"/systems/{name}/faults", json=list(rules))
        assert reply.status_code == 200, reply.text

    async def reset(self, seed: str) -> None:
        """As after a first start: no faults, no notification targets, the clock stands still."""
        await self.control.delete("/systems/tiny/notify")
        await self.control.put("/clock", json={"auto": False, "speed": 60})
        reply = await self.control.post("/reset", json={"seed": seed})
        assert reply.status_code == 200, reply.text


async def _serve(world: World) -> AsyncIterator[TinySandbox]:
    site = Site(world)
    site.add_app("control", Control(world).app)
    for vendor in world.vendors.values():
        site.add_vendor(vendor)
    async with world.unit():
        world.reset("empty")
    await site.start()
    async with httpx2.AsyncClient(base_url=site.addresses["control"], trust_env=False) as control:
        yield TinySandbox(world, site.addresses, control)
    await site.stop()
    world.store.close()


@pytest.fixture
def fresh(sandbox: Sandbox) -> Sandbox:
    """The whole sandbox with nothing but its demo data: no faults, no notification targets, no automatic clock."""
    for name in sandbox.systems():
        httpx2.delete(f"{sandbox.url('control')}/systems/{name}/notify", trust_env=False).raise_for_status()
    sandbox.clock(auto=False)
    sandbox.reset("demo")
    return sandbox


@pytest.fixture(scope="module")
async def _tiny_sandbox() -> AsyncIterator[TinySandbox]:
    world = World(Store(None))
    world.add(Tiny(world))
    async for running in _serve(world):
        yield running


@pytest.fixture
async def tiny_sandbox(_tiny_sandbox: TinySandbox) -> TinySandbox:
    """A sandbox with one vendor, `tiny`, without notes and without faults."""
    await _tiny_sandbox.reset("empty")
    return _tiny_sandbox


@pytest.fixture
def tiny(tiny_sandbox: TinySandbox) -> Tiny:
    vendor = tiny_sandbox.world.vendor("tiny")
    assert isinstance(vendor, Tiny)
    vendor.broken_jobs = 0
    return vendor


@pytest.fixture
async def http(tiny_sandbox: TinySandbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the tiny vendor."""
    async with httpx2.AsyncClient(base_url=tiny_sandbox.url("tiny"), trust_env=False) as client:
        yield client


@pytest.fixture
async def receiver(tiny_sandbox: TinySandbox) -> AsyncIterator[Receiver]:
    """Where the tiny vendor sends its notifications."""
    taker = Receiver()
    site = Site(World(Store(None)))
    site.add_app("receiver", taker.app)
    await site.start()
    url = f"{site.addresses['receiver']}/hook"
    await tiny_sandbox.control.put("/systems/tiny/notify", json={"url": url, "secret": "s"})
    yield taker
    await site.stop()
