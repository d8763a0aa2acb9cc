"""Following what changes in the systems, and telling the run of each order. Two ways in, one run.

Notifications wake a run at once; the sweep by modification time finds what no notification told. A change is passed on
first and remembered afterwards, so that a kill between the two repeats it; runs take repeats without harm.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from temporalio import activity

from activities.changes import Change, Feeds, Follow, LatePaymentInput, Source
from activities.ledger.store import Ledger, Notification
from commerce.failures import Family, SystemFailure
from commerce.order import Order

INBOX_EVERY = 0.3  # seconds between looks into the inbox: what a portal's buyer notices at most
TURN = timedelta(hours=6)  # after that the activity ends and the feed's workflow starts it anew
LONGEST_PAUSE = 60.0  # seconds between tries while a system is away


class Runs(Protocol):
    """The engine, as the feeds need it."""

    async def start_checkout(self, order: Order) -> None:
        """Start the order's run; nothing happens when it runs or has run."""
        ...

    async def hint(self, order_key: str, what: str) -> bool:
        """Tell the order's run. False when it has ended or never was."""
        ...

    async def start_late_payment(self, late: LatePaymentInput) -> None: ...


class FeedActivities(Feeds):
    def __init__(
        self,
        ledger: Ledger,
        runs: Runs,
        sources: Mapping[str, Source],
        every: Mapping[str, float],
        stores: frozenset[str],
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._sources = sources
        self._every = every
        self._stores = stores

    @activity.defn(name="feed.follow")
    async def follow(self, task: Follow) -> int:
        """Follow one source for some hours. Its place is kept in the ledger."""
        source = self._sources[task.source]
        passed = 0
        sweep_at = 0.0
        pause = self._every[task.source]
        clock = asyncio.get_running_loop().time
        end = clock() + TURN.total_seconds()
        while clock() < end and not activity.is_worker_shutdown():
            activity.heartbeat(passed)
            try:
                passed += await self._drain_inbox(source)
                if clock() >= sweep_at:
                    passed += await self._sweep(source)
                    pause = self._every[task.source]
                    sweep_at = clock() + pause
            except SystemFailure as failure:
                if failure.family not in (Family.TRANSIENT, Family.OUTCOME_UNKNOWN):
                    raise  # the engine retries the activity and shows why it does not get on
                pause = min(max(pause, 0.5) * 2, LONGEST_PAUSE)
                if failure.retry_after is not None:
                    pause = max(pause, float(min(failure.retry_after, 3600)))
                activity.logger.warning("feed %s waits %.0f s: %s", task.source, pause, failure)
                sweep_at = clock() + pause
                await self._rest(pause, clock, passed)
                continue
            await asyncio.sleep(INBOX_EVERY)
        return passed

    async def _rest(self, seconds: float, clock: Callable[[], float], passed: int) -> None:
        until = clock() + seconds
        while (left := until - clock()) > 0 and not activity.is_worker_shutdown():
            activity.heartbeat(passed)
            await asyncio.sleep(min(left, 1))

    async def _sweep(self, source: Source) -> int:
        passed = 0
        cursor = await self._ledger.cursor(source.name)
        while True:
            page = await source.read(cursor)
            for change in page.changes:
                passed += await self._pass_on_once(source, change)
                activity.heartbeat(passed)
            if page.cursor != cursor:
                await self._ledger.keep_cursor(source.name, page.cursor)
            cursor = page.cursor
            if not page.more:
                return passed

    async def _drain_inbox(self, source: Source) -> int:
        passed = 0
        for notification in await self._ledger.waiting_notifications(source.system, source.name):
            try:
                passed += await self._hear(source, notification)
            except SystemFailure as failure:
                wait = timedelta(seconds=min(2**notification.tries, 300))
                await self._ledger.postpone_notification(notification.id, str(failure), wait)
                if failure.family in (Family.TRANSIENT, Family.OUTCOME_UNKNOWN):
                    raise
                activity.logger.warning("notification %s waits: %s", notification.id, failure)
            activity.heartbeat(passed)
        return passed

    async def _hear(self, source: Source, notification: Notification) -> int:
        change = await source.fetch(notification.reference)
        passed = 0
        if change is not None:
            passed = await self._pass_on_once(source, change)
        await self._ledger.settle_notification(notification.id)
        return passed

    async def _pass_on_once(self, source: Source, change: Change) -> int:
        if not await self._ledger.is_news(source.name, change.order_key, change.digest):
            return 0
        if not change.quiet:
            await self._pass_on(source, change)
        await self._ledger.remember_seen(source.name, change.order_key, change.digest)
        return int(not change.quiet)

    async def _pass_on(self, source: Source, change: Change) -> None:
        if change.problem:
            await self._quarantine(source, change, change.problem)
        elif change.what == "shop-order":
            await self._pass_on_shop_order(source, change)
        else:
            what = "entry" if change.what == "entry" else "billing"
            if not await self._runs.hint(change.order_key, what) and what == "entry":
                known = await self._ledger.order(change.order_key)
                if known is not None and known.stage:
                    late = LatePaymentInput(order_key=known.key, store=known.store, number=known.number)
                    await self._runs.start_late_payment(late)

    async def _pass_on_shop_order(self, source: Source, change: Change) -> None:
        known = await self._ledger.order(change.order_key)
        if change.shop_canceled:
            if known is not None and not known.stage:
                await self._runs.hint(change.order_key, "shop-canceled")
        elif change.order is not None and known is None:
            if change.order.store not in self._stores:
                await self._quarantine(source, change, f"no [stores.{change.order.store}] is configured")
                return
            await self._runs.start_checkout(change.order)

    async def _quarantine(self, source: Source, change: Change, reason: str) -> None:
        body = change.model_dump_json().encode()
        await self._ledger.keep_notification(
            source.system,
            {},
            body,
            sender_id=f"{source.name}:{change.order_key}:{change.digest}",
            source=source.name,
            reference=change.order_key,
            quarantine=reason,
        )
