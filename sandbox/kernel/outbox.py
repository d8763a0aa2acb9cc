"""Outgoing notifications of the vendors: kept with the change that caused them, sent until taken, at least once."""

import asyncio
import base64
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from sandbox.kernel.store import Doc

if TYPE_CHECKING:
    from sandbox.kernel.world import World

log = logging.getLogger("sandbox")

TRIES = 7  # Adobe Commerce gives up after seven deliveries (contract section 14)
FIRST_WAIT_SECONDS = 0.5  # doubled after each try
HELD_SECONDS = 3.0  # a reordered one leaves at last when no other follows
BEHIND_SECONDS = 0.2  # how far a reordered one stays behind the one that overtook it
AT_ONCE = 16  # on their way at one time
ANSWER_SECONDS = 10.0  # how long a receiver may take


@dataclass
class Notification:
    """One outgoing HTTP call of a vendor (webhook, event)."""

    vendor: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    once: str = ""  # what waits to set out under the same name says it already


class Outbox:
    """The notifications on their way.

    A row: `vendor`, `url`, `body` (base64), `headers`, `once`, `tries`, `state`, `due`.
    `state` is `new` (faults not yet applied), `held` (waits to be overtaken) or `due`; `due` is in epoch seconds.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rows = world.store.table("kernel.outbox")
        self._sending: dict[str, asyncio.Task[None]] = {}

    def add(self, notification: Notification) -> None:
        """Keep a notification in the open transaction; it goes out when that is committed."""
        waiting = self._rows.where("state", "new") if notification.once else []
        if any((row["vendor"], row.get("once")) == (notification.vendor, notification.once) for row in waiting):
            return
        body = base64.b64encode(notification.body).decode()
        self._put(
            {
                "vendor": notification.vendor,
                "url": notification.url,
                "body": body,
                "headers": notification.headers,
                "once": notification.once,
                "tries": 0,
                "state": "new",
                "due": 0.0,
            }
        )

    def _put(self, row: Doc) -> None:
        self._rows.put(str(self._world.store.number("kernel.outbox")), row)

    async def run(self) -> None:
        """Send what is due, for ever."""
        async with httpx2.AsyncClient(
            timeout=ANSWER_SECONDS, trust_env=False, limits=httpx2.Limits(max_connections=AT_ONCE)
        ) as http:
            try:
                while True:
                    self._world.outbox_wake.clear()
                    if self._rows.where("state", "new"):
                        async with self._world.unit():
                            for key in self._rows:
                                self._route(key)
                    await self._wait(self._send_due(http))
            finally:
                for task in self._sending.values():
                    task.cancel()
                await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._world.outbox_wake.wait()
        except TimeoutError:
            return

    def _route(self, key: str) -> None:
        """Apply the fault rules to a new notification."""
        row = self._rows.get(key)
        if row is None or row["state"] != "new":
            return
        rule = self._world.faults[row["vendor"]].pick("notification", "POST", row["url"], base64.b64decode(row["body"]))
        kind = rule.kind if rule else None
        now = time.time()
        if kind == "drop":
            self._rows.delete(key)
            return
        if kind == "reorder":
            self._rows.put(key, row | {"state": "held", "due": now + HELD_SECONDS})
            return
        seconds = float(rule.options.get("seconds", 5)) if rule and kind == "delay" else 0.0
        ready = row | {"state": "due", "due": now + seconds}
        if kind == "garble":
            body = base64.b64decode(row["body"])
            ready["body"] = base64.b64encode(body[: len(body) // 2] + b"\xff\x00<garbled>").decode()
        self._rows.put(key, ready)
        if kind == "duplicate":
            self._put(ready)
        for held in self._rows:
            other = self._rows.get(held)
            if other and other["state"] == "held" and other["vendor"] == row["vendor"]:
                self._rows.put(held, other | {"state": "due", "due": ready["due"] + BEHIND_SECONDS})

    def _send_due(self, http: httpx2.AsyncClient) -> float | None:
        """Start what is due; answers the seconds until the next one is (None: nothing waits)."""
        now, waits = time.time(), []
        for key in self._rows:
            if len(self._sending) >= AT_ONCE:  # the first that ends wakes us
                break
            row = self._rows.get(key)
            if row is None or row["state"] == "new" or key in self._sending:
                continue
            if row["due"] > now:
                waits.append(row["due"] - now)
            else:
                task = asyncio.get_running_loop().create_task(self._send(http, key, row))
                self._sending[key] = task
                task.add_done_callback(partial(self._sent, key))
        return min(waits, default=None)

    def _sent(self, key: str, task: "asyncio.Task[None]") -> None:
        self._sending.pop(key, None)
        self._world.outbox_wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("notification %s could not be handled", key, exc_info=task.exception())

    async def _send(self, http: httpx2.AsyncClient, key: str, row: Doc) -> None:
        outcome: Any
        try:
            reply = await http.post(row["url"], content=base64.b64decode(row["body"]), headers=row["headers"])
            outcome = reply.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as err:
            outcome = repr(err)
        taken = isinstance(outcome, int) and 200 <= outcome < 300
        tries = row["tries"] + 1
        async with self._world.unit():
            if key not in self._rows:  # a reset came in between
                return
            if taken or tries >= TRIES:
                self._rows.delete(key)
            else:
                due = time.time() + FIRST_WAIT_SECONDS * 2 ** (tries - 1)
                self._rows.put(key, row | {"tries": tries, "state": "due", "due": due})
        if not taken:
            verdict = "given up" if tries >= TRIES else "not taken"
            log.warning("notification of %s to %s %s, try %d: %s", row["vendor"], row["url"], verdict, tries, outcome)
