"""A system is up when its steps are handed out, not when it was said that they may be.

A worker that is killed while it sets a queue's rate leaves the engine's server with an older memory of that queue than
its database: until the server reads it again it refuses every other rate, and the old one stays in force.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.endpoints import EndpointActivities
from activities.ledger.endpoints import EndpointBook
from activities.watch import EndpointNote, SetRate, State
from tests.flow.world import World

WITHIN = 180.0  # seconds: the engine takes its time on a busy machine, and each pause is longer than the last


@pytest.fixture(autouse=True)
async def _up(world: World) -> AsyncIterator[None]:
    await is_noted(world, "up")
    yield
    await is_noted(world, "up")


async def is_noted(world: World, state: State, said: str = "") -> EndpointNote:
    async def there() -> EndpointNote | None:
        notes = {note.endpoint: note for note in await EndpointBook(world.ledger.engine).all()}
        note = notes.get("magento")
        return note if note is not None and note.state == state and said in note.reason else None

    return await world.wait_until(there, what=f"the shop is noted as {state} {said}", within=WITHIN)


async def hold(client: Client, endpoint: str = "magento") -> None:
    """The engine holds the queue, whatever the watch has told it."""
    update = UpdateTaskQueueConfigRequest.RateLimitUpdate(reason="another hand")
    update.rate_limit.CopyFrom(RateLimit(requests_per_second=0))
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        identity="another hand",
        task_queue=f"system:{endpoint}",
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        update_queue_rate_limit=update,
    )
    await client.workflow_service.update_task_queue_config(request)


@contextlib.asynccontextmanager
async def held_time_and_again(world: World) -> AsyncIterator[None]:
    """However often it is freed."""
    over = asyncio.Event()

    async def holding() -> None:
        while not over.is_set():
            await hold(world.stand.client)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(holding())
    try:
        yield
    finally:
        over.set()
        await task


async def broken_off(client: Client, endpoint: str = "magento") -> None:
    """Rates are set by somebody who is gone in the middle of it, until the server's memory and database differ."""

    async def holding() -> None:
        while True:
            await hold(client, endpoint)

    async with asyncio.timeout(WITHIN):
        while True:
            task = asyncio.create_task(holding())
            await asyncio.wait({task}, timeout=0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            try:
                await hold(client, endpoint)
            except RPCError as err:
                if "exactly one row" in err.message:
                    return


async def test_a_system_whose_steps_the_engine_keeps_is_not_up_until_it_lets_them_go(world: World) -> None:
    async with held_time_and_again(world):
        key = await world.place_in_shop()  # the shop must be told the link: that is a step at the shop
        stood = await is_noted(world, "recovering", "stands still")
        assert "none is handed out" in stood.reason
        await is_noted(world, "recovering", "answers, but its steps are not taken up")
        told = await world.told_operators("magento stands still", within=WITHIN)
        assert "its steps are not taken up" in told[-1]["text"]
        history = await EndpointBook(world.ledger.engine).history("magento", limit=3)
        assert [note.state for note in history] == ["recovering"] * 3
    await world.told_operators("magento is back", within=WITHIN)
    await is_noted(world, "up", "recovered")
    await world.link_of(key)
    await world.pay(key)
    await world.ends(key)


async def test_a_rate_that_the_server_does_not_take_for_now_is_no_rate_that_is_set(world: World) -> None:
    endpoint = "broken-off"
    client, book = world.stand.client, EndpointBook(world.ledger.engine)
    activities = EndpointActivities(client, book, {}, {}, "test")
    await broken_off(client, endpoint)
    free = SetRate(endpoint=endpoint, per_second=None, reason="it is back")
    done = await ActivityEnvironment().run(activities.set_rate, free)
    assert (done.by_server, done.later) == (False, True)
    up = EndpointNote(endpoint=endpoint, state="up", reason="it is back", since=datetime.now(UTC))
    with pytest.raises(ApplicationError, match="did not take the dispatch rate"):
        await ActivityEnvironment().run(activities.note, up)
    assert endpoint not in {note.endpoint for note in await book.all()}


async def test_a_worker_that_died_while_it_held_a_queue_back_leaves_no_order_waiting(world: World) -> None:
    async with world.faults("magento", {"kind": "down"}):
        await is_noted(world, "down")
        await broken_off(world.stand.client)
    await is_noted(world, "up")
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    await world.ends(key)
