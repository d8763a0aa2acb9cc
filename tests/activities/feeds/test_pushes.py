"""What a system pushes leaves hints for the feed: none is lost by a kill or a gap, and no trouble stops the feed."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.changes import Change, Follow, PlaceLost, Told
from activities.feeds import FeedActivities
from activities.ledger import tables as t
from activities.ledger.store import Ledger
from activities.pushes import EVERYTHING, Place, place_in
from commerce.failures import Family, SystemFailure
from tests.activities.feeds.desk import DEADLINE, Feed, Warehouse
from tests.ledger.rows import rows


@dataclass
class Stream:
    """A stream of news, numbered by their place; `asked` are the places that it was asked to go on from."""

    name: str = "shop:news"
    system: str = "shop"
    source: str = "shop:orders"
    news: list[Told | Exception] = field(default_factory=list)
    asked: list[bytes | None] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, replay_id: bytes | None) -> AsyncGenerator[Told, None]:
        self.asked.append(replay_id)
        place = 0 if replay_id is None else int(replay_id)
        while True:
            while place < len(self.news):
                told = self.news[place]
                if isinstance(told, Exception):
                    self.news.remove(told)
                    raise told
                place += 1
                yield told
            self.came.clear()
            await self.came.wait()

    def tell(self, *references: str, gap: str = "") -> None:
        self.news.append(Told(references=references, replay_id=str(len(self.news) + 1).encode(), gap=gap))
        self.came.set()

    def fail(self, error: Exception) -> None:
        self.news.append(error)
        self.came.set()


class Listening:
    def __init__(self, ledger: Ledger, feed: Feed) -> None:
        self.stream = Stream()
        self.feed = feed
        self._ledger = ledger
        self._task: asyncio.Task[int] | None = None

    def start(self) -> None:
        self.environment = ActivityEnvironment()
        follows = FeedActivities(
            self._ledger, self.feed.engine, {}, {}, frozenset(), pushes={self.stream.name: self.stream}
        )
        self._task = asyncio.ensure_future(self.environment.run(follows.follow, Follow(source=self.stream.name)))

    async def stop(self) -> int:
        assert self._task is not None
        self.environment.worker_shutdown()
        return await asyncio.wait_for(self._task, DEADLINE)

    async def kill(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def place(self) -> Place:
        return place_in(await self._ledger.cursor(self.stream.name))

    async def left(self) -> list[str]:
        """The records that hints name, in their order."""
        return [name for row in await rows(self._ledger, t.notifications) if (name := row["reference"]) != EVERYTHING]

    async def looks(self) -> int:
        """How often the feed was asked to look at everything."""
        return sum(row["reference"] == EVERYTHING for row in await rows(self._ledger, t.notifications))

    async def reaches(self, place: int) -> None:
        wanted = base64.b64encode(str(place).encode()).decode()

        async def there() -> bool:
            return (await self.place()).replay_id == wanted

        await self.feed.until(there)


@pytest.fixture
async def listening(feed: Feed, ledger: Ledger) -> AsyncIterator[Listening]:
    made = Listening(ledger, feed)
    yield made
    await made.kill()


async def test_each_record_is_a_hint_and_the_place_is_kept_behind_it(listening: Listening) -> None:
    listening.stream.tell("Box/1", "Box/2")
    listening.start()
    await listening.reaches(1)
    listening.stream.tell("Box/1")
    await listening.reaches(2)
    assert await listening.left() == ["Box/1", "Box/2", "Box/1"]
    assert await listening.stop() == 3


async def test_listening_goes_on_where_it_was_left_and_looks_at_everything_only_the_first_time(
    listening: Listening,
) -> None:
    listening.stream.tell("Box/1")
    listening.start()
    await listening.reaches(1)
    await listening.stop()
    # Before the stream stood, and once more when it did: what changed between the two was not told.
    assert await listening.looks() == 2
    listening.stream.tell("Box/2")
    listening.start()
    await listening.reaches(2)
    assert listening.stream.asked == [None, b"1"]
    assert (await listening.left(), await listening.looks()) == (["Box/1", "Box/2"], 2)


async def test_a_kill_between_the_hints_and_the_place_loses_none_and_doubles_none(
    listening: Listening, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening.stream.tell("Box/1")
    listening.start()
    await listening.reaches(1)
    met, keep = asyncio.Event(), ledger.keep_cursor

    async def killed_here(source: str, cursor: str) -> None:
        met.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(ledger, "keep_cursor", killed_here)
    listening.stream.tell("Box/2", "Box/3")
    await asyncio.wait_for(met.wait(), DEADLINE)
    await listening.kill()
    monkeypatch.setattr(ledger, "keep_cursor", keep)
    assert await listening.left() == ["Box/1", "Box/2", "Box/3"]
    listening.start()
    await listening.reaches(2)
    assert await listening.left() == ["Box/1", "Box/2", "Box/3"]


async def test_after_a_gap_everything_is_looked_at(listening: Listening) -> None:
    listening.stream.tell()
    listening.start()
    await listening.reaches(1)
    before = await listening.looks()
    listening.stream.tell("Box/1", gap="GAP_OVERFLOW")
    await listening.reaches(2)
    assert (await listening.left(), await listening.looks()) == (["Box/1"], before + 1)


async def test_a_place_that_is_lost_starts_anew_from_now_and_everything_is_looked_at(listening: Listening) -> None:
    listening.stream.tell()
    listening.start()
    await listening.reaches(1)
    before = await listening.looks()
    listening.stream.fail(PlaceLost("replay id corrupted"))
    listening.stream.tell("Box/1")
    await listening.reaches(3)
    assert listening.stream.asked == [None, None]
    assert await listening.looks() > before
    assert await listening.left() == ["Box/1"]


async def test_a_place_that_the_vendor_has_forgotten_by_now_is_not_asked_for(
    listening: Listening, ledger: Ledger
) -> None:
    old = Place(replay_id=base64.b64encode(b"1").decode(), heard_at=datetime.now(UTC) - timedelta(hours=73))
    await ledger.keep_cursor(listening.stream.name, old.model_dump_json())
    listening.stream.tell("Box/1")
    listening.start()

    async def heard() -> bool:
        return await listening.left() == ["Box/1"]

    await listening.feed.until(heard)
    assert listening.stream.asked == [None]
    assert await listening.looks() >= 1


async def test_trouble_is_noted_for_people_and_the_feed_looks_by_itself_until_it_is_over(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.pushes.FIRST_PAUSE", 0.2)
    listening.stream.tell()
    listening.start()
    await listening.reaches(1)
    before = await listening.looks()
    listening.stream.fail(SystemFailure(Family.TRANSIENT, "listen", "nobody there"))

    async def again() -> bool:
        return len(listening.stream.asked) == 2

    await listening.feed.until(again)
    assert (await listening.place()).trouble == "listen: nobody there"
    assert await listening.looks() > before
    listening.stream.tell("Box/1")
    await listening.reaches(2)
    assert (await listening.place()).trouble == ""
    assert listening.stream.asked == [None, b"1"]


async def test_a_hint_to_look_at_everything_is_a_sweep_at_once(feed: Feed) -> None:
    feed.every = 3600
    feed.shop = warehouse = Warehouse()
    feed.start()
    await feed.until(lambda: warehouse.sweeps == 1)
    warehouse.changes = [Change(order_key="de:1", what="fulfillment", digest="shipped")]
    await feed.notify(EVERYTHING)
    await feed.until(lambda: feed.engine.told == [("goods of de:1", "fulfillment")])
    await feed.until(feed.settled)
    assert (warehouse.sweeps, warehouse.fetched) == (2, [])
