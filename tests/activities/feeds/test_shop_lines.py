"""Quantities that were cancelled in the shop reach the run of the goods, whenever that begins."""

import pytest

from activities.changes import Change
from activities.ledger import tables as t
from commerce.documents import Stage
from tests.activities.feeds.desk import ORDER, Feed, close
from tests.ledger.rows import count

CUT = Change(order_key=ORDER.key, what="shop-order", digest="cut", shop_lines_canceled=True)


async def test_the_run_of_the_goods_hears_of_it_once(feed: Feed) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    await close(feed.ledger)
    feed.shop.changes = [CUT]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert feed.engine.told == [(f"goods of {ORDER.key}", "shop-lines")]


@pytest.mark.parametrize(("stage", "begun"), [(None, 0), (Stage.COMPLETED, 1), (Stage.CANCELLED, 0)])
async def test_a_run_that_begins_later_finds_a_mark_and_goods_without_a_run_are_followed_again(
    feed: Feed, stage: Stage | None, begun: int
) -> None:
    await feed.ledger.keep_order(ORDER, "checkout:de:1001")
    if stage is not None:
        await close(feed.ledger, stage)
    feed.engine.ended = {ORDER.key}
    feed.shop.changes = [CUT]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert await count(feed.ledger, t.shop_lines) == 1
    assert feed.engine.goods == [ORDER.key] * begun


async def test_an_order_that_was_never_taken_in_concerns_nobody(feed: Feed) -> None:
    feed.shop.changes = [CUT]
    feed.start()
    await feed.swept()
    await feed.stop()
    assert await count(feed.ledger, t.shop_lines) == 0
    assert (feed.engine.told, feed.engine.started) == ([], [])
