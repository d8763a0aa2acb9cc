"""What nobody foresaw ends no run: its task fails until a release mends it, and the engine names the run meanwhile."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Worker

from tests.stuck.runs import Fails, Mended, refuse
from workflows.unforeseen import StaysOpen

WITHIN = 90.0  # seconds; the engine leaves more and more time between two tries of a task


@asynccontextmanager
async def release(client: Client, queue: str, process: type[Any]) -> AsyncIterator[None]:
    async with Worker(client, task_queue=queue, workflows=[process], activities=[refuse], interceptors=[StaysOpen()]):
        yield


@pytest.fixture
def queue() -> str:
    return f"small-{secrets.token_hex(4)}"


async def start(client: Client, queue: str, where: str) -> WorkflowHandle[Any, str]:
    # The SDK answers a task's second failure by silence: what a task may take is the pause between two tries.
    short = timedelta(seconds=2)
    return await client.start_workflow(
        "Small", where, id=f"{queue}:{where}", task_queue=queue, result_type=str, task_timeout=short
    )


async def named(client: Client, queue: str, *runs: WorkflowHandle[Any, str]) -> None:
    """Wait until the engine names just these runs of the queue as ones whose tasks fail."""
    query = f"TaskQueue = '{queue}' AND TemporalReportedProblems IN ('category=WorkflowTaskFailed')"
    wanted, found = {run.id for run in runs}, set[str]()
    async with asyncio.timeout(WITHIN):
        while found != wanted:
            await asyncio.sleep(0.2)
            found = {run.id async for run in client.list_workflows(query)}


async def test_a_run_that_fails_unforeseen_stays_open_is_named_and_goes_on_with_the_release_that_mends_it(
    engine_client: Client, queue: str
) -> None:
    async with release(engine_client, queue, Fails):
        runs = [await start(engine_client, queue, where) for where in ("own", "beside", "signal")]
        await runs[2].signal("odd")
        await named(engine_client, queue, *runs)
        await runs[1].signal("end")
        for run in runs:
            assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    async with release(engine_client, queue, Mended), asyncio.timeout(WITHIN):
        assert [await run.result() for run in runs] == ["mended"] * 3
        await named(engine_client, queue)


async def test_whoever_asks_hears_why_an_update_fails_and_the_run_goes_on(engine_client: Client, queue: str) -> None:
    async with release(engine_client, queue, Fails), asyncio.timeout(WITHIN):
        run = await start(engine_client, queue, "update")
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await run.execute_update("ask")
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "Impossible"
        await run.signal("end")
        assert await run.result() == "went on"


@pytest.mark.parametrize(("where", "ends"), [("meant", ApplicationError), ("cancelled", CancelledError)])
async def test_a_run_still_ends_as_it_is_meant_to(
    engine_client: Client, queue: str, where: str, ends: type[Exception]
) -> None:
    async with release(engine_client, queue, Fails), asyncio.timeout(WITHIN):
        run = await start(engine_client, queue, where)
        if where == "cancelled":
            await run.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await run.result()
        assert isinstance(failed.value.cause, ends)
