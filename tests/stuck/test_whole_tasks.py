"""A question about a run moves it nowhere: what it does next is what its history says, also after a replay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, Worker

from tests.stuck.runs import Sleeper
from workflows.converter import data_converter
from workflows.whole_tasks import WholeTasks, asked

RUNS = 12
SLEEPS = timedelta(seconds=1)
WITHIN = 60.0


async def test_runs_that_are_asked_while_their_timer_has_fired_go_the_way_that_a_replay_goes(
    engine_client: Client, fresh_number: str
) -> None:
    async with _worker(engine_client, fresh_number):
        runs = [await _started(engine_client, fresh_number, n) for n in range(RUNS)]
        for run in runs:
            await _reaches(run, EventType.EVENT_TYPE_TIMER_STARTED)
    # No worker: the questions wait, with the place in the queue that they have; then the timers fire.
    patient = [asyncio.create_task(asked(partial(run.query, Sleeper.woke))) for run in runs]
    asking = [asyncio.create_task(run.query(Sleeper.woke)) for run in runs]
    for run in runs:
        await _reaches(run, EventType.EVENT_TYPE_TIMER_FIRED)
    async with _worker(engine_client, fresh_number):
        answers = await asyncio.gather(*asking, return_exceptions=True)
        woke_early = [await asyncio.wait_for(run.result(), WITHIN) for run in runs]
    # Where no question came before the run's next task, this test proves nothing: half of them do, or more.
    assert any("ask again" in str(answer) for answer in answers), answers
    assert woke_early == [False] * RUNS
    assert await asyncio.gather(*patient) == [False] * RUNS, "who asks again is answered"
    for run in runs:
        await Replayer(workflows=[Sleeper], data_converter=data_converter).replay_workflow(await run.fetch_history())


@asynccontextmanager
async def _worker(client: Client, queue: str) -> AsyncIterator[None]:
    async with Worker(client, task_queue=queue, workflows=[Sleeper], workflow_runner=WholeTasks()):
        yield


async def _started(client: Client, queue: str, n: int) -> WorkflowHandle[Sleeper, bool]:
    return await client.start_workflow(
        Sleeper.run, SLEEPS, id=f"{queue}-{n}", task_queue=queue, task_timeout=timedelta(seconds=3)
    )


async def _reaches(run: WorkflowHandle[Sleeper, bool], event: EventType.ValueType) -> None:
    async with asyncio.timeout(WITHIN):
        while True:
            if event in [one.event_type for one in (await run.fetch_history()).events]:
                return
            await asyncio.sleep(0.05)
