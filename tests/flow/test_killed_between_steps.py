"""A worker is killed at every step boundary of a checkout: the books are those of a checkout that nobody disturbed."""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

from activities.magento.client import MagentoClient
from activities.magento.feed import MagentoOrders
from activities.magento.settings import MagentoSettings
from commerce.documents import Stage
from engine.processes import Child
from tests.flow.stand import CONFIG, Stand
from tests.flow.steps_of_checkout import UNDISTURBED
from tests.flow.world import World
from tests.once.table import PATHS
from tests.sandbox_process import ROOT
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import WORKFLOW_QUEUE, checkout_id

# More than a checkout has steps, so that none is left out: the orders past the last step are not disturbed.
ORDERS = 18
FEWEST_STEPS = 10  # of a checkout with one invoice run; looking again while something takes long makes more
WITHIN = 600.0
LOOK_EVERY = 1.0
VENDORS = ("magento", "salesforce", "juston")


async def test_a_worker_killed_at_every_step_boundary_leaves_the_books_of_an_undisturbed_checkout(
    stand: Stand, tmp_path: Path
) -> None:
    world = World(stand)
    keys = await _placed(world)
    died = tmp_path / "died"
    died.touch()
    (tmp_path / "deaths").write_text(json.dumps({checkout_id(key): n for n, key in enumerate(keys, start=1)}))
    since = {name: max((row["id"] for row in stand.sandbox.requests(name)), default=0) for name in VENDORS}
    lives = _dying_worker(stand, tmp_path)
    await lives.start()
    try:
        await _all_end(world, keys)
    finally:
        await lives.stop()
    for number, key in enumerate(keys, start=1):
        # Other orders are in the middle of a step when a worker dies at a boundary of one.
        assert await world.books(key, mail_repeats=False) == UNDISTURBED, f"killed after {number} steps"
    boundaries = {int(line.split()[0]) for line in died.read_text().splitlines()}
    for number, key in enumerate(keys, start=1):
        # The worker died at this boundary of this order, unless the order had no step beyond it.
        steps = await _steps(world, key)
        assert number in boundaries or steps <= number, f"{key} has {steps} steps, none was killed after {number}"
    assert len(boundaries) >= FEWEST_STEPS
    _every_write_is_in_the_table(stand, since)


async def _steps(world: World, key: str) -> int:
    """How many steps a checkout started, our own memory's included."""
    history = await world.run(key).fetch_history()
    return sum(
        event.HasField("activity_task_scheduled_event_attributes") or event.HasField("marker_recorded_event_attributes")
        for event in history.events
    )


def _every_write_is_in_the_table(stand: Stand, since: dict[str, int]) -> None:
    """What a whole checkout writes is what tests/once disturbs; a write that is not in its table would show here."""
    for name in VENDORS:
        for row in stand.sandbox.requests(name, since[name]):
            path = str(row["path"]).split("?")[0]
            if row["method"] == "GET" or path.endswith("/oauth2/token"):
                continue
            assert any(one.covers(name, row["method"], path) for one in PATHS), f"{row['method']} {path}"


async def _placed(world: World) -> list[str]:
    """Shop orders with their runs, started as the feed would start them: the feed dies with the worker."""
    keys = [await world.place_in_shop() for _ in range(ORDERS)]
    settings = world.stand.settings.systems["magento"].settings
    assert isinstance(settings, MagentoSettings)
    client = MagentoClient(settings, system="magento")
    feed = MagentoOrders(client, system="magento")
    for row in world.sandbox.books("magento")["orders"]:
        if row["key"] in keys:
            change = await feed.fetch(row["id"])
            assert change is not None
            assert change.order is not None, change.problem
            # A workflow task that died with its worker is given to the next one after a second, not after ten.
            await world.stand.client.start_workflow(
                CheckoutPaymentInvoice.run,
                change.order,
                id=checkout_id(change.order.key),
                task_queue=WORKFLOW_QUEUE,
                task_timeout=timedelta(seconds=5),
            )
    await client.close()
    return keys


async def _all_end(world: World, keys: list[str]) -> None:
    """The buyers pay and the invoice run bills, whatever becomes of the worker meanwhile."""
    paid: set[str] = set()
    billed: set[str] = set()

    async def all_ended() -> bool:
        ended = 0
        books = await asyncio.to_thread(world.sandbox.books, "juston")
        for row in books["entries"]:
            if row["key"] in keys and row["status"] == "Open" and row["key"] not in paid:
                paid.add(row["key"])
                await world.pay(row["key"])
        for row in books["orders"]:
            if row["key"] in keys and row["status"] == "Open" and row["key"] not in billed:
                billed.add(row["key"])
                await world.bill(row["key"])
        handed_over = {row["key"] for row in books["orders"]}
        for key in keys:
            known = await world.ledger.order(key)
            ended += known is not None and known.stage == Stage.COMPLETED.value
            if key in paid - handed_over:
                await world.runs.hint(key, "entry")  # as the browser's return does it
        await asyncio.sleep(LOOK_EVERY)
        return ended == len(keys)

    await world.wait_until(all_ended, within=WITHIN, what="all orders end")


def _dying_worker(stand: Stand, folder: Path) -> Child:
    argv = [sys.executable, "-m", "tests.flow.dying_worker", str(CONFIG)]
    environment = stand.environment | {"DEATHS": str(folder / "deaths"), "DIED": str(folder / "died")}
    environment["HOLDFAST__STORE_DEFAULTS__INVOICE_POLL_SECONDS"] = "5"
    log_file = stand.logs / "dying-worker.log"

    async def ready() -> bool:
        return "serving one life" in log_file.read_text("utf-8", "replace")

    return Child("dying worker", argv, log_file, env=environment, cwd=ROOT, ready=ready)
