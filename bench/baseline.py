"""The baselines: bare workflows that promise nothing.

`BareCheckout` answers an update-with-start and does nothing else. `PlayedCheckout` gives the engine the same commands
as a measured checkout, from a recorded script: as many activities, timers, signals, updates and search attributes, in
the same turns, and none of Holdfast's own workflow code. `Rehearse` hands the script to the worker.
"""

import asyncio
import json
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from bench.played import nothing_locally, rehearse, script
    from bench.script import Command, Script, Turn
    from commerce.order import Order

QUEUE = "bench"
NOTHING = "nothing"
CALLS = "calls"


def bare_queue(kind: str) -> str:
    return f"{QUEUE}:{kind}"


@workflow.defn(name="BareCheckout")
class BareCheckout:
    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(workflow.all_handlers_finished)
        return order

    @workflow.update
    async def payment_link(self, order: str) -> str:
        return f"link for {order}"


@workflow.defn(name="Rehearse")
class Rehearse:
    @workflow.run
    async def run(self, recorded: Script) -> None:
        await workflow.execute_activity(rehearse, recorded, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn(name="PlayedCheckout")
class PlayedCheckout:
    """Signals and update are called as in the measured workflow, so that the same feeds and callers reach it.

    The kind of its id says which activities it runs: NOTHING and CALLS their own, else the recorded ones.
    """

    @workflow.init
    def __init__(self, order: Order) -> None:
        self._number = order.number
        kind = workflow.info().workflow_id.partition(":")[0]
        self._queue = bare_queue(kind) if kind in (NOTHING, CALLS) else ""
        self._done: set[int] = set()
        self._signals = 0
        self._answered = False
        self._running: list[asyncio.Task[None]] = []
        self._timers: dict[int, asyncio.Task[None]] = {}

    @workflow.run
    async def run(self, order: Order) -> str:
        turns = script().turns
        for turn in turns:
            await workflow.wait_condition(lambda turn=turn: self._is_due(turn))  # type: ignore[misc]
            for command in turn.commands:
                self._give(command)
        await asyncio.gather(*self._running)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return order.number

    @workflow.update
    async def payment_link(self, order: Order) -> str:
        await workflow.wait_condition(lambda: self._answered)
        return order.number

    @workflow.signal
    def hint(self, what: str, reading: dict[str, Any] | None = None) -> None:
        self._signals += 1

    def _is_due(self, turn: Turn) -> bool:
        return self._signals >= turn.signals and self._done.issuperset(turn.after)

    def _give(self, command: Command) -> None:
        if command.kind == "activity":
            self._running.append(asyncio.create_task(self._activity(command)))
        elif command.kind == "local activity":
            self._running.append(asyncio.create_task(self._nothing_locally()))
        elif command.kind == "timer":
            self._timers[command.number] = asyncio.create_task(workflow.sleep(command.seconds))
        elif command.kind == "end timer":
            self._timers[command.number].cancel()
        elif command.kind == "answer update":
            self._answered = True
        else:
            workflow.upsert_search_attributes(
                [SearchAttributeKey.for_keyword(name).value_set(json.loads(v)) for name, v in command.values.items()]
            )

    async def _nothing_locally(self) -> None:
        await workflow.execute_local_activity(nothing_locally, start_to_close_timeout=timedelta(seconds=10))

    async def _activity(self, command: Command) -> None:
        await workflow.execute_activity(
            command.name,
            RawValue(command.input(script().order, self._number)),
            task_queue=self._queue or command.queue,
            result_type=RawValue,
            start_to_close_timeout=timedelta(minutes=3),
            heartbeat_timeout=timedelta(seconds=20),
        )
        self._done.add(command.number)
