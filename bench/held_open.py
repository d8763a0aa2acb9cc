"""(d) Memory of one worker process while thousands of orders wait for their buyers' payment."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from bench.order import prepaid_order
from workflows.start import EngineRuns

CHUNK = 50  # the development server keeps everything in one SQLite file
FIRST_LOOK = 1000
LINKED_WITHIN = timedelta(minutes=10)  # a whole chunk is placed at once
TELL_EVERY = 1000


async def held_open(
    client: Client, memory: Callable[[], dict[str, int]], orders: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Place so many orders and leave them unpaid. `memory` tells what the worker holds `now` and held at `peak`."""
    runs = EngineRuns(client)
    prefix = f"M{int(time.time())}"
    began = time.perf_counter()
    idle = memory()
    steps: list[dict[str, Any]] = [{"open_orders": 0, **megabytes(idle)}]
    looks = {min(FIRST_LOOK, orders), orders}
    for first in range(0, orders, CHUNK):
        last = min(first + CHUNK, orders)
        placed = (runs.ask_for_link(prepaid_order(f"{prefix}{n:06}"), LINKED_WITHIN) for n in range(first, last))
        without = [view.order_key for view in await asyncio.gather(*placed) if not view.payment_link]
        if without:
            raise RuntimeError(f"{len(without)} orders have no payment link, the first is {without[0]}")
        took = round(time.perf_counter() - began)
        if last in looks:
            steps.append({"open_orders": last, **megabytes(memory()), "seconds_to_open": took})
        if last % TELL_EVERY == 0:
            tell(f"{last} of {orders} orders wait for payment after {took} s")
    grown = memory()["peak"] - idle["peak"]
    return {"steps": steps, "kilobytes_per_open_order": round(grown / 1024 / orders, 1)}


def megabytes(memory: dict[str, int]) -> dict[str, float]:
    return {f"{name}_mb": round(amount / 1024**2, 1) for name, amount in memory.items()}
