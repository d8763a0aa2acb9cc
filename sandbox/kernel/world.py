"""The world the vendors share: store, clock, addresses, faults, request logs, delayed jobs and notifications."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sandbox.kernel.faults import Faults
from sandbox.kernel.jobs import Jobs
from sandbox.kernel.outbox import Notification, Outbox
from sandbox.kernel.store import Store

__all__ = ["DATA_SETS", "ActError", "Notification", "Vendor", "World"]

log = logging.getLogger("sandbox")

DATA_SETS = ("demo", "empty")
TICK_SECONDS = 0.25  # how often the vendors' own jobs look around while the clock is automatic
BODIES_KEPT = 2_000  # of each vendor's latest requests; older entries keep their line and lose the body
BODY_CHARACTERS = 20_000


class Door(Protocol):
    """An address of a vendor that can be shut: see `sandbox.kernel.serve`."""

    def shut(self) -> None: ...

    async def open(self) -> None: ...


class ActError(ValueError):
    """An `act` that the vendor cannot do; the message starts with the argument at fault (`sku: ...`).

    `field` is taken from the message when it is not given; `allowed` says what may stand there.
    """

    def __init__(self, message: str, *, field: str | None = None, allowed: Any = None) -> None:
        super().__init__(message)
        head, colon, _ = message.partition(":")
        self.field = field or (head if colon and " " not in head else "do")
        self.allowed = allowed


class Vendor:
    """What the kernel asks of a stand-in. `name` is its name in the control API; `asgi` serves its port."""

    name: str
    topics: tuple[str, ...] = ()  # notifications that are sent only where an address of their own is given

    def __init__(self, world: "World") -> None:
        self.world = world
        self.store = world.store

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. The body was read before and a store transaction is open; nothing here may wait."""
        raise NotImplementedError

    def protocols(self) -> dict[str, Callable[[], asyncio.Protocol]]:
        """What the vendor speaks besides HTTP, by name; each gets a port of its own."""
        return {}

    def credentials(self) -> dict[str, Any]:
        """What a client needs to log in (shown by the control API). Called inside a transaction."""
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

    def run_job(self, name: str, payload: dict[str, Any]) -> None:
        """Do a job that was handed to `World.schedule`. Runs in a transaction; what it raises is tried again."""
        raise NotImplementedError(f"{self.name} has no job {name!r}")

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        """The business key that a request carries, for the request log."""
        return None

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """The vendor's own answer for the kinds lock, limit and expire-auth: status, headers, body."""
        return 503, {"content-type": "text/plain"}, kind.encode()


