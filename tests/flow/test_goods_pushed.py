"""The org's flow calls Holdfast: goods are in the shop by the hint alone, and a hint that is lost costs only time."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from settings.load import load
from tests.api.desk import Served, engine_of, served
from tests.flow.stand import CONFIG, Stand, standing
from tests.flow.test_goods import bought, goods, shipments, written
from tests.flow.world import World

PACE = "HOLDFAST__SYSTEMS__FINANCIALFORCE__FOLLOW_EVERY_SECONDS"
HOOK = {"path": "/financialforce$"}


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    """The feed looks by itself when it begins, and then not within any test."""
    async with standing({PACE: "3600"}) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
async def api(stand: Stand) -> AsyncIterator[Served]:
    async with served(stand.settings, stand.ledger, engine_of(stand.client)) as running:
        hooks = f"{running.url}/v1/webhooks"
        secret = stand.environment["SANDBOX_NOTIFY_SECRET"]
        stand.sandbox.notify("salesforce", f"{hooks}/juston", secret, goods=f"{hooks}/financialforce")
        yield running
        stand.sandbox.keep_quiet("salesforce")


@pytest.fixture
async def world(stand: Stand) -> AsyncIterator[World]:
    async with stand.workers():
        yield World(stand)


async def taken_up(world: World) -> str:
    """An order whose run waits for its goods."""
    key = await bought(world, ("HF-1001", 2))
    await goods(world, key, lambda view: bool(view.lines), "the run has taken its goods up")
    return key


async def test_a_dispatch_is_in_the_shop_by_the_hint_alone_also_where_hints_are_late_doubled_and_out_of_order(
    world: World,
) -> None:
    calm, disturbed = await asyncio.gather(taken_up(world), taken_up(world))
    await world.act("salesforce", "ship", order=calm)
    await goods(world, calm, written(1), "the shipment is in the shop")
    kinds = ({"kind": "reorder"}, {"kind": "delay", "seconds": 1}, {"kind": "duplicate"}, {"kind": "reorder"})
    async with world.faults(
        "salesforce", *(kind | {"on": "notification", "match": HOOK, "times": 1} for kind in kinds)
    ):
        for do in ("allocate", "pick", "pack", "ship"):
            await world.act("salesforce", do, order=disturbed)
        await goods(world, disturbed, written(1), "the shipment is in the shop")
        assert await world.fired("salesforce") == [1, 1, 1, 1]
    for key in (calm, disturbed):
        assert len(await shipments(world, key)) == 1


async def test_what_no_hint_told_is_found_by_the_sweep(stand: Stand) -> None:
    async with stand.workers():
        world = World(stand)
        key = await taken_up(world)
        async with world.faults("salesforce", {"kind": "drop", "on": "notification", "match": HOOK}):
            await world.act("salesforce", "ship", order=key)
            await world.strikes("salesforce", 1)
    hurried = dataclasses.replace(stand, settings=load(CONFIG, stand.environment | {PACE: "2"}))
    async with hurried.workers():
        await goods(world, key, written(1), "the shipment is in the shop")
    assert len(await shipments(world, key)) == 1
