"""(a) Checkouts per second against bare workflows with as many activities, timers, signals, updates and upserts.

Batches take turns (Holdfast, then each baseline, and again), all orders of a batch at once, so that noise on the
machine meets all alike. All workflows and activities run in one worker process; the sandbox, PostgreSQL and the
Temporal server share the machine with it, in every batch.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from bench.baseline import CALLS, NOTHING, QUEUE, PlayedCheckout, Rehearse
from bench.order import prepaid_order
from bench.script import Script, script_of
from bench.vendors import Vendors
from workflows.names import checkout_id
from workflows.start import EngineRuns

LINK_WITHIN = timedelta(seconds=300)
IDLE_SECONDS = 5.0
HOLDFAST = "holdfast"
SAME_ACTIVITIES = "bare, the same activities"
SAME_CALLS = "bare, plain calls"
NO_WORK = "bare, no work"


class Batches:
    def __init__(self, client: Client, vendors: Vendors, prefix: str) -> None:
        self._client = client
        self._vendors = vendors
        self._prefix = prefix
        self._number = 0

    def _numbers(self, count: int) -> list[str]:
        """Numbers of one length, so that histories are equally long."""
        first, self._number = self._number, self._number + count
        return [f"{self._prefix}{n:05}" for n in range(first, first + count)]

    async def _run(self, count: int, one: Callable[[str], Awaitable[None]]) -> float:
        """Orders per second, from the first placed to the last ended."""
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in self._numbers(count)))
        return count / (time.perf_counter() - began)

    async def holdfast(self, count: int) -> float:
        return await self._run(count, self.checkout)

    async def checkout(self, number: str) -> None:
        runs = EngineRuns(self._client)
        order = prepaid_order(number)
        await runs.ask_for_link(order, LINK_WITHIN)
        await self._vendors.pay(order.key)
        await runs.checkout(order.key).result()

    async def same_activities(self, count: int) -> float:
        async def one(number: str) -> None:
            key = prepaid_order(number).key
            await self._play(checkout_id(key), number)
            await self._vendors.pay(key)
            await self._client.get_workflow_handle(checkout_id(key)).result()

        return await self._run(count, one)

    async def bare(self, kind: str, signals: int, count: int) -> float:
        async def one(number: str) -> None:
            run = f"{kind}:{number}"
            await self._play(run, number)
            handle = self._client.get_workflow_handle_for(PlayedCheckout.run, run)
            for _ in range(signals):
                await handle.signal(PlayedCheckout.hint, "entry")
            await handle.result()

        return await self._run(count, one)

    async def _play(self, run: str, number: str) -> None:
        order = prepaid_order(number)
        start = WithStartWorkflowOperation(
            PlayedCheckout.run, order, id=run, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        await self._client.execute_update_with_start_workflow(
            PlayedCheckout.payment_link, order, start_workflow_operation=start, rpc_timeout=LINK_WITHIN
        )

    async def events(self, run: str) -> int:
        return len((await self._client.get_workflow_handle(run).fetch_history()).events)

    def latest(self) -> str:
        return f"{self._prefix}{self._number - 1:05}"


async def record(client: Client, vendors: Vendors, batches: Batches, count: int) -> Script:
    """The script of one checkout on an idle machine; the calls per order of a batch, without what idling costs."""
    await batches.holdfast(1)
    number = batches.latest()
    history = await client.get_workflow_handle(checkout_id(f"de:{number}")).fetch_history()
    script = script_of(number, history.events)
    marks = await vendors.marks()
    await asyncio.sleep(IDLE_SECONDS)
    idle = await vendors.calls(marks) / IDLE_SECONDS
    marks, began = await vendors.marks(), time.monotonic()
    await batches.holdfast(count)
    calls = await vendors.calls(marks) - idle * (time.monotonic() - began)
    return script.model_copy(update={"calls": round(calls / count, 1)})


async def throughput(
    client: Client, vendors: Vendors, used: Callable[[], dict[str, float]], orders: int, rounds: int
) -> dict[str, Any]:
    """`orders` in each batch, `rounds` batches of each kind; `used` tells each part's processor time in seconds."""
    batches = Batches(client, vendors, f"T{int(time.time())}")
    script = await record(client, vendors, batches, orders)
    await client.execute_workflow(Rehearse.run, script, id=f"rehearse:{script.order}", task_queue=QUEUE)
    kinds: dict[str, Callable[[], Awaitable[float]]] = {
        HOLDFAST: lambda: batches.holdfast(orders),
        SAME_ACTIVITIES: lambda: batches.same_activities(orders),
        SAME_CALLS: lambda: batches.bare(CALLS, script.signals, orders),
        NO_WORK: lambda: batches.bare(NOTHING, script.signals, orders),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    cpu: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    for _ in range(rounds):
        for name, batch in kinds.items():
            before = used()
            rates[name].append(await batch())
            cpu[name].update({part: seconds - before[part] for part, seconds in used().items()})
    middle = {name: statistics.median(found) for name, found in rates.items()}
    total = {name: sum(parts.values()) for name, parts in cpu.items()}
    return {
        "ratio": {name: round(middle[HOLDFAST] / rate, 2) for name, rate in middle.items() if name != HOLDFAST},
        "cpu_ratio": {name: round(seconds / total[HOLDFAST], 2) for name, seconds in total.items() if name != HOLDFAST},
        "per_second": {name: round(rate, 2) for name, rate in middle.items()},
        "each_batch": {name: [round(rate, 2) for rate in found] for name, found in rates.items()},
        "cpu_ms_per_order": {
            name: {part: round(seconds / (orders * rounds) * 1000) for part, seconds in parts.items()}
            for name, parts in cpu.items()
        },
        "orders_at_once": orders,
        "rounds": rounds,
        "per_order": {
            "activities": script.count("activity"),
            "local activities": script.count("local activity"),
            "timers": script.count("timer"),
            "search attribute updates": script.count("search attributes"),
            "signals": script.signals,
            "updates": script.count("answer update"),
            "vendor calls": script.calls,
        },
    }
