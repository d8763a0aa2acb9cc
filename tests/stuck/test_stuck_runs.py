"""Operators hear of a run that cannot go on: once when it begins, once when it is over, whoever looks and how often."""

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from activities.control import TellOperators
from activities.ledger.store import Ledger
from activities.ledger.stuck import StuckBook
from activities.stuck import StuckRuns
from commerce.order import Order
from commerce.stuck import OF_ORDERS, Settled, StuckRun
from tests.api.desk import an_order
from tests.ledger.rows import run as write
from tests.stuck.runs import Fails, Mended
from tests.stuck.test_unforeseen import named, queue, release, start
from worker import WORKFLOWS

__all__ = ["queue"]


class Told:
    """What operators were told; a notice that is kept under a known key is none."""

    def __init__(self, about: str) -> None:
        self._about = about
        self._notices: dict[str, TellOperators] = {}

    async def tell(self, message: TellOperators) -> None:
        self._notices.setdefault(message.key, message)

    def texts(self) -> list[str]:
        """Tests share the engine: only what is said about the runs of this one."""
        said = (paragraph for one in self._notices.values() for paragraph in one.text.split("\n\n"))
        return [paragraph for paragraph in said if self._about in paragraph]


def two_workers(client: Client, ledger: Ledger, told: Told) -> tuple[StuckRuns, StuckRuns]:
    return StuckRuns(client, ledger, told.tell), StuckRuns(client, ledger, told.tell)


async def look(workers: tuple[StuckRuns, StuckRuns]) -> None:
    await asyncio.gather(*(one.look() for one in workers))


async def stuck(ledger: Ledger, about: str) -> list[StuckRun]:
    return [run for run in await StuckBook(ledger.engine).open() if about in run.workflow_id]


