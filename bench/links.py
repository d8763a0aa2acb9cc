"""(b) Portal call to payment link, against a bare update-with-start on the same server."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from bench.baseline import BareCheckout
from bench.order import prepaid_order
from workflows.start import EngineRuns


async def timed(work: Callable[[int], Awaitable[Any]], count: int) -> list[float]:
    """Milliseconds of each call, one after the other."""
    took = []
    for number in range(count):
        began = time.perf_counter()
        await work(number)
        took.append((time.perf_counter() - began) * 1000)
    return took


def summary(took: list[float]) -> dict[str, float]:
    marks = statistics.quantiles(took, n=20)
    return {"p50_ms": round(statistics.median(took), 1), "p95_ms": round(marks[18], 1)}


async def links(client: Client, orders: int, prefix: str) -> dict[str, Any]:
    runs = EngineRuns(client)

    async def ours(number: int) -> None:
        await runs.ask_for_link(prepaid_order(f"{prefix}{number}"), timedelta(seconds=30))

    async def bare(number: int) -> None:
        start = WithStartWorkflowOperation(
            BareCheckout.run,
            f"{prefix}{number}",
            id=f"bare:{prefix}{number}",
            task_queue="bench",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await client.execute_update_with_start_workflow(
            BareCheckout.payment_link, f"{prefix}{number}", start_workflow_operation=start
        )

    async with Worker(client, task_queue="bench", workflows=[BareCheckout]):
        await timed(bare, 5)
        baseline = summary(await timed(lambda n: bare(n + 5), orders))
    measured = summary(await timed(ours, orders))
    return {
        "orders": orders,
        "holdfast": measured,
        "bare update-with-start": baseline,
        "ratio_p50": round(measured["p50_ms"] / baseline["p50_ms"], 2),
        "ratio_p95": round(measured["p95_ms"] / baseline["p95_ms"], 2),
    }
