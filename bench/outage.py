"""(d) An outage of the ERP's org with the watch on: who called it meanwhile, and how the backlog drained afterwards.

Every call to the org is counted by the sandbox and then cut, so that none can hide. All orders are placed and paid
while it is away; the ERP's part of each waits in its queue. An order is drained with its last step at the ERP.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.order import prepaid_order
from bench.vendors import Vendors
from settings.model import System
from workflows.endpoint_watch import EndpointWatch
from workflows.names import system_queue
from workflows.start import EngineRuns

SYSTEM = "salesforce"  # the sandbox's name of the org
ERP = "financialforce"
ENDPOINTS = (ERP, "juston-org")  # what lives in the org
PROBE = "/services/data/v68.0"
AT_ONCE = 25
LINK_WITHIN = timedelta(seconds=600)
NOTICED_WITHIN = 120.0
DRAINED_WITHIN = timedelta(minutes=30)


def ideal_drain(steps: int, system: System) -> float:
    """Seconds that so many held steps take when the rate is raised and then kept exactly as configured."""
    left, seconds = float(steps), 0.0
    for rate in system.recovery_steps:
        if left <= rate * system.recovery_step_seconds:
            return seconds + left / rate
        left -= rate * system.recovery_step_seconds
        seconds += system.recovery_step_seconds
    return seconds + (left / system.per_second if system.per_second else 0)


def erp_steps(events: Sequence[HistoryEvent]) -> tuple[list[datetime], int]:
    """When each of a run's steps at the ERP was done, and the most tries that any step of the run took."""
    asked = {
        event.event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.task_queue.name == system_queue(ERP)
    }
    done = [
        event.event_time.ToDatetime(UTC)
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        and event.activity_task_completed_event_attributes.scheduled_event_id in asked
    ]
    tries = [
        event.activity_task_started_event_attributes.attempt
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    ]
    return done, max(tries, default=0)


async def outage(
    client: Client, vendors: Vendors, system: System, orders: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """`system` is how the ERP is configured: its pace is what the backlog is measured against."""
    runs = EngineRuns(client)
    prefix = f"O{int(time.time())}"
    mark = (await vendors.marks())[SYSTEM]
    began = time.monotonic()
    await vendors.take_down(SYSTEM)
    await _reach(client, "down")
    noticed = time.monotonic() - began
    before = await vendors.requests(SYSTEM, mark)
    mark = (await vendors.marks())[SYSTEM]
    tell(f"the outage was noticed after {noticed:.1f} s")

    room = asyncio.Semaphore(AT_ONCE)
    links: list[float] = []

    async def place_and_pay(number: int) -> None:
        order = prepaid_order(f"{prefix}{number:06}")
        async with room:
            asked = time.monotonic()
            await runs.ask_for_link(order, LINK_WITHIN)
            links.append(time.monotonic() - asked)
            await vendors.pay(order.key)

    await asyncio.gather(*(place_and_pay(number) for number in range(orders)))
    away = time.monotonic() - began
    meanwhile = await vendors.requests(SYSTEM, mark)
    tell(f"{orders} orders were placed and paid in {away:.0f} s of outage")
    back_at = datetime.now(UTC)
    await vendors.bring_back(SYSTEM)
    await _reach(client, "recovering", "up")
    answered = datetime.now(UTC)
    async with asyncio.timeout(DRAINED_WITHIN.total_seconds()):
        await asyncio.gather(*(runs.checkout(f"de:{prefix}{n:06}").result() for n in range(orders)))
    ended = datetime.now(UTC)
    histories = [await runs.checkout(f"de:{prefix}{n:06}").fetch_history() for n in range(orders)]
    steps, tries = zip(*(erp_steps(history.events) for history in histories), strict=True)
    first, last = min(min(times) for times in steps), max(max(times) for times in steps)
    drained = sorted((max(times) - back_at).total_seconds() for times in steps)
    held = sum(len(times) for times in steps)
    return {
        "orders_held": orders,
        "outage_seconds": round(away, 1),
        "noticed_after_seconds": round(noticed, 1),
        "calls_until_noticed": _sorted(before),
        "calls_while_down": _sorted(meanwhile),
        "most_tries_of_a_step": max(tries),
        "link_p50_seconds_while_down": round(statistics.median(links), 1),
        "after_recovery": {
            "noticed_seconds": round((answered - back_at).total_seconds(), 1),
            "first_erp_step_seconds": round((first - back_at).total_seconds(), 1),
            "first_order_drained_seconds": round(drained[0], 1),
            "last_order_drained_seconds": round(drained[-1], 1),
            "last_order_ended_seconds": round((ended - back_at).total_seconds(), 1),
            "erp_steps": held,
            "pace_per_second": system.per_second,
            "ideal_seconds": round(ideal_drain(held, system), 1),
            "busiest_second": busiest_second([at for times in steps for at in times]),
            "pace_kept": round(held / (last - first).total_seconds(), 1),
        },
    }


def busiest_second(times: Sequence[datetime]) -> int:
    """The most events within any one second, counted from each event on."""
    ordered = sorted(times)
    most = start = 0
    for end, at in enumerate(ordered):
        while at - ordered[start] >= timedelta(seconds=1):
            start += 1
        most = max(most, end - start + 1)
    return most


def _sorted(requests: Sequence[dict[str, Any]]) -> dict[str, int]:
    probes = sum(request["path"] == PROBE for request in requests)
    return {"probes": probes, "others": len(requests) - probes}


async def _reach(client: Client, *states: str) -> None:
    """Wait until the watch of every endpoint in the org has one of these states."""
    runs = EngineRuns(client)
    deadline = time.monotonic() + NOTICED_WITHIN
    for endpoint in ENDPOINTS:
        while (await runs.watch(endpoint).query(EndpointWatch.view)).state not in states:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{endpoint} is not {' or '.join(states)} after {NOTICED_WITHIN:.0f} s")
            await asyncio.sleep(0.1)
