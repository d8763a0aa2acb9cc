"""Everything on one machine: PostgreSQL, Temporal with its UI, the sandbox, the worker and the API.

State is kept under one folder: a second start there finds everything again, also after a kill -9. What the environment
already names (HOLDFAST_LEDGER_URL, TEMPORAL_ADDRESS) is used instead of being started.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx2
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateNamespaceRequest
from temporalio.service import RPCError

from engine import postgres, temporal
from engine.processes import CannotStart, Child, Household, free_port
from settings.connect import connect
from workflows.names import CONTROL_QUEUE, WORKFLOW_QUEUE

ROOT = Path(__file__).resolve().parent.parent
RETENTION = Duration(seconds=90 * 86_400)
PREFERRED = {"api": 8080, "temporal": 7233, "ui": 8233, "postgres": 54_320, "sandbox": 9100}
PARTS_END_WITHIN = 60.0  # seconds; the slowest part is given 30 to stop


@dataclass
class Addresses:
    """Where everything is, for people and for the CLI. `sandbox` is empty when real vendors are configured."""

    api: str = ""
    temporal: str = ""
    temporal_ui: str = ""
    ledger: str = ""
    sandbox: dict[str, str] = field(default_factory=dict)
    portal_token: str = ""
    operator_token: str = ""


class Stack:
    def __init__(
        self,
        data: Path,
        config: Path,
        *,
        tell: Callable[[str], None] = print,
        worker: Sequence[str] = (str(ROOT / "worker.py"),),
        workers: int = 1,
    ) -> None:
        """`worker` is the program that serves the queues, `workers` how many of it run side by side."""
        self.data = data.resolve()
        self.config = config.resolve()
        self.addresses = Addresses()
        self.env: dict[str, str] = {}
        self.household = Household()
        self.worker: Child | None = None
        self._tell = tell
        self._worker_program = worker
        self._workers = workers
        self._lock: IO[str] | None = None
        self._parts: IO[str] | None = None

    async def start(self) -> None:
        """Start all parts in order. Raises CannotStart; what was started by then is stopped again."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._take()
        try:
            await self._wait_for_earlier_parts()
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self.household.stop(self._tell)
        (self.data / "addresses.json").unlink(missing_ok=True)
        for lock in (self._parts, self._lock):
            if lock is not None:
                lock.close()
        self._parts = self._lock = None

    async def _start(self) -> None:
        tokens = self._tokens()
        ports = self._ports()
        self.env |= {"HOLDFAST_PORTAL_TOKEN": tokens["portal"], "HOLDFAST_OPERATOR_TOKEN": tokens["operator"]}
        self.addresses.portal_token, self.addresses.operator_token = tokens["portal"], tokens["operator"]
        await self._ledger(ports["postgres"])
        await self._engine(ports["temporal"], ports["ui"])
        if self._wants_sandbox():
            await self._sandbox(ports["sandbox"], ports["api"], tokens["notify"])
        self.env["HOLDFAST__API__PORT"] = str(ports["api"])  # the worker sends buyers back there
        await self._worker()
        await self._api(ports["api"])
        self._keep_addresses()

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _ledger(self, port: int) -> None:
        given = os.environ.get("HOLDFAST_LEDGER_URL")
        if given:
            self.addresses.ledger = given
            await postgres.wait_for(given)
        else:
            password = await asyncio.to_thread(postgres.prepare, self.data / "postgres")
            await self._add(postgres.child(self.data / "postgres", port, password, self._log("postgres")))
            self.addresses.ledger = await postgres.ensure_database(port, password, "holdfast")
        self.env["HOLDFAST_LEDGER_URL"] = self.addresses.ledger

    async def _engine(self, port: int, ui_port: int) -> None:
        given = os.environ.get("TEMPORAL_ADDRESS")
        if given:
            self.addresses.temporal = given
        else:
            await self._add(temporal.child(self.data / "temporal", port, ui_port, self._log("temporal")))
            self.addresses.temporal = f"127.0.0.1:{port}"
            await self._keep_histories()
            self.addresses.temporal_ui = f"http://127.0.0.1:{ui_port}"
        self.env["TEMPORAL_ADDRESS"] = self.addresses.temporal
        self.env["HOLDFAST__API__TEMPORAL_UI"] = self.addresses.temporal_ui

    async def _keep_histories(self) -> None:
        """A development server forgets ended runs after a day; operators look further back than that."""
        with _environment({"TEMPORAL_ADDRESS": self.addresses.temporal}):
            client = await connect()
        config = NamespaceConfig(workflow_execution_retention_ttl=RETENTION)
        request = UpdateNamespaceRequest(namespace=client.namespace, config=config)
        await client.workflow_service.update_namespace(request)

    async def _sandbox(self, port: int, api_port: int, notify_secret: str) -> None:
        ports_file = self.data / "sandbox.json"
        argv = [sys.executable, "-m", "sandbox", "--data", str(self.data / "sandbox"), "--base-port", str(port)]
        argv += ["--ports-file", str(ports_file)]

        async def ready() -> bool:
            return ports_file.exists()

        ports_file.unlink(missing_ok=True)
        await self._add(Child("sandbox", argv, self._log("sandbox"), cwd=ROOT, ready=ready))
        found = json.loads(ports_file.read_text())
        self.addresses.sandbox = found
        async with httpx2.AsyncClient(base_url=found["control"], timeout=30) as control:
            systems: dict[str, Any] = (await control.get("/systems")).json()
            hooks = f"http://127.0.0.1:{api_port}/v1/webhooks"
            for vendor, hook in (("magento", "magento"), ("salesforce", "juston"), ("carrier", "carrier")):
                target: dict[str, Any] = {"url": f"{hooks}/{hook}", "secret": notify_secret}
                if vendor == "salesforce":  # one org, two systems
                    target["topics"] = {"goods": f"{hooks}/financialforce"}
                (await control.put(f"/systems/{vendor}/notify", json=target)).raise_for_status()
            (await control.put("/clock", json={"auto": True, "speed": 60})).raise_for_status()
        shop, org = systems["magento"]["credentials"], systems["salesforce"]["credentials"]
        pay = systems["juston"]["credentials"]
        host, _, mail_port = found["mail-smtp"].rpartition(":")
        self.env |= {
            "SANDBOX_MAGENTO_URL": systems["magento"]["url"],
            "SANDBOX_MAGENTO_CONSUMER_KEY": shop["consumer_key"],
            "SANDBOX_MAGENTO_CONSUMER_SECRET": shop["consumer_secret"],
            "SANDBOX_MAGENTO_ACCESS_TOKEN": shop["access_token"],
            "SANDBOX_MAGENTO_ACCESS_TOKEN_SECRET": shop["access_token_secret"],
            "SANDBOX_MAGENTO_WEBHOOK_PUBLIC_KEY": shop["webhook_public_key"],
            "SANDBOX_SALESFORCE_URL": systems["salesforce"]["url"],
            "SANDBOX_SALESFORCE_CLIENT_ID": org["client_id"],
            "SANDBOX_SALESFORCE_CLIENT_SECRET": org["client_secret"],
            "SANDBOX_JUSTON_URL": systems["juston"]["url"],
            "SANDBOX_JUSTON_TENANT": pay["tenant"],
            "SANDBOX_JUSTON_TOKEN": pay["token"],
            "SANDBOX_CARRIER_URL": systems["carrier"]["url"],
            "SANDBOX_CARRIER_TOKEN": systems["carrier"]["credentials"]["token"],
            "SANDBOX_NOTIFY_SECRET": notify_secret,
            "SANDBOX_MAIL_HOST": host,
            "SANDBOX_MAIL_PORT": mail_port,
        }

    async def _worker(self) -> None:
        argv = [sys.executable, *self._worker_program, "--config", str(self.config)]
        names = ["worker", *(f"worker-{i}" for i in range(2, self._workers + 1))]
        for name in names:
            await self._add(Child(name, argv, self._log(name), self.env, cwd=ROOT, ready=self._polled))
        self.worker = self.part("worker")

    def part(self, name: str) -> Child:
        """The running part with this name: postgres, temporal, sandbox, worker, worker-2, ..., api."""
        return next(child for child in self.household.children if child.name == name)

    async def _polled(self) -> bool:
        with _environment({"TEMPORAL_ADDRESS": self.addresses.temporal}):
            client = await connect(patience=10)
        kinds = {
            WORKFLOW_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            CONTROL_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        }
        for name, kind in kinds.items():
            request = DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind
            )
            try:
                reply = await client.workflow_service.describe_task_queue(request)
            except RPCError:
                return False
            if not reply.pollers:
                return False
        return True

    async def _api(self, port: int) -> None:
        self.addresses.api = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "api", "--config", str(self.config)]

        async def ready() -> bool:
            async with httpx2.AsyncClient(timeout=2) as http:
                try:
                    return (await http.get(f"{self.addresses.api}/healthz")).status_code == 200
                except httpx2.HTTPError:
                    return False

        await self._add(Child("api", argv, self._log("api"), self.env, cwd=ROOT, ready=ready))

    # ---- what is kept ------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """One stack for one folder: two would share a database."""
        self._lock = (self.data / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise CannotStart(f"{self.data} is in use by another `starter.py up`; stop it, or use --data") from None

    async def _wait_for_earlier_parts(self) -> None:
        """After a kill -9 of the parent its parts still take a moment to end, and two servers cannot share a database.

        Every part inherits this lock, so it is free when the last one has ended.
        """
        self._parts = (self.data / "parts.lock").open("a")
        deadline = asyncio.get_running_loop().time() + PARTS_END_WITHIN
        told = False
        while True:
            try:
                fcntl.flock(self._parts, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise CannotStart(f"parts of an earlier run in {self.data} still run; stop them first") from None
                if not told:
                    self._tell("waiting for the parts of an earlier run to end")
                told = True
                await asyncio.sleep(0.1)
            else:
                return

    def _tokens(self) -> dict[str, str]:
        path = self.data / "tokens.json"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps({name: secrets.token_urlsafe(24) for name in ("portal", "operator", "notify")}))
        tokens: dict[str, str] = json.loads(path.read_text())
        for name in ("portal", "operator"):
            tokens[name] = os.environ.get(f"HOLDFAST_{name.upper()}_TOKEN", tokens[name])
        return tokens

    def _ports(self) -> dict[str, int]:
        """The ports of the last start where they are free, so that bookmarks and webhooks stay true."""
        path = self.data / "ports.json"
        before: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        ports: dict[str, int] = {}
        for name, preferred in PREFERRED.items():
            wanted = before.get(name, preferred)
            ports[name] = _free_row(wanted, 8) if name == "sandbox" else free_port(wanted)
            while list(ports.values()).count(ports[name]) > 1:
                ports[name] = free_port()
            if ports[name] != wanted:
                self._tell(f"port {wanted} is taken; {name} uses {ports[name]}")
        path.write_text(json.dumps(ports))
        return ports

    def _keep_addresses(self) -> None:
        path = self.data / "addresses.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"config": str(self.config), "env": self.env, **vars(self.addresses)}, indent=1))

    def _wants_sandbox(self) -> bool:
        return bool(re.search(r"\bSANDBOX_[A-Z_]+", self.config.read_text("utf-8")))

    def _log(self, name: str) -> Path:
        return self.data / "logs" / f"{name}.log"

    async def _add(self, child: Child) -> Child:
        self._tell(f"starting {child.name}")
        child.keep_open = (self._parts.fileno(),) if self._parts is not None else ()
        return await self.household.add(child)


def _free_row(first: int, count: int) -> int:
    """The first of `count` free ports in a row, at or after `first`."""
    for base in range(first, 60_000, 10):
        if all(free_port(base + i) == base + i for i in range(count)):
            return base
    raise CannotStart(f"no {count} free ports in a row from {first} on")


def is_in_use(data: Path) -> bool:
    """Whether a stack runs in this folder now."""
    try:
        with (data / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """The engine's client reads the environment; these values hold inside the block only."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
