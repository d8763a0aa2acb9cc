"""(f) Goods on their way: many open orders, one feed. What a change at the ERP costs, and how soon the shop shows it.

Idle, then changes in a steady trickle, then as many in one burst. Calls are counted from the sandbox's log; what its
own people do is none. A few orders are followed to the door for their history.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from activities.salesforce.soql import chunks
from bench.economy import actions, what_for
from bench.goods_calls import READING, SWEEP, WRITE, Call, answered, counted, erp_call, fewest, shop_call
from bench.held_open import megabytes
from bench.open_goods import AT_ONCE, ORG, SHOP, OpenGoods
from bench.outage import ERP
from bench.vendors import Vendors
from settings.model import Settings
from workflows.start import EngineRuns

NONE_OPEN_SECONDS = 30.0
IDLE_SECONDS = 60.0
TRICKLE_SECONDS = 1.0  # from one change to the next
LOOK_EVERY = 1.0
FOLLOWED = 5  # orders whose histories are read
QUIET_SWEEPS = 3
QUIET_WITHIN = 300.0  # seconds
SHOWN_WITHIN = 300.0  # seconds for a round, and SHOWN_WITHIN_EACH more for each change
SHOWN_WITHIN_EACH = 3.0
DELIVERED_WITHIN = 120.0
PARCELS_REST_MINUTES = 1_000_000
LOOK = "erp.look_at_fulfillment"


class Log:
    """The sandbox's log of what the ERP and the shop were asked, read often enough to keep the bodies."""

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._marks: dict[str, int] = {}
        self.erp: list[Call] = []
        self.shop: list[Call] = []
        self.shown: dict[str, datetime] = {}  # by the shop's id of the order: when its first shipment was answered

    async def begin(self) -> None:
        self._marks = await self._vendors.marks()

    async def read(self) -> None:
        for request in await self._new(ORG):
            call = erp_call(request)
            self.erp += [call] if call is not None else []
        for request in await self._new(SHOP):
            call = shop_call(request)
            if call is None:
                continue
            self.shop.append(call)
            if call.kind == WRITE and answered(request):
                self.shown.setdefault(call.of, call.at)

    async def _new(self, system: str) -> list[dict[str, Any]]:
        found = await self._vendors.requests(system, self._marks[system], bodies=True)
        if found:
            self._marks[system] = found[-1]["id"]
        return found

    async def watch(self, seconds: float) -> list[Call]:
        """The ERP's calls of so many seconds."""
        await self.read()
        began, end = datetime.now(UTC), time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)
            await self.read()
        return [call for call in self.erp if call.at >= began]

    async def quiet(self) -> None:
        """Wait until several sweeps in a row had nothing to read: the feed's overlap lies behind the last change."""
        began, deadline = datetime.now(UTC), time.monotonic() + QUIET_WITHIN
        while True:
            await self.read()
            last = max((call.at for call in self.erp if call.kind == READING), default=began)
            if sum(call.kind == SWEEP and call.at > max(last, began) for call in self.erp) >= QUIET_SWEEPS:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the feed still reads orders {QUIET_WITHIN:.0f} s after the last change")
            await asyncio.sleep(LOOK_EVERY)


