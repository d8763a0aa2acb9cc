"""The worker: wires settings, clients, activities and workflows, and runs them. Decides nothing about orders.

    python worker.py [--config holdfast.toml]

The Temporal server is found by the standard environment configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
TEMPORAL_API_KEY, TEMPORAL_TLS…, or a TOML profile). Any number of workers may run side by side.
Exit codes: 0 stopped, 1 cannot go on, 2 wrong configuration.
"""

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities.endpoints import EndpointActivities, Hours, SharedProbes
from activities.feeds import FeedActivities
from activities.gatekeeper import Allowances, GateKeeper
from activities.ledger.activities import LedgerActivities
from activities.ledger.calls import CallBook
from activities.ledger.database import engine_for, migrate
from activities.ledger.endpoints import EndpointBook
from activities.ledger.fulfillment import FulfillmentBook, FulfillmentLedger
from activities.ledger.handovers import HandOvers
from activities.ledger.notices import NoticeBook
from activities.ledger.reconciliations import ReconciliationBook
from activities.ledger.store import Ledger
from activities.notify.activities import NotifyActivities
from activities.notify.chat import ChatRoom
from activities.notify.goods import GoodsMail
from activities.notify.mail import Mailer
from activities.notify.notices import Notices
from activities.reconcile_books import ReconcileBooks
from activities.reconcile_own import ReconcilerActivities, engine_run_of
from activities.stuck import StuckRuns
from activities.watch import EndpointNote, WatchPlan
from commerce.failures import SystemFailure
from commerce.windows import read_window
from settings.allowances import allowances, budgets, shared_probes
from settings.connect import connect, missing_search_attributes, names_failing_runs
from settings.load import ConfigError, load
from settings.model import Settings, System, records_endpoint
from settings.systems import Connected, connect_systems, push_names
from settings.telemetry import end_telemetry, set_up_telemetry
from workflows.change_feed import ChangeFeed
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.endpoint_watch import EndpointWatch
from workflows.late_payment import LatePayment
from workflows.names import CONTROL_QUEUE, NOTIFY, WORKFLOW_QUEUE, system_queue
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking
from workflows.reconciliation import Reconciliation
from workflows.schedules import set_reconciliation
from workflows.start import EngineRuns
from workflows.unforeseen import StaysOpen
from workflows.whole_tasks import WholeTasks

log = logging.getLogger("holdfast.worker")
WORKFLOWS = [CheckoutPaymentInvoice, OrderFulfillmentTracking, LatePayment, ChangeFeed, EndpointWatch, Reconciliation]
GRACE = timedelta(seconds=20)
REVIVE_EVERY = 60.0  # seconds
ROOMS = ("activities", "commerce", "settings", "workflows")


class SetupError(RuntimeError):
    """A connected system or the engine is not set up as it has to be; nothing half-starts."""


def code_hash() -> str:
    """Tells in the Temporal UI which code ran a task: a hash of our own source.

    The SDK's default is one of every module that was imported, which it compiles again for that: seconds of each start.
    """
    root = Path(__file__).parent
    files = [root / "worker.py", *(file for room in ROOMS for file in (root / room).rglob("*.py"))]
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