async def placed(client: Client, number: str) -> WorkflowHandle[Any, Any]:
    """A checkout that no worker takes up."""
    return await client.start_workflow(
        "CheckoutPaymentInvoice",
        id=f"checkout:de:{number}",
        task_queue="nobody",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def test_a_run_whose_task_fails_is_told_once_and_once_when_a_release_lets_it_go_on(
    engine_client: Client, ledger: Ledger, queue: str
) -> None:
    told = Told(queue)
    workers = two_workers(engine_client, ledger, told)
    async with release(engine_client, queue, Fails):
        run = await start(engine_client, queue, "own")
        await named(engine_client, queue, run)
        for _ in range(2):
            await look(workers)
        [text] = told.texts()
        assert f"Run {run.id} cannot go on since" in text
        assert "because of ApplicationError: the books are closed" in text
        assert "goes on by itself with the release that mends it" in text
        assert [one.kind for one in await stuck(ledger, queue)] == ["failing"]
    async with release(engine_client, queue, Mended), asyncio.timeout(90):
        await run.result()
    for _ in range(2):
        await look(workers)
    assert len(told.texts()) == 2
    assert "it goes on again" in told.texts()[1]
    assert await stuck(ledger, queue) == []


async def test_a_run_that_is_ended_in_the_engine_is_told_while_its_order_is_open(
    engine_client: Client, ledger: Ledger
) -> None:
    number = f"T{secrets.token_hex(4)}"
    told = Told(number)
    workers = two_workers(engine_client, ledger, told)
    run = await placed(engine_client, number)
    await ledger.keep_order(Order.model_validate(an_order(number)), run.id)
    await run.terminate(reason="it was the wrong one")

    async def seen(kinds: list[str]) -> None:
        async with asyncio.timeout(60):
            while [one.kind for one in await stuck(ledger, number)] != kinds:
                await look(workers)
                await asyncio.sleep(0.2)  # the engine's search lags behind
        await look(workers)

    await seen(["ended"])
    [text] = told.texts()
    assert "terminated: it was the wrong one" in text
    assert f"`starter.py stuck de:{number} --restart --reason …`" in text
    again = await placed(engine_client, number)
    await seen([])
    assert "a newer run has taken it up" in told.texts()[1]
    await again.terminate(reason="once more")
    await seen(["ended"])
    await write(ledger, "UPDATE orders SET stage = 'completed' WHERE key = :key", key=f"de:{number}")
    await seen([])
    assert [text.partition(": ")[2].partition(",")[0] for text in told.texts()[3:]] == ["nobody misses it any more"]


async def test_a_run_that_was_dismissed_stays_so_until_a_newer_one_is_ended(
    engine_client: Client, ledger: Ledger
) -> None:
    number, book = f"T{secrets.token_hex(4)}", StuckBook(ledger.engine)
    told = Told(number)
    workers = two_workers(engine_client, ledger, told)

    async def listed() -> StuckRun:
        async with asyncio.timeout(60):
            while not (found := await stuck(ledger, number)):
                await look(workers)
                await asyncio.sleep(0.2)  # the engine's search lags behind
        await look(workers)
        return found[0]

    run = await placed(engine_client, number)
    await ledger.keep_order(Order.model_validate(an_order(number)), run.id)
    await run.terminate(reason="a trial")
    on_purpose = Settled(how="dismiss", by="anna", reason="a trial order", at=datetime.now(UTC))
    first = await listed()
    assert await book.settle(first, on_purpose)
    assert not await book.settle(first, on_purpose), "twice is once"
    for _ in range(3):
        await look(workers)
    assert await stuck(ledger, number) == []
    assert "dismissed by anna: a trial order" in told.texts()[1]
    assert len(told.texts()) == 2
    await (await placed(engine_client, number)).terminate(reason="once more")
    assert (await listed()).run_id != first.run_id
    assert len(told.texts()) == 3
    assert [settled for _, settled in await book.settled_of(f"de:{number}")] == [on_purpose]


async def test_a_feed_that_cannot_go_on_is_told_once_and_once_when_it_reads_again(
    engine_client: Client, ledger: Ledger
) -> None:
    reads = f"erp-{secrets.token_hex(4)}:orders"
    told, book = Told(reads), StuckBook(ledger.engine)
    workers = two_workers(engine_client, ledger, told)
    trouble = StuckRun(
        workflow_id=f"feed:{reads}",
        run_id=reads,
        process="ChangeFeed",
        kind="feed",
        reason="403 INSUFFICIENT_ACCESS",
        remedy="give the user access",
        since=datetime.now(UTC),
    )
    for _ in range(2):
        await book.keep([trouble])
        await look(workers)
    assert len(told.texts()) == 1
    assert f"Feed {reads} cannot go on since" in told.texts()[0]
    assert told.texts()[0].endswith("403 INSUFFICIENT_ACCESS. To do: give the user access.")
    for _ in range(2):
        await book.feed_goes_on(reads)
        await look(workers)
    assert len(told.texts()) == 2
    assert "it is read again" in told.texts()[1]


async def test_a_run_that_is_ended_after_its_order_is_no_trouble(engine_client: Client, ledger: Ledger) -> None:
    closed, noticed = (f"T{secrets.token_hex(4)}" for _ in range(2))
    for number in (closed, noticed):
        run = await placed(engine_client, number)
        await ledger.keep_order(Order.model_validate(an_order(number)), run.id)
        if number == closed:
            await write(ledger, "UPDATE orders SET stage = 'cancelled' WHERE key = :key", key=f"de:{number}")
        await run.terminate(reason="too late")
    workers = two_workers(engine_client, ledger, Told(noticed))
    async with asyncio.timeout(60):
        while not await stuck(ledger, noticed):  # so that the search has the other one, too
            await look(workers)
    assert await stuck(ledger, closed) == []


async def test_what_a_worker_could_not_tell_the_next_one_tells(ledger: Ledger) -> None:
    book = StuckBook(ledger.engine)
    run = StuckRun(
        workflow_id="fulfillment:de:1",
        run_id="r",
        process="OrderFulfillmentTracking",
        kind="failing",
        reason="x",
        since=datetime.now(UTC),
    )
    await book.keep([run])
    await book.keep([run])
    told: list[list[str]] = []

    async def killed(runs: Any, key: str) -> None:
        raise ConnectionError("killed")

    async def tell(runs: Any, key: str) -> None:
        told.append([one.order_key for one in runs])

    with contextlib.suppress(ConnectionError):
        await book.tell(killed, killed)
    await book.tell(tell, tell)
    await book.tell(tell, tell)
    assert told == [["de:1"]]


def test_the_processes_of_orders_are_known_by_their_names() -> None:
    assert set(OF_ORDERS) < {process.__temporal_workflow_definition.name for process in WORKFLOWS}  # type: ignore[attr-defined]
