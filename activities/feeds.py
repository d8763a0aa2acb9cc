"""Following what changes in the systems, and telling the run of each order. Two ways in, one run.

Notifications wake a run at once; the sweep by modification time finds what no notification told. A change is passed on
first and remembered afterwards, so that a kill between the two repeats it; runs take repeats without harm.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.beating import beating, rest
from activities.changes import (
    Change,
    Detailed,
    Feeds,
    Follow,
    Gathering,
    LatePaymentInput,
    Push,
    Reading,
    RunRefused,
    Source,
)
from activities.control import TellOperators
from activities.feed_troubles import FeedTroubles
from activities.gate import HELD, gate
from activities.ledger.inbox import Inbox
from activities.ledger.quarantine import QuarantineBook
from activities.ledger.store import Ledger, Notification
from activities.pushes import EVERYTHING, Listener
from activities.steps import ending
from commerce.documents import Stage
from commerce.failures import Family, SystemFailure
from commerce.order import Order

INBOX_EVERY = 0.3  # seconds between looks into the inbox: what a portal's buyer notices at most
TOGETHER = 5.0  # seconds, and not more than the feed's pace: hints of a gathering source are read no oftener
MOST_READ, MOST_GATHERED = 50, 200  # notifications that are taken from the inbox at once
TURN = timedelta(hours=6)  # after that the activity ends and the feed's workflow starts it anew
SPARING, SPARING_AT_LEAST = 10, 60.0  # times as long, and seconds, between sweeps while calls are short
HELD_PAUSE = 1.0  # seconds between looks while the source's system is held back
LONGEST_PAUSE = 60.0  # seconds between tries while a system is away
GONE = "the system does not show it any more, or it is not one that is taken in; drop it if that is right"
RELEASE = ('starter.py release ID --reason "…"', 'starter.py release ID --drop --reason "settled by hand"')
_PASSING = (Family.TRANSIENT, Family.OUTCOME_UNKNOWN)


class Operators(Protocol):
    async def tell(self, message: TellOperators) -> None:
        """Reach the operators. Raises SystemFailure."""
        ...


class Runs(Protocol):
    """The engine, as the feeds need it."""

    async def start_checkout(self, order: Order) -> None:
        """Start the order's run; nothing happens when it runs or has run."""
        ...

    async def hint(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        """Tell the order's run. False when it has ended or never was."""
        ...

    async def start_late_payment(self, late: LatePaymentInput) -> None: ...

    async def hint_goods(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        """Tell the run of the order's goods. False when it has ended or never was."""
        ...

    async def start_fulfillment(self, order_key: str) -> None: ...

    async def wake_goods(self, order_key: str, what: str, reading: Reading | None = None) -> None:
        """Tell the run of the order's goods, which begins again where it has ended."""
        ...


class FeedActivities(Feeds):
    def __init__(
        self,
        ledger: Ledger,
        runs: Runs,
        sources: Mapping[str, Source],
        every: Mapping[str, float],
        stores: frozenset[str],
        operators: Operators | None = None,
        endpoints: Mapping[str, str] = MappingProxyType({}),
        pushes: Mapping[str, Push] = MappingProxyType({}),
    ) -> None:
        self._ledger = ledger
        self._quarantined = QuarantineBook(ledger.engine)
        self._inbox = Inbox(ledger.engine)
        self._troubles = FeedTroubles(ledger)
        self._runs = runs
        self._sources = sources
        self._every = every
        self._stores = stores
        self._operators = operators
        self._endpoints = endpoints
        self._pushes = pushes

    @activity.defn(name="feed.follow")
    async def follow(self, task: Follow) -> int:
        """Follow one source for some hours; its place is kept in the ledger. Returns how many changes went on."""
        source, push = self._sources.get(task.source), self._pushes.get(task.source)
        if push is not None:
            async with beating():
                return await Listener(self._ledger, self._inbox).listen(push, TURN)
        if source is None:
            known = ", ".join(sorted([*self._sources, *self._pushes])) or "none"
            reason, remedy = f"no source {task.source} is configured (there are: {known})", "configure its system again"
            await self._troubles.not_configured(task.source, reason, f"{remedy}, or terminate feed:{task.source}")
            raise ApplicationError(f"{reason}; {remedy}, or terminate this workflow", type="NotConfigured")
        async with beating(), self._troubles.noted(source):
            return await self._follow(source)

    async def _follow(self, source: Source) -> int:
        passed = 0
        sweep_at = hints_at = 0.0
        pause = self._apart(source)
        clock = asyncio.get_running_loop().time
        end = clock() + TURN.total_seconds()
        while clock() < end and not ending():
            try:
                sweeps, gathers = clock() >= sweep_at, isinstance(source, Gathering)
                # A sweep that is due answers what has gathered by then, and saves the calls.
                heard = clock() >= hints_at and not (sweeps and gathers)
                if heard and await self._inbox.waits(source.system, source.name):
                    passed += await self._drain_inbox(source)
                    hints_at = clock() + (self._apart(source) if gathers else 0)
                if sweeps:
                    told, read = await self._sweep(source)
                    passed += told
                    await self._troubles.swept(source)
                    if gathers and await self._inbox.waits(source.system, source.name):
                        passed += await self._drain_inbox(source)  # what the sweep did not meet
                    if await self._inbox.is_untold(source.system):
                        await self._tell_of_quarantine(source)
                    pause = self._apart(source)
                    sweep_at = clock() + self._pace(source)
                    hints_at = clock() + pause if gathers and read else hints_at
            except SystemFailure as failure:
                if failure.code == HELD:  # nothing was asked; the watch says when it goes on
                    sweep_at = 0.0
                    await rest(HELD_PAUSE)
                    continue
                if failure.family not in _PASSING:
                    raise  # noted for people; the engine retries the activity
                pause = min(max(pause, 0.5) * 2, LONGEST_PAUSE)
                if failure.retry_after is not None:
                    pause = max(pause, float(min(failure.retry_after, 3600)))
                activity.logger.warning("feed %s waits %.0f s: %s", source.name, pause, failure)
                sweep_at = clock() + pause
                await rest(pause)
            else:
                await rest(INBOX_EVERY)
        return passed

    def _apart(self, source: Source) -> float:
        """Seconds in which hints gather after a reading: a busy feed asks no oftener with them than without. Also what
        the first wait for a system that is away is made of.
        """
        sparing = gate.is_sparing(self._endpoints.get(source.name, source.system))
        return min(self._pace(source), TOGETHER * SPARING if sparing else TOGETHER)

    def _pace(self, source: Source) -> float:
        """Seconds between two sweeps: more while the calls of its system are short."""
        every = self._every[source.name]
        sparing = gate.is_sparing(self._endpoints.get(source.name, source.system))
        return max(every * SPARING, SPARING_AT_LEAST) if sparing else every

    async def _sweep(self, source: Source) -> tuple[int, bool]:
        """How many changes went on, and whether records were read for it."""
        passed, read = 0, False
        waits = isinstance(source, Gathering) and await self._inbox.waits(source.system, source.name)
        hints = await self._inbox.waiting_ids(source.system, source.name) if waits else []
        cursor = await self._ledger.cursor(source.name)
        while True:
            page = await source.read(cursor)
            for change in await self._detailed(source, page.changes):
                passed += await self._pass_on_once(source, change)
            if hints:
                await self._inbox.settle_answered(hints, {change.order_key for change in page.changes})
                self._inbox.changed()
            if page.cursor != cursor:
                await self._ledger.keep_cursor(source.name, page.cursor)
            cursor = page.cursor
            read = read or bool(page.changes)
            if not page.more:
                return passed, read

    async def _drain_inbox(self, source: Source) -> int:
        passed = 0
        read: set[str] = set()
        most = MOST_GATHERED if isinstance(source, Gathering) else MOST_READ
        waiting = await self._ledger.waiting_notifications(source.system, source.name, limit=most)
        everything = [notification for notification in waiting if notification.reference == EVERYTHING]
        if everything:
            passed += (await self._sweep(source))[0]
            for notification in everything:
                await self._ledger.settle_notification(notification.id)
            waiting = [notification for notification in waiting if notification not in everything]
        try:
            gathered = await self._gathered(source, waiting)
        except SystemFailure as failure:
            for notification in waiting:
                await self._postpone(source, notification, failure)
            return passed
        for notification in waiting:
            # It came before the record was read: a vendor tells several times. A person wants to hear of each release.
            if notification.reference in read and not notification.releases:
                await self._ledger.settle_notification(notification.id)
                continue
            try:
                heard = await self._hear(source, notification, gathered)
                if heard is not None:
                    read.add(notification.reference)
                    passed += heard
            except SystemFailure as failure:
                await self._postpone(source, notification, failure)
        return passed

    async def _postpone(self, source: Source, notification: Notification, failure: SystemFailure) -> None:
        """Raises the failure where the feed itself has to wait."""
        if failure.code == HELD:
            raise failure
        wait = timedelta(seconds=min(2 ** min(notification.tries, 10), 300))
        await self._ledger.postpone_notification(notification.id, str(failure), wait)
        if failure.family in _PASSING:
            raise failure
        activity.logger.warning("notification %s waits: %s", notification.id, failure)
        await self._troubles.notification_refused(source, failure)

    async def _gathered(self, source: Source, waiting: Sequence[Notification]) -> Mapping[str, Change | None]:
        """What is behind the references, as far as it can be read at once. The others are read one by one."""
        references = list(dict.fromkeys(notification.reference for notification in waiting))
        if not isinstance(source, Gathering) or len(references) < 2:
            return {}
        try:
            return await source.fetch_all(references)
        except SystemFailure as failure:
            if failure.family in (*_PASSING, Family.NEEDS_PERSON):
                raise
            activity.logger.warning("feed %s reads its notifications one by one: %s", source.name, failure)
        except Exception:  # noqa: BLE001 - it is met again, and named, where each is read alone
            activity.logger.exception("feed %s reads its notifications one by one", source.name)
        return {}

    async def _hear(
        self, source: Source, notification: Notification, gathered: Mapping[str, Change | None]
    ) -> int | None:
        """How many changes went on; None when the record could not be read."""
        reference = notification.reference
        try:
            change = gathered[reference] if reference in gathered else await source.fetch(reference)
        except SystemFailure as failure:
            if failure.family in (*_PASSING, Family.NEEDS_PERSON):
                raise
            unreadable = str(failure)
        except Exception as err:  # noqa: BLE001 - one odd record must not hold up all that came after it
            activity.logger.exception("notification %s cannot be read", notification.id)
            unreadable = f"cannot be read: {type(err).__name__}"
        else:
            told = await self._detailed(source, [change]) if change is not None else []
            passed = sum([await self._pass_on_once(source, one) for one in told])
            gone = change is None and notification.releases  # a person waits for what becomes of it
            await self._ledger.settle_notification(notification.id, quarantine=GONE if gone else "")
            self._inbox.changed()
            return passed
        # The sweep still finds what changed; the notification itself is for a person to look at.
        await self._ledger.settle_notification(notification.id, quarantine=unreadable)
        self._inbox.changed()
        return None

    async def _detailed(self, source: Source, changes: Sequence[Change]) -> Sequence[Change]:
        """What runs will hear of, with what the source can tell of it: one read for all instead of one by each run."""
        if not isinstance(source, Detailed):
            return changes
        news = [change for change in changes if not (change.quiet or change.problem)]
        news = [one for one in news if await self._ledger.is_news(source.name, one.order_key, one.digest)]
        if not news:
            return changes
        try:
            told = await source.detailed(news)
        except SystemFailure as failure:
            if failure.family in _PASSING:
                raise
            activity.logger.warning("feed %s tells runs without details: %s", source.name, failure)
            return changes
        by_state = {(change.order_key, change.digest): change for change in told}
        return [by_state.get((change.order_key, change.digest), change) for change in changes]

    async def _pass_on_once(self, source: Source, change: Change) -> int:
        if not await self._ledger.is_news(source.name, change.order_key, change.digest):
            return 0
        problem = change.problem or self._unknown_store(change)
        if problem:
            # Not remembered: it is taken in as soon as it comes by again and can be read.
            await self._quarantine(source, change, problem)
            return 0
        if not change.quiet:
            try:
                await self._pass_on(source, change)
            except RunRefused as err:
                await self._quarantine(source, change, f"the engine refuses it: {err}")
                return 0
        await self._ledger.remember_seen(source.name, change.order_key, change.digest)
        return int(not change.quiet)

    def _unknown_store(self, change: Change) -> str:
        if change.order is None or change.order.store in self._stores:
            return ""
        known = ", ".join(sorted(self._stores)) or "none"
        return (
            f"no [stores.{change.order.store}] is configured; there are: {known}. "
            "Configure it, restart the worker, then release the order: it is read again"
        )

    async def _pass_on(self, source: Source, change: Change) -> None:
        if change.what == "shop-order":
            await self._pass_on_shop_order(source, change)
        elif change.what in ("fulfillment", "parcel"):
            await self._pass_on_goods(change)
        elif not await self._runs.hint(change.order_key, change.what, change.reading) and change.what == "entry":
            known = await self._ledger.order(change.order_key)
            # Also where the run ended without a result, as when it was terminated: money is never left unseen.
            if known is not None:
                late = LatePaymentInput(order_key=known.key, store=known.store, number=known.number)
                await self._runs.start_late_payment(late)

    async def _pass_on_goods(self, change: Change) -> None:
        """A late change on an order whose run has ended starts it again. Before the hand-over nobody needs to hear."""
        if await self._runs.hint_goods(change.order_key, change.what, change.reading):
            return
        known = await self._ledger.order(change.order_key)
        if known is not None and known.stage == Stage.COMPLETED.value:
            await self._runs.start_fulfillment(change.order_key)

    async def _pass_on_shop_order(self, source: Source, change: Change) -> None:
        if change.shop_canceled:
            # Also where the ledger has no order yet: its run may have started a moment ago.
            if await self._runs.hint(change.order_key, "shop-canceled", change.reading):
                return
            if not await self._runs.hint_goods(change.order_key, "shop-canceled", change.reading):
                await self._cancelled_after_checkout(source, change)
            return
        known = await self._ledger.order(change.order_key)
        if change.order is not None and known is None:
            await self._runs.start_checkout(change.order)
        if change.shop_lines_canceled and (change.order is not None or known is not None):
            await self._lines_canceled_in_shop(change.order_key)

    async def _lines_canceled_in_shop(self, order_key: str) -> None:
        """The run of the goods looks at the shop. One that begins later finds the mark, which is left before asking."""
        await self._ledger.mark_shop_lines(order_key)
        if await self._runs.hint_goods(order_key, "shop-lines"):
            return
        known = await self._ledger.order(order_key)
        if known is not None and known.stage == Stage.COMPLETED.value:
            await self._runs.start_fulfillment(order_key)
            await self._runs.hint_goods(order_key, "shop-lines")  # where another one has begun it meanwhile

    async def _cancelled_after_checkout(self, source: Source, change: Change) -> None:
        """The goods of a completed order are followed again, and what is open of them is cancelled. Where no run is
        left to undo the order and its documents stand, a person must hear of it.
        """
        known = await self._ledger.order(change.order_key)
        if known is not None and known.stage == Stage.COMPLETED.value:
            await self._runs.wake_goods(change.order_key, "shop-canceled", change.reading)
        elif known is not None and not known.stage:
            by = f" and replaced by order {change.reading.replaced_by}" if change.reading is not None else ""
            reason = (
                f"cancelled in the shop{by}, but its checkout has ended without a result: undo its documents by hand"
            )
            await self._quarantine(source, change, reason)

    async def _quarantine(self, source: Source, change: Change, reason: str) -> None:
        body = change.model_dump_json().encode()
        await self._quarantined.put(source.system, source.name, change.order_key, body, reason)
        self._inbox.changed()

    async def _tell_of_quarantine(self, source: Source) -> None:
        """One message for all that is new in the system's quarantine; tried again until somebody was told."""
        if self._operators is None or not (found := await self._quarantined.untold(source.system)):
            return
        lines = [f"{one.id}  {one.reference or 'unreadable'}: {one.reason}" for one in found]
        first = found[0].reference or "an unreadable one"
        message = TellOperators(
            key=f"quarantine:{source.system}:{hashlib.sha256(repr(lines).encode()).hexdigest()[:16]}",
            subject=f"{len(found)} of {source.system} in quarantine, from {first}",
            text="\n".join([*lines, "", "No run was started or told of these. When the cause is mended:", *RELEASE]),
            order_key=found[0].reference,
        )
        try:
            await self._operators.tell(message)
        except SystemFailure as failure:
            activity.logger.warning("operators were not told of the quarantine yet: %s", failure)
        else:
            await self._quarantined.told(found)