class World:
    """One world over one store. `lock` is held by whoever has a transaction open: use `unit()` for both at once."""

    def __init__(self, store: Store, *, seed: int = 1, request_log: int = 20_000) -> None:
        self.store = store
        self.seed = seed
        self.vendors: dict[str, Vendor] = {}
        self.faults: dict[str, Faults] = {}
        self.urls: dict[str, str] = {}
        self.requests: dict[str, deque[dict[str, Any]]] = {}
        self.generation = 0  # how often the world was made anew since the start
        self.lock = asyncio.Lock()
        self._settling = asyncio.Lock()
        self.outbox_wake = asyncio.Event()
        self.jobs_wake = asyncio.Event()
        self.on_commit: list[Callable[[], None]] = []
        self.doors: dict[str, Sequence[Door]] = {}
        clock = store.table("kernel.state").get("clock") or {"auto": False, "speed": 60.0}
        self.clock_auto: bool = clock["auto"]
        self.clock_speed: float = clock["speed"]
        self.jobs = Jobs(self)
        self.outbox = Outbox(self)
        self._request_log = request_log
        # Not from 1: a client that remembers the last id it saw must find newer ones after a restart.
        self._request_id = int(time.time() * 1000)
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

    def set_clock(self, *, auto: bool, speed: float) -> None:
        """Let the vendors' own jobs run by themselves or not, `speed` times faster than life. Inside a transaction."""
        self.store.table("kernel.state").put("clock", {"auto": auto, "speed": speed})
        self.clock_auto, self.clock_speed = auto, speed

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        """The lock and a transaction; when it is kept, what it caused sets out."""
        async with self.lock:
            with self.store.transaction():
                yield
            self.committed()

    def committed(self) -> None:
        """A transaction was kept: the loops look at what it left them."""
        self.outbox_wake.set()
        self.jobs_wake.set()
        for call in self.on_commit:
            call()

    def record(self, vendor: str, method: str, path: str, status: int | None, key: str | None, body: bytes) -> None:
        """Note one request. `status` is None where the connection was cut without an answer."""
        self._request_id += 1
        entry = {
            "id": self._request_id,
            "at": self.now().isoformat(),
            "method": method,
            "path": path,
            "status": status,
            "key": key,
            "body": body.decode("utf-8", "replace")[:BODY_CHARACTERS],
        }
        entries = self.requests[vendor]
        entries.append(entry)
        if len(entries) > BODIES_KEPT:
            entries[-BODIES_KEPT - 1]["body"] = None

    def reset(self, data_set: str) -> None:
        """Wipe all vendors, load a seed data set and drop the fault rules (inside `lock`; `settle` follows).

        Clock and notification targets stay: they belong to whoever drives the sandbox.
        """
        with self.store.transaction():
            for vendor in self.vendors.values():
                self.store.wipe(vendor.name + ".")
            for waiting in ("kernel.outbox", "kernel.jobs"):
                for key in (table := self.store.table(waiting)):
                    table.delete(key)
            for vendor in self.vendors.values():
                vendor.seed(data_set)
            self.store.table("kernel.state").put("seed", {"data_set": data_set})
        self.generation += 1
        for name in self.vendors:
            self.requests[name].clear()
            self.set_faults(name, [])

    def set_faults(self, vendor: str, rules: Any) -> None:
        """Replace the fault rules of a vendor; `settle` follows. Raises BadRule and leaves the old ones."""
        self.faults[vendor].replace(rules)

    async def settle(self) -> None:
        """Make every vendor's doors follow its rules: shut while it is down, open otherwise.

        One at a time: two that open one door at once would both listen there, and rules may change while one opens.
        """
        async with self._settling:
            for name, doors in self.doors.items():
                for door in doors:
                    if self.faults[name].down:
                        door.shut()
                    else:
                        await door.open()

    def notify(self, notification: Notification) -> None:
        """Keep a notification in the open transaction; after the commit it is sent at least once, faults permitting."""
        self.outbox.add(notification)

    def notify_target(self, vendor: str) -> dict[str, Any] | None:
        """Where a vendor sends its notifications: `url`, `secret`, and `topics`: addresses of what goes elsewhere.

        None when nobody asked for them.
        """
        return self.store.table("kernel.notify").get(vendor)

    def schedule(self, vendor: str, name: str, seconds: float, payload: dict[str, Any]) -> None:
        """Have `run_job(name, payload)` of the vendor called `seconds` from now, once, whatever happens until then.

        Call it inside a transaction: a job of a transaction that is rolled back does not exist. `payload` is JSON.
        """
        self.jobs.add(vendor, name, seconds, payload)

    def start(self) -> None:
        """Start the loops, unless they run: notifications, delayed jobs, the automatic clock."""
        if self._tasks:
            return
        for loop in (self.outbox.run(), self.jobs.run(), self._tick()):
            self._spawn(loop)

    async def close(self) -> None:
        """Stop the loops; what waits in the store goes on with the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("a loop of the sandbox ended", exc_info=task.exception())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self.clock_auto:
                continue
            for vendor in self.vendors.values():
                try:
                    async with self.unit():
                        vendor.tick()
                except Exception:  # one vendor's jobs must not stop the clock of the others
                    log.exception("the jobs of %s failed", vendor.name)
