"""Vendors' limits: everybody keeps a rest, the last calls of a day are for money, and what waits goes on by itself."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from activities.ledger.calls import CallBook
from commerce.documents import Stage
from settings.allowances import budgets
from tests.allowance.conftest import CALLS
from tests.flow.steps_of_checkout import UNDISTURBED
from tests.flow.world import World
from tests.ledger.rows import run
from tests.outage.test_watch import becomes

PATIENCE = 90.0
REST = 4


async def asked(world: World, since: int = 0) -> list[dict[str, Any]]:
    return await asyncio.to_thread(world.sandbox.requests, "magento", since)


async def use(world: World, calls: int) -> None:
    """So many calls are used, whatever was used before."""
    await run(world.ledger, "DELETE FROM call_counts WHERE allowance = 'magento'")
    await CallBook(world.ledger.engine).add({"magento": calls}, {})


async def test_a_shop_that_says_too_many_is_left_alone_by_everybody_for_as_long_as_it_asks(world: World) -> None:
    await becomes(world, "magento", "up")
    async with world.faults("magento", {"kind": "limit", "retry_after": REST, "times": 1}):
        await world.strikes("magento", 1)
        rows = await asked(world)
        told = next(row for row in reversed(rows) if row["status"] == 429)
        key = await world.place_in_shop()  # past the API, and so no call of ours
        await world.link_of(key)
    after = [row for row in await asked(world, int(told["id"])) if not str(row["path"]).startswith("/sandbox")]
    waited = datetime.fromisoformat(str(after[0]["at"])) - datetime.fromisoformat(str(told["at"]))
    assert waited >= timedelta(seconds=REST - 1)  # the header has whole seconds, and calls on their way arrive
    await becomes(world, "magento", "up")


async def test_the_last_calls_are_for_money_then_all_waits_and_goes_on_when_calls_are_free(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    await use(world, CALLS * 92 // 100)
    [mail] = await world.told_operators("magento: the last of its daily calls are kept for money")
    assert f"of {CALLS} calls of 24 hours are used (our own count)" in mail["text"]
    await world.pay(key)
    await world.reaches(key, Stage.WRITING_BACK, bill=True, within=PATIENCE)

    async def invoiced() -> bool:
        return "shop invoices" in await world.books(key)

    await world.wait_until(invoiced, what="the shop's invoice is written from the reserve", within=PATIENCE, key=key)

    await use(world, CALLS)
    spent = await becomes(world, "magento", "spent")
    assert spent.until is not None
    await asyncio.sleep(2)  # a worker hears of it within a second, and calls on their way arrive
    last = max(int(row["id"]) for row in await asked(world))
    await asyncio.sleep(2)  # the length of the look, not a wait for something
    assert [row["path"] for row in await asked(world, last)] == []
    assert (await CallBook(world.ledger.engine).usages(budgets(world.stand.settings)))["magento"].level == "spent"
    assert len(await world.told_operators("magento: its daily calls are spent")) == 1

    await use(world, 0)
    left = timedelta(minutes=15, seconds=1)
    await world.fast_forward(world.runs.watch("magento"), left)
    await becomes(world, "magento", "up")
    await world.skip_time(key, left)  # the references looked at the reserve, and look again after a while
    assert (await world.ends(key, within=PATIENCE)).outcome is Stage.COMPLETED
    assert await world.books(key) == UNDISTURBED
