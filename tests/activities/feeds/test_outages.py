"""A system that is away, slow or refuses the login is waited for, and nothing of it is lost."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.changes import Follow, Page
from activities.feeds import FeedActivities
from activities.ledger import tables as t
from commerce.failures import Family, SystemFailure
from tests.activities.feeds.desk import DEADLINE, Feed, placed
from tests.ledger.rows import rows, run


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
    monkeypatch.setattr("activities.beating.BEAT_EVERY", 0.05)
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
