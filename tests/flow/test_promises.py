"""A promised day that passes is told to the buyer, once for each day, whatever happens to the workers meanwhile."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

from tests.flow.stand import Stand, messages
from tests.flow.test_goods import bought, goods
from tests.flow.test_goods_as_told import looks
from tests.flow.world import World


async def delays(world: World, key: str) -> Counter[str]:
    """How often each mail about a delay came, by its Message-ID."""
    number = key.partition(":")[2]
    mails = [m for m in await messages(world.sandbox) if number in m["subject"] and "verzögert" in m["subject"]]
    return Counter(mail["headers"]["Message-ID"] for mail in mails)


async def promise(world: World, key: str, day: date) -> None:
    await world.act("salesforce", "promise", order=key, date=str(day))
    await goods(world, key, lambda view: [line.promised_on for line in view.lines] == [day], f"is promised for {day}")

    async def rests() -> bool:
        return not (await world.runs.goods(key).describe()).raw_description.pending_activities

    await world.wait_until(rests, what=f"the goods of {key} rest")


async def passes(world: World, key: str, day: date, now: datetime) -> datetime:
    """Until a moment after the day, in the run's own time; returns that moment."""
    after = datetime.combine(day, time(0, 1), tzinfo=UTC) + timedelta(days=1)
    await world.fast_forward(world.runs.goods(key), after - now)
    return after


async def told(world: World, key: str, days: int) -> None:
    async def so_often() -> bool:
        return len(await delays(world, key)) == days

    await world.wait_until(so_often, what=f"the buyer of {key} is told of {days} days")


async def test_each_promised_day_that_passes_is_told_once_also_when_the_worker_was_killed_before_it(
    stand: Stand,
) -> None:
    world = World(stand)
    first, second = stand.worker_process(), stand.worker_process()
    await first.start()
    try:
        key = await bought(world, ("HF-1001", 2))
        now = datetime.now(UTC)
        day = now.date() + timedelta(days=1)
        await promise(world, key, day)
        now = await passes(world, key, day, now)
        await told(world, key, 1)
        later = day + timedelta(days=2)
        await promise(world, key, later)
    finally:
        assert first.process is not None
        first.process.kill()
        await first.process.wait()
    await second.start()
    try:
        await passes(world, key, later, now)
        await told(world, key, 2)
        before = await looks(world, key)
        await world.runs.hint_goods(key, "fulfillment")

        async def looked() -> bool:
            return await looks(world, key) > before

        await world.wait_until(looked, what=f"the goods of {key} are looked at again")
        await promise(world, key, later)  # the same day once more
    finally:
        await second.stop()
    assert sorted((await delays(world, key)).values()) == [1, 1]
