"""Everything that a whole process needs, real and of its own: sandbox, PostgreSQL, Temporal, and settings for them.

The settings are the project's `holdfast.toml` with a faster pace. Workers run inside the test (`workers`) or as
processes of their own (`worker_process`).
"""

import asyncio
import contextlib
import itertools
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

import worker
from activities.ledger.database import engine_for, migrate
from activities.ledger.store import Ledger
from engine.processes import Child
from settings.load import load
from settings.model import Settings
from tests.engine_process import start_postgres, start_temporal
from tests.sandbox_process import ROOT, Sandbox, running_sandbox
from workflows.converter import data_converter

CONFIG = ROOT / "holdfast.toml"
# Pauses and patience fit for tests. `visible_after` must stay above the hosted service's time-out.
PACE = {
    "SYSTEMS__MAGENTO__FOLLOW_EVERY_SECONDS": "0.5",
    "SYSTEMS__MAGENTO__OVERLAP_SECONDS": "60",
    "SYSTEMS__MAGENTO__TIMEOUT_SECONDS": "2",
    "SYSTEMS__MAGENTO__SETTLED_AFTER_SECONDS": "2.5",
    "SYSTEMS__FINANCIALFORCE__FOLLOW_EVERY_SECONDS": "2",
    "SYSTEMS__FINANCIALFORCE__FULFILLMENT__FEED_OVERLAP_SECONDS": "5",
    "SYSTEMS__FINANCIALFORCE__SALESFORCE__TIMEOUT_SECONDS": "5",
    "SYSTEMS__FINANCIALFORCE__SALESFORCE__SETTLED_AFTER_SECONDS": "2",
    "SYSTEMS__JUSTON__FOLLOW_EVERY_SECONDS": "0.5",
    "SYSTEMS__JUSTON__FEED_OVERLAP_SECONDS": "5",
    "SYSTEMS__JUSTON__HOSTED_TIMEOUT_SECONDS": "1",
    "SYSTEMS__JUSTON__VISIBLE_AFTER_SECONDS": "1.2",
    "SYSTEMS__JUSTON__SALESFORCE__TIMEOUT_SECONDS": "5",
    "SYSTEMS__JUSTON__SALESFORCE__SETTLED_AFTER_SECONDS": "2",
    # What the steps do by themselves; tests/outage turns the watch on.
    **{f"SYSTEMS__{name}__WATCH": "false" for name in ("MAGENTO", "FINANCIALFORCE", "JUSTON", "CARRIER")},
    "SYSTEMS__CARRIER__FOLLOW_EVERY_SECONDS": "1",
    "STORES__CH__SHOP_NOTES": "visible",  # the other stores keep quiet
    "STORE_DEFAULTS__RETRY_LONGEST_SECONDS": "1",
    "STORE_DEFAULTS__INVOICE_POLL_SECONDS": "1",
    "STORE_DEFAULTS__ERP_CHECK_SECONDS": "2",
    "MAIL__TIMEOUT_SECONDS": "5",
    "RECONCILIATION__ENABLED": "false",  # the clock starts none in the middle of a test
}
_numbers = itertools.count(1)


@dataclass
class Stand:
    sandbox: Sandbox
    client: Client
    skipper: TimeSkipper
    settings: Settings
    ledger: Ledger
    environment: dict[str, str]
    logs: Path

    @contextlib.asynccontextmanager
    async def workers(self) -> AsyncIterator[None]:
        """All queues are served from inside this process; at the end what is under way is finished."""
        stop, serving = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(worker.run(self.settings, stop, self.client, serving=serving))
        ready = asyncio.create_task(serving.wait())
        try:
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            yield
        finally:
            ready.cancel()
            stop.set()
            await running

    def worker_process(self, **settings: str) -> Child:
        """A real `python worker.py`, not started yet; the caller stops or kills it. `settings` override the pace."""
        argv = [sys.executable, str(ROOT / "worker.py"), "--config", str(CONFIG)]
        log_file = self.logs / f"worker-{next(_numbers)}.log"

        async def ready() -> bool:
            return "serving " in log_file.read_text("utf-8", "replace")

        environment = self.environment | {f"HOLDFAST__{name}": value for name, value in settings.items()}
        return Child("worker", argv, log_file, env=environment, cwd=ROOT, ready=ready)


