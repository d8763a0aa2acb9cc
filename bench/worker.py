"""Holdfast's worker with the baselines' workers in the same process, so that all have the same share of the machine.

python -m bench.worker --config holdfast.toml
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx2
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import PollerBehaviorAutoscaling, Worker

import worker
from bench import played
from bench.baseline import CALLS, NOTHING, QUEUE, BareCheckout, PlayedCheckout, Rehearse, bare_queue
from settings.connect import connect
from settings.load import load

QUERY = "/services/data/v68.0/query?q=SELECT+Id,+Name+FROM+Account+LIMIT+1"


@activity.defn(dynamic=True)
async def nothing(args: Sequence[RawValue]) -> None:
    """An activity that is only dispatched."""


class PlainCalls:
    """Asks the org for one record, as often on average as the measured activities called a vendor."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._owed = 0.0

    @activity.defn(dynamic=True)
    async def call(self, args: Sequence[RawValue]) -> None:
        script = played.script()
        self._owed += script.calls / script.count("activity")
        while self._owed >= 1:
            self._owed -= 1
            (await self._http.get(QUERY)).raise_for_status()

    async def log_in(self) -> None:
        form = {name: os.environ[f"SANDBOX_SALESFORCE_{name.upper()}"] for name in ("client_id", "client_secret")}
        reply = await self._http.post("/services/oauth2/token", data={"grant_type": "client_credentials", **form})
        self._http.headers["authorization"] = f"Bearer {reply.raise_for_status().json()['access_token']}"


async def serve_baselines(client: Client, stack: AsyncExitStack) -> None:
    http = httpx2.AsyncClient(base_url=os.environ["SANDBOX_SALESFORCE_URL"], timeout=60)
    calls = PlainCalls(await stack.enter_async_context(http))
    await calls.log_in()
    workers = [
        Worker(
            client,
            task_queue=QUEUE,
            workflows=[BareCheckout, PlayedCheckout, Rehearse],
            activities=[played.rehearse, played.nothing_locally],
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
            graceful_shutdown_timeout=timedelta(seconds=5),
        ),
        Worker(client, task_queue=bare_queue(NOTHING), activities=[nothing], max_concurrent_activities=50),
        Worker(client, task_queue=bare_queue(CALLS), activities=[calls.call], max_concurrent_activities=50),
    ]
    for one in workers:
        await stack.enter_async_context(one)


async def main(config: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect()
    async with AsyncExitStack() as stack:
        await serve_baselines(client, stack)
        await worker.run(load(config), stop, client)


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__)
    options.add_argument("--config", type=Path, required=True)
    try:
        asyncio.run(main(options.parse_args().config))
    except Exception:
        logging.exception("the worker cannot go on")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # the engine's SDK may abort in its own clean-up at interpreter exit
