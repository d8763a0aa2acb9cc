"""Every change reaches the run of its order, in spite of kills, outages and odd records; once, when all goes well."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.changes import Change, Follow, LatePaymentInput, Page, Reading, RunRefused
from activities.control import TellOperators
from activities.feeds import GONE, FeedActivities
from activities.ledger import tables as t
from activities.ledger.quarantine import QuarantineBook, Release
from activities.ledger.store import Ledger, Notification
from commerce.documents import CheckoutResult, OrderView, Stage
from commerce.failures import Family, SystemFailure
from commerce.order import Order
from tests.commerce.sample import order
from tests.ledger.conftest import ledger, migrated, postgres_server
from tests.ledger.rows import count, rows, run

__all__ = ["ledger", "migrated", "postgres_server"]

ORDER = order(shop_id="7")
DEADLINE = 10.0


@dataclass
class Shop:
    """A system with a list of changes in the order they happened; a cursor is a place in the list."""

    name: str = "shop:orders"
    system: str = "shop"
    changes: list[Change] = field(default_factory=list)
    now: dict[str, Change] = field(default_factory=dict)
    away: SystemFailure | None = None
    broken: dict[str, Exception] = field(default_factory=dict)
    sweeps: int = 0
    asked: list[float] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    async def read(self, cursor: str | None) -> Page:
        self.asked.append(asyncio.get_running_loop().time())
        if self.away is not None:
            raise self.away
        self.sweeps += 1
        start = int(cursor or 0)
        found = self.changes[max(start - 1, 0) : start + 2]  # two at a time, with overlap
        reached = min(start + 2, len(self.changes))
        return Page(changes=tuple(found), cursor=str(reached), more=reached < len(self.changes))

    async def fetch(self, reference: str) -> Change | None:
        self.fetched.append(reference)
        if self.away is not None:
            raise self.away
        if reference in self.broken:
            raise self.broken[reference]
        return self.now.get(reference)


@dataclass
class Engine:
    """Runs by order key, and what they were told."""

    started: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    late: list[LatePaymentInput] = field(default_factory=list)
    goods: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    breaks: Exception | None = None
    refuses: set[str] = field(default_factory=set)

    async def start_checkout(self, order: Order) -> None:
        self._may_break()
        if order.key in self.refuses:
            raise RunRefused("blob size exceeds limit")
        self.started.append(order.key)

    async def hint(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        self._may_break()
        if order_key in self.ended:
            return False
        self.told.append((order_key, what))
        return True

    async def hint_goods(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        return order_key not in self.ended and await self.hint(f"goods of {order_key}", what, reading)

    async def start_late_payment(self, late: LatePaymentInput) -> None:
        self.late.append(late)

    async def start_fulfillment(self, order_key: str) -> None:
        self.goods.append(order_key)

    def _may_break(self) -> None:
        if self.breaks is not None:
            raise self.breaks


class Team:
    """The operators, who can be out of reach."""

    def __init__(self) -> None:
        self.heard: list[TellOperators] = []
        self.away: SystemFailure | None = None

    async def tell(self, message: TellOperators) -> None:
        if self.away is not None:
            raise self.away
        self.heard.append(message)


class Feed:
    """The feed of one shop, followed until its worker stops."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.shop = Shop()
        self.engine = Engine()
        self.stores = frozenset({"de"})
        self.team = Team()
        self.book = QuarantineBook(ledger.engine)
        self._running: tuple[ActivityEnvironment, asyncio.Task[int]] | None = None

    def start(self) -> "asyncio.Task[int]":
        feeds = FeedActivities(
            self.ledger, self.engine, {self.shop.name: self.shop}, {self.shop.name: 0.05}, self.stores, self.team
        )
        environment = ActivityEnvironment()
        task: asyncio.Task[int] = asyncio.ensure_future(environment.run(feeds.follow, Follow(source=self.shop.name)))
        self._running = environment, task
        return task

    async def stop(self) -> int:
        assert self._running is not None
        environment, task = self._running
        self._running = None
        environment.worker_shutdown()
        return await asyncio.wait_for(task, DEADLINE)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition holds; the feed must not end meanwhile."""
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            assert asyncio.get_running_loop().time() < deadline, "it never came to that"
            if self._running is not None and self._running[1].done():
                self._running[1].result()
            await asyncio.sleep(0.01)

    async def swept(self) -> None:
        """Two whole sweeps from now: what was there before the first has been seen."""
        until = self.shop.sweeps + 2
        await self.until(lambda: self.shop.sweeps >= until)

    async def kill(self) -> None:
        assert self._running is not None
        _, task = self._running
        self._running = None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def notify(self, reference: str, number: str = "1") -> None:
        await self.ledger.keep_notification(
            "shop", {}, b"{}", sender_id=f"M-{number}", source=self.shop.name, reference=reference
        )

    async def settled(self) -> bool:
        return all(row["state"] != "waiting" for row in await rows(self.ledger, t.notifications))


@pytest.fixture
async def feed(ledger: Ledger) -> AsyncIterator[Feed]:
    made = Feed(ledger)
    yield made
    if made._running is not None:
        await made.kill()


def placed(number: str = "1001", store: str = "de", **more: Any) -> Change:
    made = order(number=number, store=store)
    return Change(order_key=made.key, what="shop-order", digest=made.digest(), order=made, **more)


def entry(digest: str, **more: Any) -> Change:
    return Change(order_key=ORDER.key, what="entry", digest=digest, **more)


async def close(ledger: Ledger, stage: Stage = Stage.EXPIRED) -> None:
    view = OrderView(order_key=ORDER.key, store="de", number="1001", stage=stage, amount=ORDER.total)
    await ledger.close_order(view, CheckoutResult(order_key=ORDER.key, outcome=stage), hand_over=False)


async def test_a_change_is_passed_on_once_however_often_it_is_read(feed: Feed) -> None:
    feed.shop.changes = [placed(str(number)) for number in range(5)]
    feed.start()
    await feed.swept()
    assert await feed.stop() == 5
    assert feed.engine.started == [f"de:{number}" for number in range(5)]


async def test_sweep_and_notification_together_start_an_order_once(feed: Feed) -> None:
    feed.shop.changes = [placed()]
    feed.shop.now = {"7": placed()}
    for number in ("1", "2", "3"):
        await feed.notify("7", number)
    feed.start()
    await feed.until(feed.settled)
    await feed.swept()
    assert await feed.stop() == 1
    assert feed.engine.started == ["de:1001"]


async def test_a_notification_is_heard_before_the_next_sweep(feed: Feed) -> None:
    feed.start()
    await feed.swept()
    feed.shop.now = {"7": placed()}
    await feed.notify("7")
    await feed.until(lambda: feed.engine.started == ["de:1001"])


async def test_what_is_told_several_times_is_read_once_and_again_when_it_is_told_later(feed: Feed) -> None:
    feed.shop.now = {"7": entry("paid")}
    for number in ("1", "2", "3"):
        await feed.notify("7", number)
    feed.start()
    await feed.until(feed.settled)
    assert feed.shop.fetched == ["7"]
    feed.shop.now = {"7": entry("charged back")}
    await feed.notify("7", "4")
    await feed.until(lambda: len(feed.engine.told) == 2)
    assert feed.shop.fetched == ["7", "7"]


async def test_news_of_goods_goes_to_the_run_of_the_goods(feed: Feed) -> None:
    change = Change(order_key=ORDER.key, what="fulfillment", digest="shipped")
    feed.shop.changes = [change, change]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.told == [(f"goods of {ORDER.key}", "fulfillment")]


async def test_the_feed_goes_on_where_it_was_left(feed: Feed) -> None:
    feed.shop.changes = [placed(str(number)) for number in range(4)]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert await feed.ledger.cursor("shop:orders") == "4"
    feed.shop.changes.append(placed("new"))
    feed.start()
    await feed.until(lambda: "de:new" in feed.engine.started)
    await feed.swept()
    assert await feed.stop() == 1


async def test_a_kill_between_passing_on_and_remembering_repeats_it(feed: Feed) -> None:
    passed = asyncio.Event()
    remember = feed.ledger.remember_seen

    async def killed_here(source: str, reference: str, digest: str) -> None:
        passed.set()
        await asyncio.Event().wait()

    feed.shop.changes = [entry("paid")]
    feed.ledger.remember_seen = killed_here  # type: ignore[method-assign]
    feed.start()
    await asyncio.wait_for(passed.wait(), DEADLINE)
    await feed.kill()
    feed.ledger.remember_seen = remember  # type: ignore[method-assign]
    assert feed.engine.told == [(ORDER.key, "entry")]
    assert await feed.ledger.cursor("shop:orders") is None
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.told == [(ORDER.key, "entry")] * 2


async def test_the_engine_being_away_loses_nothing(feed: Feed) -> None:
    feed.shop.changes, feed.shop.now = [placed()], {"7": placed()}
    await feed.notify("7")
    feed.engine.breaks = ConnectionError("Temporal is away")
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(feed.start(), DEADLINE)
    assert await feed.ledger.cursor("shop:orders") is None
    assert not await feed.settled()
    feed.engine.breaks = None
    feed.start()
    await feed.until(feed.settled)
    await feed.swept()
    assert await feed.stop() == 1
    assert feed.engine.started == ["de:1001"]


async def test_a_state_that_comes_back_is_told_again(feed: Feed) -> None:
    feed.shop.changes = [entry("paid"), entry("charged back"), entry("paid")]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert len(feed.engine.told) >= 3


async def test_a_quiet_state_is_remembered_and_nobody_is_told(feed: Feed) -> None:
    feed.shop.changes = [entry("open", quiet=True)]
    feed.start()
    await feed.swept()
    assert await feed.stop() == 0
    assert feed.engine.told == []
    assert not await feed.ledger.is_news("shop:orders", ORDER.key, "open")


# ---- what cannot be read ---------------------------------------------------------------------------------------------


async def test_an_order_that_cannot_be_read_is_quarantined_with_its_reason_and_the_next_goes_on(feed: Feed) -> None:
    odd = Change(order_key="de:odd", what="shop-order", digest="x", problem="grand_total is no amount")
    feed.shop.changes = [odd, placed()]
    feed.start()
    await feed.swept()
    await feed.stop()
    [kept] = await feed.ledger.quarantined()
    assert (kept.reason, kept.reference, kept.source) == ("grand_total is no amount", "de:odd", "shop:orders")
    assert Change.model_validate_json(kept.body) == odd
    assert feed.engine.started == ["de:1001"]


async def test_an_order_of_an_unknown_store_is_quarantined_until_the_store_is_configured(feed: Feed) -> None:
    feed.shop.changes = [placed(store="fr")]
    feed.start()
    await feed.swept()
    await feed.stop()
    [kept] = await feed.ledger.quarantined()
    assert kept.reason == (
        "no [stores.fr] is configured; there are: de. "
        "Configure it, restart the worker, then release the order: it is read again"
    )
    assert feed.engine.started == []
    feed.stores = frozenset({"de", "fr"})
    feed.start()
    await feed.until(lambda: feed.engine.started == ["fr:1001"])


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (KeyError("Zoë"), "cannot be read: KeyError"),
        (SystemFailure(Family.REJECTED, "read order 6", "no such field"), "read order 6: no such field"),
        (SystemFailure(Family.BUG, "read order 6", "odd"), "read order 6: odd"),
    ],
)
async def test_one_odd_record_does_not_hold_up_what_came_after_it(feed: Feed, broken: Exception, reason: str) -> None:
    feed.shop.broken, feed.shop.now = {"6": broken}, {"7": placed()}
    await feed.notify("6", "1")
    await feed.notify("7", "2")
    feed.start()
    await feed.until(lambda: feed.engine.started == ["de:1001"])
    assert [kept.reason for kept in await feed.ledger.quarantined()] == [reason]


async def test_a_notification_about_something_that_is_gone_is_done_with(feed: Feed) -> None:
    await feed.notify("404")
    feed.start()
    await feed.until(feed.settled)
    assert await feed.ledger.quarantined() == []


async def test_an_order_that_the_engine_refuses_is_told_quarantined_and_does_not_stop_the_others(feed: Feed) -> None:
    feed.engine.refuses = {"de:big"}
    feed.shop.changes = [placed("big"), placed()]
    feed.start()
    await feed.until(lambda: feed.engine.started == ["de:1001"] and feed.team.heard)
    await feed.swept()
    await feed.stop()
    [kept] = await feed.ledger.quarantined()
    assert (kept.reference, kept.reason) == ("de:big", "the engine refuses it: blob size exceeds limit")
    [told] = feed.team.heard
    assert told.subject == "1 of shop in quarantine, from de:big"
    assert f"{kept.id}  de:big: the engine refuses it" in told.text
    assert await feed.ledger.cursor("shop:orders") == "2"


async def test_operators_out_of_reach_are_told_of_the_quarantine_later_and_once(feed: Feed) -> None:
    feed.team.away = SystemFailure(Family.TRANSIENT, "send mail", "no")
    feed.shop.changes = [placed("7", store="fr"), placed("8", store="fr")]
    await feed.ledger.keep_notification("shop", {}, b"?", sender_id="odd", quarantine="not JSON")
    feed.start()
    await feed.swept()
    assert feed.team.heard == []
    feed.team.away = None
    await feed.until(lambda: feed.team.heard)
    await feed.swept()
    await feed.stop()
    [told] = feed.team.heard
    assert told.subject == "3 of shop in quarantine, from an unreadable one"
    assert all(part in told.text for part in ("unreadable: not JSON", "fr:7: no [stores.fr]", "fr:8: no [stores.fr]"))


# ---- release ---------------------------------------------------------------------------------------------------------


async def quarantined(feed: Feed) -> Notification:
    """The order fr:1001, whose store nobody configured."""
    feed.shop.changes = [placed(store="fr")]
    feed.start()
    await feed.swept()
    await feed.stop()
    feed.shop.changes = []  # no sweep sees it any more
    [kept] = await feed.ledger.quarantined()
    return kept


async def release(feed: Feed, kept: Notification, *, drop: bool = False) -> bool:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return await feed.book.release(kept.id, Release(by="olga", reason="mended", drop=drop, at=at))


async def test_what_is_released_is_read_again_and_joins_its_run(feed: Feed) -> None:
    kept = await quarantined(feed)
    feed.shop.now = {"fr:1001": placed(store="fr")}
    feed.stores = frozenset({"de", "fr"})
    assert await release(feed, kept)
    feed.start()
    await feed.until(lambda: feed.engine.started == ["fr:1001"])
    await feed.until(feed.settled)
    assert await feed.ledger.quarantined() == []
    found = await feed.book.find(kept.id)
    assert found is not None
    assert [(one["by"], one["reason"]) for one in found.releases] == [("olga", "mended")]
    assert not await release(feed, kept), "a second release finds nothing to do"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (None, GONE),
        (Change(order_key="fr:1001", what="shop-order", digest="y", problem="no total"), "no total"),
    ],
)
async def test_what_is_released_too_early_stays_under_its_id_with_the_new_reason_and_is_told_again(
    feed: Feed, now: Change | None, reason: str
) -> None:
    kept = await quarantined(feed)
    feed.shop.now = {"fr:1001": now} if now else {}
    assert await release(feed, kept)
    feed.start()
    await feed.until(lambda: len(feed.team.heard) == 2)
    await feed.stop()
    [still] = await feed.ledger.quarantined()
    assert (still.id, still.reason) == (kept.id, reason)
    assert feed.engine.started == []


async def test_what_is_released_waits_while_its_system_is_away(feed: Feed) -> None:
    kept = await quarantined(feed)
    feed.stores = frozenset({"fr"})
    feed.shop.away = SystemFailure(Family.TRANSIENT, "read order", "no connection")
    await release(feed, kept)
    feed.start()

    async def postponed() -> bool:
        found = await feed.book.find(kept.id)
        return found is not None and found.tries > 0

    await feed.until(postponed)
    feed.shop.away, feed.shop.now = None, {"fr:1001": placed(store="fr")}
    await run(feed.ledger, "UPDATE notifications SET due_at = now()")
    await feed.until(lambda: feed.engine.started == ["fr:1001"])


async def test_what_was_dropped_stays_dropped_until_it_changes(feed: Feed) -> None:
    kept = await quarantined(feed)
    assert await release(feed, kept, drop=True)
    feed.shop.changes = [placed(store="fr")]
    feed.start()
    await feed.swept()
    assert await feed.ledger.quarantined() == []
    feed.shop.changes = [placed(store="fr").model_copy(update={"digest": "edited"})]
    await feed.until(feed.ledger.quarantined)
    await feed.stop()
    assert [row.id for row in await feed.ledger.quarantined()] == [kept.id]


# ---- outages ---------------------------------------------------------------------------------------------------------


async def test_a_system_that_is_away_is_asked_less_often_and_then_followed_again(feed: Feed) -> None:
    feed.shop.away = SystemFailure(Family.TRANSIENT, "read orders", "no connection")
    feed.start()
    await feed.until(lambda: len(feed.shop.asked) >= 3)
    first, second, third = feed.shop.asked[:3]
    assert 0.9 < second - first < third - second
    feed.shop.away = None
    feed.shop.changes = [placed()]
    await feed.until(lambda: feed.engine.started == ["de:1001"])
    assert await feed.stop() == 1


async def test_the_systems_own_wait_hint_is_obeyed(feed: Feed) -> None:
    feed.shop.away = SystemFailure(Family.TRANSIENT, "read orders", "too many calls", retry_after=3600)
    feed.start()
    await feed.until(lambda: len(feed.shop.asked) == 1)
    feed.shop.away = None
    await asyncio.sleep(1.5)  # longer than its own pause of one second
    assert len(feed.shop.asked) == 1
    assert await feed.stop() == 0


async def test_a_notification_is_postponed_while_the_system_is_away_and_heard_afterwards(feed: Feed) -> None:
    feed.shop.away = SystemFailure(Family.TRANSIENT, "read order 7", "no connection")
    await feed.notify("7")
    feed.start()

    async def postponed() -> bool:
        return bool((await rows(feed.ledger, t.notifications))[0]["tries"])

    await feed.until(postponed)
    [row] = await rows(feed.ledger, t.notifications)
    assert (row["state"], row["reason"]) == ("waiting", "read order 7: no connection")
    feed.shop.away, feed.shop.now = None, {"7": placed()}
    await feed.until(lambda: feed.engine.started == ["de:1001"])


async def test_a_refused_login_waits_and_is_not_thrown_away(feed: Feed) -> None:
    feed.shop.broken = {"7": SystemFailure(Family.NEEDS_PERSON, "sign in", "invalid_grant")}
    await feed.notify("7")
    feed.start()
    await feed.swept()
    [row] = await rows(feed.ledger, t.notifications)
    assert (row["state"], row["tries"] >= 1) == ("waiting", True)
    feed.shop.broken, feed.shop.now = {}, {"7": placed()}
    await run(feed.ledger, "UPDATE notifications SET due_at = now()")
    await feed.until(lambda: feed.engine.started == ["de:1001"])


async def test_a_sweep_that_needs_a_person_shows_in_the_engine(feed: Feed) -> None:
    feed.shop.away = SystemFailure(Family.NEEDS_PERSON, "sign in", "invalid_grant")
    with pytest.raises(SystemFailure, match="sign in: invalid_grant"):
        await asyncio.wait_for(feed.start(), DEADLINE)


async def test_a_source_that_is_no_longer_configured_says_what_to_do(feed: Feed) -> None:
    feeds = FeedActivities(feed.ledger, feed.engine, {feed.shop.name: feed.shop}, {feed.shop.name: 1}, feed.stores)
    with pytest.raises(ApplicationError, match="no source fax:orders is configured \\(there are: shop:orders\\)"):
        await ActivityEnvironment().run(feeds.follow, Follow(source="fax:orders"))


async def test_a_slow_system_is_waited_for_with_heartbeats(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.feeds.BEAT_EVERY", 0.05)
    hangs, beats = asyncio.Event(), 0

    async def slow(cursor: str | None) -> Page:
        await hangs.wait()
        return Page(changes=(), cursor="0")

    def beat(*details: Any) -> None:
        nonlocal beats
        beats += 1

    feed.shop.read = slow  # type: ignore[method-assign]
    feed.start()
    assert feed._running is not None
    feed._running[0].on_heartbeat = beat
    await feed.until(lambda: beats > 3)
    hangs.set()
    assert await feed.stop() == 0


# ---- whom it concerns ------------------------------------------------------------------------------------------------


async def test_an_order_that_is_known_is_not_started_again_by_an_edit(feed: Feed) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    feed.shop.changes = [placed().model_copy(update={"digest": "edited"})]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.started == []


@pytest.mark.parametrize("kept", [True, False])
async def test_a_cancellation_in_the_shop_reaches_the_run_even_before_the_ledger_knows_it(
    feed: Feed, kept: bool
) -> None:
    if kept:
        await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    feed.shop.changes = [Change(order_key=ORDER.key, what="shop-order", digest="c", shop_canceled=True)]
    feed.start()
    await feed.until(lambda: feed.engine.told == [(ORDER.key, "shop-canceled")])


@pytest.mark.parametrize(("stage", "said"), [(Stage.COMPLETED, 1), (Stage.CANCELLED, 0), (None, 1)])
async def test_a_cancellation_in_the_shop_after_the_run_has_ended_is_kept_for_a_person_where_documents_stand(
    feed: Feed, stage: Stage | None, said: int
) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    if stage is not None:
        await close(feed.ledger, stage)
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [Change(order_key=ORDER.key, what="shop-order", digest="c", shop_canceled=True)]
    feed.start()
    await feed.swept()
    await feed.stop()
    kept = await feed.ledger.quarantined()
    assert [row.reference for row in kept] == [ORDER.key] * said
    assert all("undo its documents by hand" in row.reason for row in kept)


@pytest.mark.parametrize("closed", [True, False])
async def test_money_that_moves_after_the_run_has_ended_starts_the_late_payment(feed: Feed, closed: bool) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    if closed:
        await close(feed.ledger)
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [entry("paid")]
    feed.start()
    await feed.until(lambda: feed.engine.late)
    await feed.swept()
    assert await feed.stop() == 1
    assert feed.engine.late == [LatePaymentInput(order_key=ORDER.key, store="de", number="1001")]


async def test_an_entry_that_is_not_ours_concerns_nobody(feed: Feed) -> None:
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [entry("paid")]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.late == []


async def test_a_change_of_billing_after_the_end_starts_nothing(feed: Feed) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    await close(feed.ledger)
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [Change(order_key=ORDER.key, what="billing", digest="b")]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.late == []
    assert await count(feed.ledger, t.seen) == 1
