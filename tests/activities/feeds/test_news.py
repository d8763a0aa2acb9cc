"""Every change reaches the run of its order, in spite of kills, once, and no run that it is not for."""

import asyncio

import pytest

from activities.changes import Change, LatePaymentInput
from activities.ledger import tables as t
from commerce.documents import Stage
from tests.activities.feeds.desk import DEADLINE, ORDER, Feed, close, entry, placed
from tests.ledger.rows import count


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


@pytest.mark.parametrize(("stage", "said", "woken"), [(Stage.COMPLETED, 0, 1), (Stage.CANCELLED, 0, 0), (None, 1, 0)])
async def test_a_cancellation_in_the_shop_after_the_runs_have_ended_reaches_the_goods_or_else_a_person(
    feed: Feed, stage: Stage | None, said: int, woken: int
) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    if stage is not None:
        await close(feed.ledger, stage)
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [Change(order_key=ORDER.key, what="shop-order", digest="c", shop_canceled=True)]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.woken == [(ORDER.key, "shop-canceled")] * woken
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
