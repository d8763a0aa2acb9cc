"""A worker that kills itself at step boundaries, and is started again each time: `python -m tests.flow.dying_worker`.

DEATHS names a file with `{workflow id: n}`: the process dies once when n steps of that run are done or under way and
the next one is about to start, before the engine hears of that. DIED names the file in which every death is noted
before it comes. It ends with SIGTERM.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.client import Client
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkerConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

import worker
from settings.connect import connect
from settings.load import load

DEATHS: dict[str, int] = json.loads(Path(os.environ["DEATHS"]).read_text("utf-8"))
DIED = Path(os.environ["DIED"])


def die_once(workflow_id: str, steps: int) -> None:
    """Die, unless it happened before. The note goes first, so that the next process passes here."""
    line = f"{steps} {workflow_id}\n"
    if line in DIED.read_text("utf-8"):
        return
    with DIED.open("a", encoding="utf-8") as notes:
        notes.write(line)
    os.kill(os.getpid(), signal.SIGKILL)


class DiesBeforeStarting(WorkflowOutboundInterceptor):
    _started = 0

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        self._count()
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        self._count()
        return super().start_local_activity(input)

    def _count(self) -> None:
        workflow_id = workflow.info().workflow_id
        if self._started == DEATHS.get(workflow_id) and not workflow.unsafe.is_replaying():
            die_once(workflow_id, self._started)
        self._started += 1


class Between(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(DiesBeforeStarting(outbound))


class Dying(Interceptor):
    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return Between


class Mortal(SimplePlugin):
    """Adds the deaths, and lets another worker take over soon what a dead one had in its memory."""

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config["sticky_queue_schedule_to_start_timeout"] = timedelta(seconds=1)
        return super().configure_worker(config)


async def serve(config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await connect()
    with_deaths = Client(**{**client.config(), "plugins": [Mortal("mortal", interceptors=[Dying()])]})  # type: ignore[arg-type]
    await worker.run(load(config), stop, with_deaths)


def main(config: Path) -> NoReturn:
    ended = False
    child = 0

    def end(*_: object) -> None:
        nonlocal ended
        ended = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    print("serving one life after the other", flush=True)
    while not ended:
        child = os.fork()  # everything is imported already: the next life begins at once
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            asyncio.run(serve(config))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
    sys.exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
