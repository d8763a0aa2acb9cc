"""The world the vendors share: store, clock, addresses, faults, request logs and outgoing notifications."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from sandbox.kernel.faults import Faults
from sandbox.kernel.store import Store

log = logging.getLogger("sandbox")

NOTIFICATION_TRIES = 7  # Adobe Commerce gives up after seven deliveries (contract section 14)


class ActError(ValueError):
    """An `act` that the vendor cannot do; the message says which argument is wrong and what is allowed."""


@dataclass
class Notification:
    """One outgoing HTTP call of a vendor (webhook, event)."""

    vendor: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Vendor:
    """What the kernel asks of a stand-in. `name` is its name in the control API; `asgi` serves its port."""

    name: str

    def __init__(self, world: "World") -> None:
        self.world = world
        self.store = world.store

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. The body was read before and a store transaction is open; nothing here may wait."""
        raise NotImplementedError

    def credentials(self) -> dict[str, Any]:
        """What a client needs to log in (shown by the control API)."""
        return {}

    def seed(self, data_set: str) -> None:
        """Load a seed data set (`demo`, `empty`) into wiped tables."""

    def books(self) -> dict[str, Any]:
        """The documents that exist, in the neutral shape of the control API."""
        return {}

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Let the vendor's own people or jobs do something. Raises ActError."""
        raise ActError(f"do: {self.name} cannot {do!r}")

    def tick(self) -> None:
        """Let the vendor's own jobs run once; called repeatedly while the clock is automatic."""

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        """The business key that a request carries, for the request log."""
        return None

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """The vendor's own answer for the kinds lock, limit and expire-auth: status, headers, body."""
        return 503, {"content-type": "text/plain"}, kind.encode()


class World:
    def __init__(self, store: Store, *, seed: int = 1, request_log: int = 20_000) -> None:
        self.store = store
        self.seed = seed
        self.vendors: dict[str, Vendor] = {}
        self.faults: dict[str, Faults] = {}
        self.urls: dict[str, str] = {}
        self.requests: dict[str, deque[dict[str, Any]]] = {}
        self.lock = asyncio.Lock()
        self.clock_auto = False
        self.clock_speed = 60.0
        self._request_log = request_log
        self._request_id = 0
        self._after_commit: list[Callable[[], None]] = []
        self._held: dict[str, Notification] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, vendor: Vendor) -> None:
        self.vendors[vendor.name] = vendor
        self.faults[vendor.name] = Faults(self.seed)
        self.requests[vendor.name] = deque(maxlen=self._request_log)

    def vendor(self, name: str) -> Vendor:
        return self.vendors[name]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def scaled(self, real: timedelta) -> float:
        """Seconds that `real` takes at the clock's speed."""
        return real.total_seconds() / self.clock_speed

    def record(self, vendor: str, method: str, path: str, status: int | None, key: str | None, body: bytes) -> None:
        """Note one request. `status` is None where the connection was cut without an answer."""
        self._request_id += 1
        self.requests[vendor].append(
            {
                "id": self._request_id,
                "at": self.now().isoformat(),
                "method": method,
                "path": path,
                "status": status,
                "key": key,
                "body": body.decode("utf-8", "replace")[:20_000],
            }
        )

    def reset(self, data_set: str) -> None:
        """Wipe all vendors and load a seed data set."""
        with self.store.transaction():
            for vendor in self.vendors.values():
                self.store.wipe(vendor.name + ".")
                self.faults[vendor.name] = Faults(self.seed)
                self.requests[vendor.name].clear()
            for vendor in self.vendors.values():
                vendor.seed(data_set)

    def notify(self, notification: Notification) -> None:
        """Send a notification after the open transaction is committed (at least once, faults permitting)."""
        self._after_commit.append(lambda: self._start(notification))

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Run `job` in a transaction of its own after `seconds` (used for a vendor's asynchronous writes)."""

        async def run() -> None:
            await asyncio.sleep(seconds)
            async with self.lock:
                with self.store.transaction():
                    job()
                self.committed()

        self._after_commit.append(lambda: self._spawn(run()))

    def committed(self) -> None:
        """The gate says: the transaction is kept. What waited for that starts now."""
        waiting, self._after_commit = self._after_commit, []
        for start in waiting:
            start()

    def rolled_back(self) -> None:
        self._after_commit = []

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed", exc_info=task.exception())

    def _start(self, notification: Notification) -> None:
        rule = self.faults[notification.vendor].pick("notification", "POST", notification.url)
        kind = rule.kind if rule else None
        options = rule.options if rule else {}
        if kind == "drop":
            return
        if kind == "reorder":  # held until the next one has gone out
            self._held[notification.vendor] = notification
            return
        if kind == "garble":
            notification.body = notification.body[: len(notification.body) // 2] + b"\xff\x00<garbled>"
        delay = float(options.get("seconds", 5)) if kind == "delay" else 0.0
        for _ in range(2 if kind == "duplicate" else 1):
            self._spawn(self._deliver(notification, delay))
        held = self._held.pop(notification.vendor, None)
        if held is not None:
            self._spawn(self._deliver(held, delay + 0.2))

    async def _deliver(self, notification: Notification, delay: float) -> None:
        await asyncio.sleep(delay)
        async with httpx2.AsyncClient(timeout=10) as http:
            for attempt in range(NOTIFICATION_TRIES):
                try:
                    reply = await http.post(notification.url, content=notification.body, headers=notification.headers)
                    if reply.status_code < 500 and reply.status_code != 429:
                        return
                except httpx2.HTTPError as err:
                    log.info("notification of %s to %s failed: %s", notification.vendor, notification.url, err)
                await asyncio.sleep(min(2**attempt * 0.5, 30))
        log.warning("notification of %s to %s was given up", notification.vendor, notification.url)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
