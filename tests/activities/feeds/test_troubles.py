"""A feed that cannot go on though its system is there is noted for people, once, and is over once it reads again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.changes import Follow
from activities.feeds import FeedActivities
from activities.ledger.stuck import StuckBook
from commerce.failures import Family, SystemFailure
from commerce.stuck import StuckRun, subject, text
from tests.activities.feeds.desk import DEADLINE, Feed, placed
from tests.ledger.rows import run

DENIED = SystemFailure(
    Family.NEEDS_PERSON,
    "read changed orders",
    "403 INSUFFICIENT_ACCESS_OR_READONLY: insufficient access rights",
    request_id="R-1",
    do_next="give the integration user access to the object and fields, then decide 'retry'",
)


async def noted(feed: Feed) -> list[StuckRun]:
    return await StuckBook(feed.ledger.engine).open()


async def failed(feed: Feed) -> BaseException:
    with pytest.raises(Exception) as met:  # noqa: PT011 - each test looks at what it was
        await asyncio.wait_for(feed.start(), DEADLINE)
    return met.value


def none_is_noted(feed: Feed) -> Callable[[], Awaitable[bool]]:
    async def over() -> bool:
        return await noted(feed) == []

    return over


async def test_a_right_that_was_taken_away_is_noted_once_with_its_remedy_until_it_is_given_back(feed: Feed) -> None:
    feed.shop.away = DENIED
    for _ in range(3):  # the engine tries again
        assert await failed(feed) is DENIED
    [trouble] = await noted(feed)
    words = trouble.words()
    assert words.startswith("Feed shop:orders cannot go on since ")
    assert "403 INSUFFICIENT_ACCESS_OR_READONLY: insufficient access rights [request R-1]; what changes there" in words
    assert words.endswith(
        "To do: give the integration user access to the object and fields; "
        "it is tried again all the time, and goes on by itself then."
    )
    assert subject([trouble], over=False) == "feed shop:orders cannot go on"
    feed.shop.away, feed.shop.changes = None, [placed()]
    feed.start()
    await feed.until(none_is_noted(feed))
    await feed.until(lambda: feed.engine.started == ["de:1001"])
    assert "feed shop:orders: it is read again" in text(
        [trouble.model_copy(update={"outcome": "it is read again"})], over=True
    )


async def test_what_comes_back_now_is_what_people_see(feed: Feed) -> None:
    feed.shop.away = DENIED
    await failed(feed)
    feed.shop.away = SystemFailure(Family.NEEDS_PERSON, "sign in", "400 inactive_user", do_next="activate the user")
    await failed(feed)
    [trouble] = await noted(feed)
    assert "sign in: 400 inactive_user" in trouble.reason
    assert trouble.do_next.startswith("activate the user; ")


async def test_an_answer_that_nobody_can_take_in_is_noted_without_its_values(feed: Feed) -> None:
    feed.shop.away = ValueError("anna@example.com is no order")  # type: ignore[assignment]
    assert isinstance(await failed(feed), ValueError)
    [trouble] = await noted(feed)
    assert "cannot be taken in: ValueError" in trouble.reason
    assert "anna" not in trouble.words()


@pytest.mark.parametrize("family", [Family.TRANSIENT, Family.OUTCOME_UNKNOWN])
async def test_a_system_that_is_away_is_the_watchs_trouble(feed: Feed, family: Family) -> None:
    feed.shop.away = SystemFailure(family, "read changed orders", "no connection")
    feed.start()
    await feed.until(lambda: len(feed.shop.asked) >= 2)
    assert await noted(feed) == []


async def test_an_engine_that_is_away_is_no_trouble_of_the_feed(feed: Feed) -> None:
    feed.shop.changes = [placed()]
    feed.engine.breaks = RPCError("no connection", RPCStatusCode.UNAVAILABLE, b"")
    assert await failed(feed) is feed.engine.breaks
    assert await noted(feed) == []


async def test_a_notification_that_may_not_be_read_is_noted_while_the_rest_goes_on(feed: Feed) -> None:
    feed.shop.broken = {"7": DENIED}
    await feed.notify("7")
    feed.start()

    async def one() -> bool:
        return len(await noted(feed)) == 1

    await feed.until(one)
    await feed.swept()
    [trouble] = await noted(feed)
    assert "what a notification told of is not read meanwhile" in trouble.reason
    feed.shop.broken, feed.shop.now = {}, {"7": placed()}
    await run(feed.ledger, "UPDATE notifications SET due_at = now()")
    await feed.until(none_is_noted(feed))
    assert feed.engine.started == ["de:1001"]


async def test_a_trouble_that_another_worker_noted_is_over_with_the_first_reading(feed: Feed) -> None:
    feed.shop.away = DENIED
    await failed(feed)
    feed.shop.away = None
    feed.start()  # a new worker, which knows nothing of it
    await feed.until(none_is_noted(feed))


async def test_a_source_that_is_no_longer_configured_is_noted(feed: Feed) -> None:
    sources: dict[str, Any] = {feed.shop.name: feed.shop}
    feeds = FeedActivities(feed.ledger, feed.engine, sources, {feed.shop.name: 1}, feed.stores)
    with pytest.raises(ApplicationError):
        await ActivityEnvironment().run(feeds.follow, Follow(source="fax:orders"))
    [trouble] = await noted(feed)
    assert trouble.do_next == "configure its system again, or terminate feed:fax:orders"