async def run(
    settings: Settings, stop: asyncio.Event, client: Client | None = None, *, serving: asyncio.Event | None = None
) -> None:
    """Serve every queue until `stop` is set. `serving` is set when all queues are served and the feeds are started."""
    async with contextlib.AsyncExitStack() as stack:
        engine = engine_for(settings.ledger.url.get_secret_value())
        stack.push_async_callback(engine.dispose)
        await migrate(engine)
        ledger = Ledger(engine)
        client = client or await connect()
        missing = await missing_search_attributes(client)
        if missing:
            raise SetupError(
                f"Temporal's namespace {client.namespace} lacks the search attributes {', '.join(missing)} and would "
                "refuse every order; deploy/temporal-namespace.sh adds them"
            )
        if not await names_failing_runs(client):
            log.warning("Temporal does not name runs that cannot go on; deploy/temporal-dynamic.yaml has the setting")
        runs = EngineRuns(client)
        connected = connect_systems(settings, ledger)
        stack.push_async_callback(connected.close)
        problems = await connected.setup_problems()
        if problems:
            raise SetupError("\n".join(problems))
        mailer = Mailer(settings.mail) if settings.mail else None
        portals = {code: store.portal for code, store in settings.stores.items() if store.portal}
        notify = NotifyActivities(ledger, mailer, portals)
        stack.push_async_callback(notify.close)
        operators = Notices(
            NoticeBook(engine),
            mailer,
            settings.mail,
            [ChatRoom(url.get_secret_value()) for url in settings.notices.urls],
            give_up_after=timedelta(hours=settings.notices.give_up_hours),
        )
        telling = asyncio.create_task(operators.run())
        stack.callback(telling.cancel)
        control = LedgerActivities(ledger, settings.plans(), operators)
        feeds = FeedActivities(
            ledger,
            runs,
            {source.name: source for source in connected.sources},
            {source.name: settings.systems[source.system].follow_every_seconds for source in connected.sources},
            frozenset(settings.stores),
            operators,
            {source.name: _records_of(settings, source.system) for source in connected.sources},
            {push.name: push for push in connected.pushes},
        )
        book = EndpointBook(engine)
        plans = {endpoint: _watch_plan(settings, connected, endpoint) for endpoint in connected.probes}
        hours = {endpoint: _hours(settings, connected, endpoint) for endpoint in connected.probes}
        calls = CallBook(engine)
        shared = SharedProbes(calls, shared_probes(settings))
        watch = EndpointActivities(client, book, connected.probes, plans, f"holdfast@{os.getpid()}", hours, shared)
        allowed = Allowances(calls, allowances(settings), budgets(settings), operators.tell, runs.calls_spent)
        keeper = asyncio.create_task(GateKeeper(book, runs.suspect, allowed).run())
        stack.callback(keeper.cancel)
        goods = FulfillmentLedger(FulfillmentBook(engine), settings.plans(), settings.goods_plans())
        goods_mail = GoodsMail(ledger, mailer)
        reports = ReconciliationBook(engine)
        reconciler = ReconcilerActivities(
            reports,
            list(connected.readers),
            engine_run_of(client),
            overlap=timedelta(minutes=settings.reconciliation.overlap_minutes),
            keep=timedelta(days=settings.reconciliation.keep_days),
        )
        build = code_hash()
        workers = [
            Worker(
                client,
                task_queue=WORKFLOW_QUEUE,
                workflows=WORKFLOWS,
                activities=[control.open_order, control.close_order],  # local ones; else the control queue has them
                no_remote_activities=True,
                interceptors=[StaysOpen()],
                workflow_runner=WholeTasks(),
                workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
                graceful_shutdown_timeout=GRACE,
                build_id=build,
            ),
            Worker(
                client,
                task_queue=CONTROL_QUEUE,
                activities=[
                    control.open_order,
                    control.open_case,
                    control.note_case,
                    control.close_case,
                    control.close_order,
                    control.known_outcome,
                    control.keep_documents,
                    control.plan_for,
                    control.tell_operators,
                    goods.take_up,
                    goods.keep,
                    feeds.follow,
                    watch.plan,
                    watch.watch,
                    watch.check,
                    watch.set_rate,
                    watch.moves,
                    watch.held,
                    watch.note,
                    reconciler.begin,
                    reconciler.find_own_keys,
                    reconciler.read_own,
                    reconciler.compare,
                    reconciler.fail,
                ],
                max_concurrent_activities=50 + len(connected.sources) + len(connected.pushes) + len(connected.probes),
                graceful_shutdown_timeout=GRACE,
                build_id=build,
            ),
            Worker(
                client,
                task_queue=system_queue(NOTIFY),
                activities=[notify.both, notify.customer, notify.portal, goods_mail.goods],
                max_concurrent_activities=10,
                graceful_shutdown_timeout=GRACE,
                build_id=build,
            ),
            *(
                _system_worker(client, settings, connected, reports, endpoint, build)
                for endpoint in connected.activities
            ),
        ]
        for worker in workers:
            await stack.enter_async_context(worker)
        watched = [endpoint for endpoint in connected.probes if _system_of(settings, connected, endpoint).watch]
        await _release(runs, book, watch, [endpoint for endpoint in connected.probes if endpoint not in watched])
        for endpoint in watched:
            await runs.start_watch(endpoint)
            await runs.refresh_watch(endpoint)
        reviver = asyncio.create_task(_keep_watched(runs, watched, [source.name for source in connected.sources]))
        stack.callback(reviver.cancel)
        taking_up = asyncio.create_task(HandOvers(ledger, runs.start_fulfillment).run())
        stack.callback(taking_up.cancel)
        looking = asyncio.create_task(StuckRuns(client, ledger, operators.tell).run())
        stack.callback(looking.cancel)
        pushes = [push.name for push in connected.pushes]
        for name in (*(source.name for source in connected.sources), *pushes):
            await runs.start_feed(name)
        for name in set(push_names(settings)) - set(pushes):
            await runs.end_feed(name)
        nightly = settings.reconciliation
        await set_reconciliation(client, at=nightly.time, time_zone=nightly.time_zone, days=nightly.days)
        log.info("serving %s", ", ".join(sorted(settings.systems)))
        if serving is not None:
            serving.set()
        await stop.wait()
        log.info("stopping: no new work is taken, work under way is finished")