@contextlib.asynccontextmanager
async def standing(
    also: Mapping[str, str] = MappingProxyType({}), *, dynamic: tuple[str, ...] = (), sandbox_with: tuple[str, ...] = ()
) -> AsyncIterator[Stand]:
    """`also` are variables of the environment that go before the stand's own, `dynamic` settings of its Temporal,
    `sandbox_with` options of its sandbox.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-flow-") as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            (folder / "sandbox").mkdir()
            sandbox = stack.enter_context(running_sandbox(folder / "sandbox", *sandbox_with))
            sandbox.act("juston", "configure", entry_delay_ms=50, payment_delay_ms=50, refund_delay_ms=20)
            database = await start_postgres(folder / "postgres")
            stack.push_async_callback(database.child.stop)
            engine = await start_temporal(folder / "temporal", dynamic)
            stack.push_async_callback(engine.child.stop)
            # At once: nobody needs the data any more, and an orderly end takes seconds.
            database.child.stop_signal, engine.child.stop_signal = signal.SIGQUIT, signal.SIGKILL
            url = await database.database()
            environment = {"TEMPORAL_ADDRESS": engine.address, **_environment(sandbox, url), **also}
            client = await Client.connect(engine.address, data_converter=data_converter)
            settings = load(CONFIG, environment)
            pool = engine_for(url, pool_size=3)
            stack.push_async_callback(pool.dispose)
            await migrate(pool)
            skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
            yield Stand(sandbox, client, skipper, settings, Ledger(pool), environment, folder / "logs")


def _environment(sandbox: Sandbox, ledger: str) -> dict[str, str]:
    shop, org, pay = (sandbox.credentials(name) for name in ("magento", "salesforce", "juston"))
    host, _, port = sandbox.url("mail-smtp").rpartition(":")
    named = {
        "MAGENTO_URL": sandbox.url("magento"),
        "MAGENTO_CONSUMER_KEY": shop["consumer_key"],
        "MAGENTO_CONSUMER_SECRET": shop["consumer_secret"],
        "MAGENTO_ACCESS_TOKEN": shop["access_token"],
        "MAGENTO_ACCESS_TOKEN_SECRET": shop["access_token_secret"],
        "MAGENTO_WEBHOOK_PUBLIC_KEY": shop["webhook_public_key"],
        "SALESFORCE_URL": sandbox.url("salesforce"),
        "SALESFORCE_CLIENT_ID": org["client_id"],
        "SALESFORCE_CLIENT_SECRET": org["client_secret"],
        "JUSTON_URL": sandbox.url("juston"),
        "JUSTON_TENANT": pay["tenant"],
        "JUSTON_TOKEN": pay["token"],
        "CARRIER_URL": sandbox.url("carrier"),
        "CARRIER_TOKEN": sandbox.credentials("carrier")["token"],
        "NOTIFY_SECRET": secrets.token_urlsafe(24),
        "MAIL_HOST": host,
        "MAIL_PORT": port,
    }
    tokens = {f"HOLDFAST_{name}_TOKEN": secrets.token_urlsafe(24) for name in ("PORTAL", "OPERATOR")}
    paced = {f"HOLDFAST__{name}": value for name, value in PACE.items()}
    return {
        **{f"SANDBOX_{name}": value for name, value in named.items()},
        **tokens,
        **paced,
        "HOLDFAST_LEDGER_URL": ledger,
    }


async def messages(sandbox: Sandbox) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(base_url=sandbox.url("mail"), timeout=10) as inbox:
        found: list[dict[str, Any]] = (await inbox.get("/messages")).json()
        return found
