"""Delayed work of the vendors, kept in the store: what a vendor promised happens once, also after a kill -9."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.kernel.world import World

log = logging.getLogger("sandbox")

TRIES = 3
WAIT_SECONDS = 1.0  # after a failure, times the number of tries so far


class Jobs:
    """The jobs that wait. A row: `vendor`, `name`, `payload`, `due` (epoch seconds), `tries`, `error` (None: fine).

    A job runs in the transaction that also takes it out of the table, so that it is done once or not at all. One that
    failed three times stays in the table with its error and is shown by the control API.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rows = world.store.table("kernel.jobs")

    def add(self, vendor: str, name: str, seconds: float, payload: dict[str, Any]) -> None:
        """Keep a job in the open transaction, due `seconds` from now."""
        row = {"vendor": vendor, "name": name, "payload": payload, "due": time.time() + seconds, "tries": 0}
        self._rows.put(str(self._world.store.number("kernel.jobs")), row | {"error": None})

    def failed(self, vendor: str) -> list[dict[str, Any]]:
        """Jobs that were given up: `name`, `payload`, `error`."""
        rows = (row for row in self._rows.values() if row["vendor"] == vendor and row["tries"] >= TRIES)
        return [{"name": row["name"], "payload": row["payload"], "error": row["error"]} for row in rows]

    def next_due(self) -> tuple[float, str] | None:
        """When (epoch seconds) and which job comes next."""
        rows = ((int(key), self._rows.get(key) or {}) for key in self._rows)
        waiting = ((row["due"], number) for number, row in rows if row["tries"] < TRIES)
        first = min(waiting, default=None)
        return None if first is None else (first[0], str(first[1]))

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            self._world.jobs_wake.clear()
            first = self.next_due()
            wait = None if first is None else first[0] - time.time()
            if first is not None and wait is not None and wait <= 0:
                await self._do(first[1])
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._world.jobs_wake.wait()
            except TimeoutError:
                continue

    async def _do(self, key: str) -> None:
        async with self._world.unit():
            row = self._rows.get(key)
            if row is None:  # a reset came in between
                return
            try:
                with self._world.store.transaction():
                    self._rows.delete(key)
                    self._world.vendors[row["vendor"]].run_job(row["name"], row["payload"])
            except Exception as err:
                log.exception("job %s of %s failed", row["name"], row["vendor"])
                tries = row["tries"] + 1
                due = time.time() + WAIT_SECONDS * tries
                self._rows.put(key, row | {"tries": tries, "due": due, "error": repr(err)})