async def _keep_watched(runs: EngineRuns, endpoints: list[str], sources: list[str]) -> None:
    """What somebody ended is started again: a queue would stay held back, what changes would never be seen."""
    while True:
        await asyncio.sleep(REVIVE_EVERY)
        try:
            for endpoint in endpoints:
                await runs.start_watch(endpoint)
            for source in sources:
                await runs.start_feed(source)
        except RPCError as err:
            log.warning("watches and feeds are not looked after now: %s", err)


async def _release(runs: EngineRuns, book: EndpointBook, watch: EndpointActivities, endpoints: list[str]) -> None:
    """What is no longer watched is not held back either: end its watch, and let its queue go."""
    for note in await book.all():
        if note.endpoint not in endpoints or note.state == "up":
            continue
        try:
            await runs.watch(note.endpoint).terminate("no longer watched")
        except RPCError as err:
            if err.status is not RPCStatusCode.NOT_FOUND:
                raise
        now = datetime.now(UTC)
        try:
            await watch.note(EndpointNote(endpoint=note.endpoint, state="up", reason="no longer watched", since=now))
        except ApplicationError as err:
            raise SetupError(f"{note.endpoint} is no longer watched and still held back: {err}; start again") from err


def _system_of(settings: Settings, connected: Connected, endpoint: str) -> System:
    return settings.systems[connected.system_of.get(endpoint, endpoint)]


def _records_of(settings: Settings, system: str) -> str:
    return records_endpoint(system, settings.systems[system].kind)


def _system_worker(
    client: Client, settings: Settings, connected: Connected, reports: ReconciliationBook, endpoint: str, build: str
) -> Worker:
    system = _system_of(settings, connected, endpoint)
    activities = connected.activities[endpoint]
    if endpoint in connected.readers:
        name = connected.system_of.get(endpoint, endpoint)
        books = ReconcileBooks(connected.readers[endpoint], reports, lambda store: settings.serves(name, store))
        activities = [*activities, books.find_keys, books.read]
    return Worker(
        client,
        task_queue=system_queue(endpoint),
        activities=activities,
        max_concurrent_activities=system.max_concurrent,
        max_task_queue_activities_per_second=system.per_second,
        graceful_shutdown_timeout=GRACE,
        build_id=build,
    )


def _hours(settings: Settings, connected: Connected, endpoint: str) -> Hours:
    system = _system_of(settings, connected, endpoint)
    # A system that is two endpoints takes writes at the same hours at both only where its records are: the hosted
    # payment service gives links around the clock.
    keeps_records = endpoint == records_endpoint(connected.system_of.get(endpoint, endpoint), system.kind)
    windows = system.write_windows if keeps_records else ()
    return Hours(tuple(read_window(text) for text in windows), system.write_windows_zone)


def _watch_plan(settings: Settings, connected: Connected, endpoint: str) -> WatchPlan:
    system = _system_of(settings, connected, endpoint)
    return WatchPlan(
        probe_every=system.probe_every_seconds,
        ramp=system.recovery_steps,
        ramp_step=system.recovery_step_seconds,
        standstill=system.standstill_seconds,
    )


async def main(config: Path) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        set_up_telemetry("holdfast-worker")
        settings = load(config)
        await run(settings, stop)
    except ConfigError as err:
        print(err, file=sys.stderr)
        return 2
    except SetupError as err:
        print(err, file=sys.stderr)
        return 2
    except (SystemFailure, RuntimeError) as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Run Holdfast's worker.")
    options.add_argument("--config", type=Path, default=Path("holdfast.toml"), help="the configuration file")
    code = asyncio.run(main(options.parse_args().config))
    end_telemetry()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
