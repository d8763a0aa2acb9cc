"""The order feed against a shop: every order at least once, in the shared language, and nothing else."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from activities.changes import Change
from activities.magento.client import MagentoClient
from activities.magento.feed import MagentoOrders
from commerce.order import PaymentState
from commerce.totals import mismatches
from tests.activities.magento.conftest import Shop, settings_for
from tests.sandbox_process import Sandbox


async def sweep(feed: MagentoOrders, cursor: str | None = None) -> tuple[list[Change], str]:
    changes: list[Change] = []
    while True:
        page = await feed.read(cursor)
        changes += page.changes
        cursor = page.cursor
        if not page.more:
            return changes, cursor


FeedOf = Callable[..., MagentoOrders]


@pytest_asyncio.fixture
async def feed_of(fresh: Sandbox) -> AsyncIterator[FeedOf]:
    """Makes feeds with changed settings, over a shop with nothing but its demo data."""
    clients: list[MagentoClient] = []

    def make(**changes: Any) -> MagentoOrders:
        clients.append(MagentoClient(settings_for(fresh, **changes), system="shop"))
        return MagentoOrders(clients[-1], system="shop")

    yield make
    for client in clients:
        await client.close()


async def test_orders_of_all_stores_arrive_and_add_up(feed_of: FeedOf, shop: Shop) -> None:
    items = [{"sku": "HF-2000-S", "qty": 3}, {"sku": "HF-3000", "qty": 2}, {"sku": "HF-4001", "qty": 1}]
    placed = [await shop.place(store, items=items) for store in ("de", "us", "jp", "kw", "ch")]
    changes, _ = await sweep(feed_of(page_size=2))
    assert [change.problem for change in changes] == [""] * 5
    orders = {change.order.key: change.order for change in changes if change.order is not None}
    assert {o.key: o.total for o in placed} == {key: order.total for key, order in orders.items()}
    assert {key: mismatches(order) for key, order in orders.items()} == {key: [] for key in orders}
    assert {order.language for order in orders.values()} == {"de", "en", "ja"}


async def test_discounts_gift_cards_credit_and_gateways_add_up(feed_of: FeedOf, shop: Shop) -> None:
    await shop.place("us", coupon={"code": "SALE", "percent": 10}, gift_card=5, store_credit=2)
    await shop.place("de", payment_method="adyen_cc")
    await shop.place("jp", company="504", customer=None, payment_method="companycredit")
    changes, _ = await sweep(feed_of())
    orders = [change.order for change in changes if change.order is not None]
    assert [mismatches(order) for order in orders] == [[], [], []]
    assert [order.payments[0].state for order in orders] == [
        PaymentState.DUE,
        PaymentState.CAPTURED,
        PaymentState.ON_ACCOUNT,
    ]
    assert orders[0].discounts
    assert orders[0].gift_cards
    assert orders[0].store_credit
    assert orders[1].payments[0].transaction_id
    assert orders[2].customer.company_number == "504"


async def test_many_changes_in_one_second_are_paged_without_loss(feed_of: FeedOf, shop: Shop) -> None:
    placed = {(await shop.place()).key for _ in range(7)}
    changes, _ = await sweep(feed_of(page_size=2))
    keys = [change.order_key for change in changes]
    assert len(keys) == len(set(keys))
    assert set(keys) == placed


async def test_a_later_sweep_reads_back_and_repeats_with_equal_digests(feed_of: FeedOf, shop: Shop) -> None:
    first = await shop.place()
    feed = feed_of()
    before, cursor = await sweep(feed)
    await shop.does.announce_payment(first.announce())
    await shop.does.write_references(first.references())
    second = await shop.place()
    after, _ = await sweep(feed, cursor)
    digests = {change.order_key: change.digest for change in after}
    assert digests[first.key] == before[0].digest  # our own notes are no change of the order
    assert second.key in digests


async def test_a_canceled_order_is_heard(feed_of: FeedOf, shop: Shop) -> None:
    order = await shop.place()
    feed = feed_of()
    _, cursor = await sweep(feed)
    await shop.does.cancel_order(order.cancel())
    changes, _ = await sweep(feed, cursor)
    assert [(change.order_key, change.shop_canceled) for change in changes] == [(order.key, True)]


async def test_an_edited_order_is_canceled_with_the_number_in_its_place_and_the_new_one_names_it(
    feed_of: FeedOf, shop: Shop
) -> None:
    order = await shop.place(items=[{"sku": "HF-1001", "qty": 2}])
    feed = feed_of()
    _, cursor = await sweep(feed)
    made = shop.sandbox.act("magento", "edit-order", entity_id=order.shop_id, items=[{"sku": "HF-1001", "qty": 1}])
    changes = {change.order_key: change for change in (await sweep(feed, cursor))[0]}
    old, new = changes[order.key], changes[f"de:{made['increment_id']}"]
    assert old.shop_canceled
    assert old.reading is not None
    assert old.reading.replaced_by == made["increment_id"] == f"{order.number}-1"
    assert new.order is not None
    assert new.order.replaces == order.number
    plain = await shop.place()
    await shop.does.cancel_order(plain.cancel())
    told = await feed.fetch(plain.shop_id)
    assert told is not None
    assert told.reading is None


async def test_orders_from_before_the_start_and_of_other_stores_are_left_alone(feed_of: FeedOf, shop: Shop) -> None:
    german, swiss = await shop.place("de"), await shop.place("ch")
    only_swiss = feed_of(stores=("ch",))
    assert [change.order_key for change in (await sweep(only_swiss))[0]] == [swiss.key]
    assert await only_swiss.fetch(german.shop_id) is None
    later = feed_of(orders_since=datetime.now(UTC) + timedelta(hours=1))
    assert (await sweep(later))[0] == []
    assert await later.fetch(swiss.shop_id) is None


async def test_an_invoiced_order_that_is_complete_is_not_new(feed_of: FeedOf, shop: Shop) -> None:
    order = await shop.place(items=[{"sku": "HF-4001", "qty": 1}])
    await shop.does.ensure_invoice(order.invoice())
    assert (await shop.entity(order.shop_id))["state"] in ("complete", "closed")
    assert (await sweep(feed_of()))[0] == []


async def test_one_order_is_read_as_the_sweep_reads_it(feed_of: FeedOf, shop: Shop) -> None:
    order = await shop.place("kw", coupon={"code": "SALE", "percent": 10})
    feed = feed_of()
    swept, _ = await sweep(feed)
    assert await feed.fetch(order.shop_id) == swept[0]
    assert await feed.fetch("999999") is None
    assert await feed.fetch("not a number") is None


async def test_money_that_the_gateway_has_not_taken_is_said_not_dropped(feed_of: FeedOf, shop: Shop) -> None:
    order = await shop.place(payment_method="checkmo", captured=False)
    changes, _ = await sweep(feed_of())
    assert [change.order_key for change in changes] == [order.key]
    assert changes[0].order is None
    assert "checkmo" in changes[0].problem
    assert "payment_methods" in changes[0].problem
    due, _ = await sweep(feed_of(payment_methods={"checkmo": "due"}))
    assert due[0].order is not None


async def test_a_time_stamp_from_the_future_hides_nothing(feed_of: FeedOf, shop: Shop) -> None:
    await shop.place()
    _, cursor = await sweep(feed_of())
    assert datetime.fromisoformat(cursor.split('"')[3]) <= datetime.now(UTC)


async def test_an_order_is_read_again_by_its_key(feed_of: FeedOf, shop: Shop) -> None:
    one, other = await shop.place("de"), await shop.place("us")
    feed = feed_of()
    for placed in (one, other):
        found = await feed.fetch(placed.key)
        assert found is not None
        assert found.order is not None
        assert (found.order_key, found.order.total) == (placed.key, placed.total)
    assert await feed.fetch("de:no-such-number") is None
    assert await feed.fetch(f"us:{one.number}") is None, "the number alone is not the order"