class Rounds:
    def __init__(self, client: Client, vendors: Vendors, log: Log, orders: OpenGoods, every: float) -> None:
        self._runs = EngineRuns(client)
        self._vendors = vendors
        self._log = log
        self._orders = orders
        self._every = every

    async def trickle(self, ids: Sequence[str]) -> dict[str, Any]:
        """Ship one order after the other, at a steady pace."""
        begin = asyncio.get_running_loop().time()

        async def ship() -> dict[str, datetime]:
            done: dict[str, datetime] = {}
            for number, shop_id in enumerate(ids):
                await asyncio.sleep(max(begin + number * TRICKLE_SECONDS - asyncio.get_running_loop().time(), 0))
                done[shop_id] = await self._ship(shop_id)
            return done

        return await self._measured(ids, ship)

    async def burst(self, ids: Sequence[str]) -> dict[str, Any]:
        """Ship all of them as fast as the ERP's people can."""

        async def ship() -> dict[str, datetime]:
            room = asyncio.Semaphore(AT_ONCE)
            done: dict[str, datetime] = {}

            async def one(shop_id: str) -> None:
                async with room:
                    done[shop_id] = await self._ship(shop_id)

            await asyncio.gather(*(one(shop_id) for shop_id in ids))
            return done

        return await self._measured(ids, ship)

    async def deliver(self, ids: Sequence[str]) -> None:
        """The carrier brings these; their runs end."""
        for shop_id in ids:
            key = self._orders.keys[shop_id]
            await self._vendors.act("carrier", {"do": "deliver", "order": key})
        async with asyncio.timeout(DELIVERED_WITHIN):
            await asyncio.gather(*(self._runs.goods(self._orders.keys[shop_id]).result() for shop_id in ids))

    async def history(self, shop_id: str) -> Sequence[HistoryEvent]:
        return (await self._runs.goods(self._orders.keys[shop_id]).fetch_history()).events

    async def _ship(self, shop_id: str) -> datetime:
        key = self._orders.keys[shop_id]
        await self._vendors.act(ORG, {"do": "ship", "order": key, "tracking": f"HF{shop_id}"})
        return datetime.now(UTC)

    async def _measured(self, ids: Sequence[str], ship: Callable[[], Awaitable[dict[str, datetime]]]) -> dict[str, Any]:
        await self._log.read()
        began, deadline = datetime.now(UTC), time.monotonic() + SHOWN_WITHIN + len(ids) * SHOWN_WITHIN_EACH
        shipping = asyncio.ensure_future(ship())
        while not shipping.done() or not set(ids) <= self._log.shown.keys():
            await asyncio.sleep(LOOK_EVERY)
            await self._log.read()
            if shipping.done() and shipping.exception() is not None:
                break
            if time.monotonic() > deadline:
                shipping.cancel()
                missing = len(set(ids) - self._log.shown.keys())
                raise RuntimeError(f"{missing} of {len(ids)} shipments are not in the shop in time")
        shipped = await shipping
        ended = max(self._log.shown[shop_id] for shop_id in ids)
        seconds = [(self._log.shown[shop_id] - shipped[shop_id]).total_seconds() for shop_id in ids]
        calls = [call for call in self._log.erp if began <= call.at <= ended]
        looks = [at for shop_id in ids for at in looked(await self.history(shop_id)) if began <= at <= ended]
        floor = fewest(list(shipped.values()), self._every, at_once([self._orders.keys[i] for i in ids]))
        return {
            "changes": len(ids),
            "seconds_of_changing": round((max(shipped.values()) - began).total_seconds(), 1),
            "seconds_until_all_are_shown": round((ended - began).total_seconds(), 1),
            **erp_use(calls, len(looks), floor, len(ids)),
            "shown_p50_seconds": round(statistics.median(seconds), 1),
            "shown_p95_seconds": round(statistics.quantiles(seconds, n=20)[18], 1),
        }


def looked(events: Sequence[HistoryEvent]) -> list[datetime]:
    """When each try of a run's own look at the ERP began."""
    asked = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    found: list[datetime] = []
    for event in events:
        if event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            if asked[started.scheduled_event_id] == LOOK:
                found += [event.event_time.ToDatetime(UTC)] * max(started.attempt, 1)
    return found


