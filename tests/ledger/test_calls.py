"""Calls are counted over all workers, a wish for rest reaches all of them, and one probe answers for one org."""

import asyncio
from datetime import timedelta

from activities.budget import Budget
from activities.ledger.calls import CallBook
from activities.ledger.store import Ledger
from tests.ledger.rows import run

BUDGETS = {"org:acme": Budget(calls=100), "shop": Budget()}


async def test_calls_of_all_workers_add_up_for_24_hours(ledger: Ledger) -> None:
    book = CallBook(ledger.engine)
    await asyncio.gather(*(book.add({"org:acme": 3, "shop": 1}, {}) for _ in range(10)))
    found = await book.usages(BUDGETS)
    assert {name: (u.used, u.allowed, u.by_vendor) for name, u in found.items()} == {
        "org:acme": (30, 100, False),
        "shop": (10, None, False),
    }
    await run(ledger, "UPDATE call_counts SET hour = hour - interval '25 hours'")
    await book.add({"org:acme": 1}, {})
    assert (await book.usages(BUDGETS))["org:acme"].used == 1
    await run(ledger, "UPDATE call_counts SET hour = hour - interval '48 hours'")
    await book.forget()
    assert (await book.usages(BUDGETS))["org:acme"].used == 0


async def test_what_the_vendor_says_goes_before_our_count_until_it_is_old(ledger: Ledger) -> None:
    book = CallBook(ledger.engine)
    await book.add({"org:acme": 3}, {"org:acme": (80, 5000)})
    await book.add({"org:acme": 1}, {"org:acme": (90, 5000)})
    found = (await book.usages(BUDGETS))["org:acme"]
    assert (found.used, found.allowed, found.level, found.by_vendor) == (90, 100, "reserve", True)
    await run(ledger, "UPDATE call_limits SET said_at = said_at - interval '2 hours'")
    assert (await book.usages(BUDGETS))["org:acme"].used == 4


async def test_the_longest_rest_that_was_asked_for_holds_for_every_worker_and_then_ends(ledger: Ledger) -> None:
    book, other = CallBook(ledger.engine), CallBook(ledger.engine)
    await book.slow_down("shop", "HTTP 429", 60)
    await other.slow_down("shop", "HTTP 429 again", 5)
    seconds, reason = (await other.resting())["shop"]
    assert 50 < seconds <= 60
    assert reason == "HTTP 429"
    await run(ledger, "UPDATE slow_downs SET until = now() - interval '1 second'")
    assert await book.resting() == {}


async def test_one_probe_at_a_time_answers_for_all_that_share_it(ledger: Ledger) -> None:
    book = CallBook(ledger.engine)
    assert await book.last_probe("acme user") is None
    claimed = await asyncio.gather(*(book.may_probe("acme user", 60) for _ in range(5)))
    assert sorted(claimed) == [False] * 4 + [True]
    assert await book.last_probe("acme user") is None
    await book.probed("acme user", up=False, reason="no connection")
    answered = await book.last_probe("acme user")
    assert answered is not None
    assert answered[1:] == (False, "no connection")
    await run(ledger, "UPDATE probes SET begun_at = begun_at - interval '61 seconds'")
    assert await book.may_probe("acme user", timedelta(seconds=60).total_seconds())
