"""`demo`: start everything, play two dozen orders to the door with an outage in the middle, and read every book."""

import asyncio
import shutil
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api import Api, Place
from cli.demo import report
from cli.demo.books import Books, Sandbox
from cli.demo.buyers import Buyers
from cli.demo.expected import Expected, expected_of
from cli.demo.orders import plan_orders
from cli.demo.play import Play
from cli.demo.screen import show_progress, teller
from cli.demo.verdict import Verdict, judge
from cli.options import Json
from cli.screen import Screen
from cli.trouble import ATTENTION, wrong_use
from cli.up import DEFAULT_CONFIG, refuse_bad_config, show_addresses, start_unless_stopped, stop_on_signal
from engine.stack import Stack, is_in_use

SETTLED_WITHIN_SECONDS = 240.0
SECONDS_PER_ORDER = 6.0  # of a long run
REST_SECONDS = 3.0
REST_WITHIN_SECONDS = 20.0


def demo(
    orders: Annotated[int, typer.Option(min=1, max=1000, help="How many orders.")] = 24,
    seed: Annotated[int, typer.Option(help="Another seed makes other orders.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")] = False,
    data: Annotated[Path, typer.Option(help="Folder of the demo; WIPED at the start.")] = Path("var/demo"),
    config: Annotated[
        Path, typer.Option(help="Configuration file.", show_default="the project's holdfast.toml")
    ] = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Start everything, place, pay, ship and deliver varied orders with an outage of the ERP in the middle, and give a
    verdict.

    Example: starter.py demo --orders 24 --seed 7 --keep
    """
    screen = Screen(as_json=as_json)
    refuse_bad_config(config)
    wipe(data)
    raise typer.Exit(asyncio.run(_demo(screen, Stack(data, config, tell=_dim(screen)), orders, seed, keep=keep)))


def wipe(data: Path) -> None:
    """Empty the demo's folder, but for its ports: addresses stay the same. Raises Trouble for one that is in use, or
    that is not ours to wipe."""
    if not data.exists():
        return
    if is_in_use(data):
        raise wrong_use(f"{data} is in use by a running `demo` or `up`; stop it, or choose another folder with --data")
    ports = data / "ports.json"
    if not ports.exists():
        if any(data.iterdir()):
            raise wrong_use(f"{data} holds something that is not a demo and is not wiped; choose another --data")
        return
    kept = ports.read_bytes()
    shutil.rmtree(data)
    data.mkdir()
    ports.write_bytes(kept)


def _dim(screen: Screen) -> Any:
    return lambda line: screen.side.print(line, style="dim", highlight=False)


async def _demo(screen: Screen, stack: Stack, count: int, seed: int, *, keep: bool) -> int:
    began = time.monotonic()
    stop = stop_on_signal()
    try:
        if not await start_unless_stopped(stack, stop):
            return ATTENTION
        playing = asyncio.create_task(_play(screen, stack, count, seed))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            playing.cancel()
            await asyncio.wait({playing})
            screen.verdict("stopped before the end: there is no verdict", ATTENTION)
            return ATTENTION
        play, verdict = playing.result()
        document = report.as_document(verdict, play.outage, time.monotonic() - began, seed)
        code = report.show(screen, verdict, document, report.keep(document, stack.data))
        if keep:
            show_addresses(screen, stack.addresses, stack.data)
            screen.say("\nCtrl-C stops everything", "bold")
            await stop.wait()
        else:
            again = f"starter.py demo --orders {count} --seed {seed} --keep"
            screen.say(f"everything stops now; to keep it at the addresses above and look around: {again}")
        stopping.cancel()
        return code
    finally:
        await stack.stop()


async def _play(screen: Screen, stack: Stack, count: int, seed: int) -> tuple[Play, Verdict]:
    console = screen.side if screen.as_json else screen.out
    addresses = stack.addresses
    now = datetime.now(UTC)
    planned = plan_orders(count, seed, run=f"D{seed}-{now:%H%M%S}", now=now)
    async with AsyncExitStack() as closing:
        api = await closing.enter_async_context(Api(Place(addresses.api, addresses.operator_token, "the demo")))
        sandbox, buyers = Sandbox(addresses.sandbox["control"]), Buyers()
        closing.push_async_callback(sandbox.close)
        closing.push_async_callback(buyers.close)
        screen.say(
            f"console {addresses.api}/console   API {addresses.api}/docs   Temporal UI {addresses.temporal_ui}", "bold"
        )
        play = Play(planned, api, sandbox, buyers, teller(console))
        showing = asyncio.create_task(show_progress(play, console))
        try:
            before = await play.run(max(SETTLED_WITHIN_SECONDS, SECONDS_PER_ORDER * count))
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        books = (await _at_rest(sandbox)).since(before)
    return play, verdict_of(play, books)


async def _at_rest(sandbox: Sandbox) -> Books:
    """The books, once nothing is written any more: a second document would come late."""
    clock = asyncio.get_running_loop().time
    until = clock() + REST_WITHIN_SECONDS
    books = await sandbox.books()
    while clock() < until:
        await asyncio.sleep(REST_SECONDS)
        later = await sandbox.books()
        if later == books:
            break
        books = later
    return books


def verdict_of(play: Play, books: Books) -> Verdict:
    """The books' verdict, and what went wrong on the stage."""
    rows = {row["key"]: row for row in books.of("magento", "orders")}
    payments = books.of("magento", "payments")
    expected: list[Expected] = []
    troubles: list[str] = []
    for course in play.courses:
        if course.key:
            expected.append(expected_of(course.planned, course.key, rows.get(course.key), payments))
        if course.trouble:
            troubles.append(f"trouble: {course.key or course.planned.title}: {course.trouble}")
        if not course.settled:
            troubles.append(f"not settled: {course.key or course.planned.title} is {course.standing}")
    parked = {course.key: course.why_parked for course in play.courses if course.why_parked}
    goods = {course.key: course.goods for course in play.courses}
    verdict = judge(expected, books, parked, goods)
    if play.outage.linked < play.outage.placed:
        troubles.append(
            f"no link: {play.outage.placed - play.outage.linked} of {play.outage.placed} orders placed while the ERP "
            "was away got no payment link"
        )
    verdict.problems[:0] = troubles
    return verdict
