"""Hints that come together are read together, and a feed with hints asks no oftener than one without."""

import asyncio

import pytest
from sqlalchemy import insert

from activities.changes import Change
from activities.ledger import tables as t
from commerce.failures import Family, SystemFailure
from tests.activities.feeds.desk import Feed, Warehouse
from tests.ledger.rows import rows

APART = 0.3


@pytest.fixture
def warehouse(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A feed that looks by itself when it begins, and then not within the test."""
    monkeypatch.setattr("activities.feeds.TOGETHER", APART)
    feed.every = 3600
    feed.shop = shop = Warehouse(now={f"de:{n}": shipped(f"de:{n}") for n in range(9)})
    return shop


def shipped(key: str, digest: str = "shipped") -> Change:
    return Change(order_key=key, what="fulfillment", digest=digest)


async def notify(feed: Feed, *numbers: int) -> None:
    """All in one transaction: the feed sees none of them before the others."""
    same = {"system": feed.shop.system, "source": feed.shop.name, "headers": {}, "body": b"{}", "state": "waiting"}
    async with feed.ledger.engine.begin() as db:
        await db.execute(
            insert(t.notifications), [same | {"sender_id": f"M-{n}", "reference": f"de:{n}"} for n in numbers]
        )


async def quiet(feed: Feed, warehouse: Warehouse) -> None:
    """The feed has begun, and hints gather no more."""
    feed.start()
    await feed.until(lambda: warehouse.sweeps == 1)
    await asyncio.sleep(2 * APART)


async def test_hints_that_come_together_are_read_at_once(feed: Feed, warehouse: Warehouse) -> None:
    await quiet(feed, warehouse)
    await notify(feed, 1)
    await feed.until(feed.settled)
    await notify(feed, 2, 3, 4)
    await feed.until(feed.settled)
    assert (warehouse.fetched, warehouse.gathered) == (["de:1"], [["de:2", "de:3", "de:4"]])
    assert [key for key, _ in feed.engine.told] == [f"goods of de:{n}" for n in (1, 2, 3, 4)]


async def test_a_hint_after_a_sweep_that_found_nothing_is_read_at_once(
    feed: Feed, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.feeds.TOGETHER", 3600)
    feed.start()
    await feed.until(lambda: warehouse.sweeps == 1)
    await notify(feed, 1)
    await feed.until(feed.settled)
    assert warehouse.fetched == ["de:1"]


async def test_a_sweep_answers_the_hints_of_what_it_reads_and_the_others_are_read(
    feed: Feed, warehouse: Warehouse
) -> None:
    await notify(feed, 1, 2, 3)
    warehouse.changes = [warehouse.now["de:1"], warehouse.now["de:2"]]
    feed.start()
    await feed.until(feed.settled)
    assert (warehouse.fetched, warehouse.gathered) == (["de:3"], [])
    assert sorted(key for key, _ in feed.engine.told) == [f"goods of de:{n}" for n in (1, 2, 3)]


async def test_hints_that_no_sweep_meets_are_read_also_where_sweeps_follow_each_other_closely(
    feed: Feed, warehouse: Warehouse
) -> None:
    feed.every = APART / 2
    await quiet(feed, warehouse)
    await notify(feed, 1, 2)
    await feed.until(feed.settled)
    assert warehouse.gathered == [["de:1", "de:2"]]


async def test_a_record_that_cannot_be_read_holds_up_none_of_those_that_came_with_it(
    feed: Feed, warehouse: Warehouse
) -> None:
    warehouse.broken = {"de:2": SystemFailure(Family.REJECTED, "read the goods", "malformed id")}
    await quiet(feed, warehouse)
    await notify(feed, 1, 2, 3)
    await feed.until(feed.settled)
    states = {row["reference"]: row["state"] for row in await rows(feed.ledger, t.notifications)}
    assert states == {"de:1": "done", "de:2": "quarantined", "de:3": "done"}


@pytest.mark.parametrize("family", [Family.TRANSIENT, Family.NEEDS_PERSON])
async def test_hints_wait_together_while_the_system_is_away_or_refuses_the_login(
    feed: Feed, warehouse: Warehouse, family: Family
) -> None:
    await quiet(feed, warehouse)
    warehouse.away = SystemFailure(family, "read the goods", "not now")
    await notify(feed, 1, 2)

    async def postponed() -> bool:
        return any(row["tries"] for row in await rows(feed.ledger, t.notifications))

    await feed.until(postponed)
    assert (warehouse.fetched, len(warehouse.gathered)) == ([], 1)
    warehouse.away = None
    await feed.until(feed.settled)
    assert sorted(key for key, _ in feed.engine.told) == ["goods of de:1", "goods of de:2"]
