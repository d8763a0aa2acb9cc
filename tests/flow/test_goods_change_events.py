"""Change Data Capture end to end: goods are in the shop by what the org pushes, and without it by the sweep."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from activities.pushes import place_in
from engine.processes import free_port
from settings.load import load
from tests.flow.stand import CONFIG, Stand, standing
from tests.flow.test_goods import bought, goods, shipments, written
from tests.flow.world import World

ERP = "HOLDFAST__SYSTEMS__FINANCIALFORCE__"
PACE, CHANNEL, URL = f"{ERP}FOLLOW_EVERY_SECONDS", f"{ERP}PUSH__CHANNEL", f"{ERP}PUSH__URL"


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    """The feed looks by itself when it begins, and then not within any test."""
    async with standing({PACE: "3600", CHANNEL: "/data/ChangeEvents"}, sandbox_with=("--pubsub",)) as made:
        yield listening_at(made, f"http://{made.sandbox.url('salesforce-pubsub')}")


def listening_at(stand: Stand, url: str) -> Stand:
    environment = stand.environment | {URL: url}
    return dataclasses.replace(stand, settings=load(CONFIG, environment), environment=environment)


async def dispatched(world: World) -> str:
    """An order whose goods leave after its run has taken them up."""
    key = await bought(world, ("HF-1001", 2))
    await goods(world, key, lambda view: bool(view.lines), "the run has taken its goods up")
    await world.act("salesforce", "ship", order=key)
    return key


async def test_a_dispatch_is_in_the_shop_by_what_the_org_pushes_alone(stand: Stand) -> None:
    async with stand.workers():
        world = World(stand)

        async def heard() -> bool:
            return place_in(await stand.ledger.cursor("financialforce:change-events")).heard_at is not None

        await world.act("salesforce", "configure-events", keepalive_seconds=1)
        key = await dispatched(world)
        await world.wait_until(heard, what="the stream stands")
        await goods(world, key, written(1), "the shipment is in the shop")
        late = await dispatched(world)
        await goods(world, late, written(1), "the shipment is in the shop")
    for one in (key, late):
        assert len(await shipments(world, one)) == 1


async def test_a_stream_that_nobody_serves_leaves_everything_to_the_feed(stand: Stand) -> None:
    deaf = listening_at(stand, f"http://127.0.0.1:{free_port()}")
    async with deaf.workers():
        world = World(deaf)
        key = await dispatched(world)
        await goods(world, key, written(1), "the shipment is in the shop")
        trouble = place_in(await deaf.ledger.cursor("financialforce:change-events")).trouble
        assert "UNAVAILABLE" in trouble
        assert not await deaf.ledger.open_cases(order_key=key)
