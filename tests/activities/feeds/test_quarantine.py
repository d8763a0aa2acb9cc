"""What a feed cannot read or pass on is kept with its reason, holds up nothing else, and is released by a person."""

from datetime import UTC, datetime

import pytest

from activities.changes import Change
from activities.feeds import GONE
from activities.ledger.quarantine import Release
from activities.ledger.store import Notification
from commerce.failures import Family, SystemFailure
from tests.activities.feeds.desk import Feed, placed
from tests.ledger.rows import run


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