def erp_use(calls: Sequence[Call], looks: int, floor: int, changes: int) -> dict[str, Any]:
    """Calls to the ERP of one round. A feed's reading and a run's look alike in the log: histories tell them apart."""
    kinds = Counter(counted(calls))
    by_feed = kinds.pop(READING, 0) - looks
    if by_feed < 0:
        raise RuntimeError(f"the runs looked {looks} times, more often than the ERP was read")
    shown = {SWEEP: kinds.pop(SWEEP, 0), "the feed reads orders": by_feed, "a run reads its order": looks, **kinds}
    return {
        "erp_calls": shown,
        "erp_calls_per_change": round(sum(shown.values()) / changes, 2),
        "fewest_erp_calls": floor,
        "fewest_erp_calls_per_change": round(floor / changes, 2),
    }


def per_minute(calls: Sequence[Call], seconds: float) -> dict[str, Any]:
    kinds = counted(calls)
    return {"calls_per_minute": round(len(calls) * 60 / seconds, 1), "calls": kinds, "seconds": seconds}


def used(histories: Sequence[Sequence[HistoryEvent]]) -> dict[str, float]:
    """Events and billable actions of a run so far, on average."""
    return {
        "events": round(statistics.mean(len(events) for events in histories), 1),
        "actions": round(statistics.mean(sum(actions(events).values()) for events in histories), 1),
    }


def at_once(keys: Sequence[str]) -> int:
    """How many orders one reading of the feed takes."""
    return len(next(chunks(keys)))


async def goods(
    client: Client,
    vendors: Vendors,
    settings: Settings,
    memory: Callable[[], dict[str, int]],
    orders: int,
    changed: int,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """`changed` of the open `orders` ship one by one, as many in a burst. `memory`: the worker's, `now` and `peak`."""
    every = settings.systems[ERP].follow_every_seconds
    log = Log(vendors)
    # What the org tells by itself would come before the sweeps that are measured.
    async with OpenGoods(settings, client, vendors, tell) as made, vendors.silent(ORG):
        rounds = Rounds(client, vendors, log, made, every)
        # Parcels stay where they are: their news would be changes as well.
        await vendors.act("carrier", {"do": "configure", "step_minutes": PARCELS_REST_MINUTES})
        await log.begin()
        none = per_minute(await log.watch(NONE_OPEN_SECONDS), NONE_OPEN_SECONDS)
        steps = [{"open_orders": 0, **megabytes(memory())}]
        await made.make(orders)
        await made.check(orders)
        await log.begin()
        await log.quiet()
        idle = per_minute(await log.watch(IDLE_SECONDS), IDLE_SECONDS)
        steps.append({"open_orders": orders, **megabytes(memory())})
        tell(f"idle: {idle['calls_per_minute']:g} calls a minute to the ERP")

        ids = sorted(made.keys, key=int)
        followed = ids[:FOLLOWED]
        waiting = [await rounds.history(shop_id) for shop_id in followed]
        before = len(log.shop)
        trickle = await rounds.trickle(ids[:changed])
        tell(f"trickle: {trickle['erp_calls_per_change']:g} calls a change, fewest {trickle['fewest_erp_calls']}")
        await log.quiet()
        shop = counted(log.shop[before:])
        shipped = [await rounds.history(shop_id) for shop_id in followed]
        burst = await rounds.burst(ids[changed : 2 * changed])
        tell(f"burst: {burst['erp_calls_per_change']:g} calls a change, fewest {burst['fewest_erp_calls']}")
        await rounds.deliver(followed)
        delivered = [await rounds.history(shop_id) for shop_id in followed]
        await made.check(orders - len(followed))
        steps.append({"open_orders": orders - len(followed), **megabytes(memory())})
    return {
        "open_orders": orders,
        "feed_looks_every_seconds": every,
        "idle": {"0": none, str(orders): idle},
        "trickle": trickle,
        "burst": burst,
        "shop_calls_per_shipment": {kind: round(count / changed, 2) for kind, count in shop.items()},
        "run": {
            "waiting": used(waiting),
            "one shipment": used(shipped),
            "delivered": used(delivered),
            "actions_of_one_order": what_for(delivered[0]),
        },
        "memory": steps,
    }
